"""libapivideo beside the official `api.video` package, in one run, against the local sandbox.

Every number is measured here and now. Where a program is started, both are, by turns. `bench.sh`
prepares what this needs. Linux only.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
import timeit
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from support import KEY, Sandbox, start_sandbox, wait_until  # noqa: E402

rows: list[tuple[str, str, str, str, str]] = []


def row(what: str, ours: float, theirs: float, unit: str, target: str = "") -> None:
    ratio = f"{ours / theirs:.2f}" if theirs else "-"
    rows.append((what, f"{ours:.4g} {unit}", f"{theirs:.4g} {unit}", ratio, target))


def told(what: str, ours: str, theirs: str, target: str = "") -> None:
    rows.append((what, ours, theirs, "", target))


def show() -> None:
    head = ("work", "libapivideo", "official", "ratio", "target")
    widths = [max(len(each[i]) for each in [head, *rows]) for i in range(5)]
    for each in [head, tuple("-" * width for width in widths), *rows]:
        print("| " + " | ".join(text.ljust(width) for text, width in zip(each, widths)) + " |")


# --- The two, made alike ---


def our_client(sandbox: Sandbox) -> Any:
    import libapivideo

    return libapivideo.Client(KEY, base_url=sandbox.url)


def official_client(sandbox: Sandbox) -> Any:
    import apivideo

    client = apivideo.AuthenticatedApiClient(KEY)
    client.configuration.host = sandbox.url
    return client


def official_header(client: Any) -> str:
    """What the official client does for each request's header."""
    headers: dict[str, str] = {}
    client.update_params_for_auth(headers, [], ["bearerAuth"], "/videos", "GET", None)
    return headers["Authorization"]


# --- What is measured ---


def per_call(call: Callable[[], object]) -> float:
    """Nanoseconds: the best of many short runs, which other programs disturb least."""
    return min(timeit.repeat(call, number=2_000, repeat=200)) / 2_000 * 1e9


def cached_header(sandbox: Sandbox) -> None:
    ours, theirs = our_client(sandbox), official_client(sandbox)
    theirs.connect()
    ours.authorization()
    row("header value of a valid token", per_call(ours.authorization), per_call(lambda: official_header(theirs)), "ns", "<= 1000 ns, with the expiry check")
    theirs.close()
    ours.close()


START = """
import sys, time
begin = time.perf_counter()
if sys.argv[1] == "ours":
    import libapivideo
    imported = time.perf_counter()
    client = libapivideo.Client(sys.argv[2], base_url=sys.argv[3])
    client.authorization()
elif sys.argv[1] == "official":
    import apivideo
    imported = time.perf_counter()
    client = apivideo.AuthenticatedApiClient(sys.argv[2])
    client.configuration.host = sys.argv[3]
    client.connect()
else:
    imported = begin
end = time.perf_counter()
# getrusage() would count what the parent had before it started this program.
peak = next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM:"))
print((imported - begin) * 1e3, (end - imported) * 1e3, peak / 1024)
"""


def start(sandbox: Sandbox) -> None:
    measured: dict[str, list[list[float]]] = {"ours": [], "official": [], "neither": []}
    for _ in range(15):
        for who, results in measured.items():
            # Isolated, so that the environment's own start-up files do not count.
            output = subprocess.check_output([sys.executable, "-I", "-c", START, who, KEY, sandbox.url], text=True)
            results.append([float(word) for word in output.split()])
    best = {who: [min(column) for column in zip(*results)] for who, results in measured.items()}
    ours, theirs = best["ours"], best["official"]
    row("import", ours[0], theirs[0], "ms")
    row("first token: client made, token got", ours[1], theirs[1], "ms")
    row("import and first token", ours[0] + ours[1], theirs[0] + theirs[1], "ms", "<= 60 ms")
    row("peak RSS of such a program", ours[2], theirs[2], "MiB", "<= 16 MiB")
    row("  above a Python that does nothing", ours[2] - best["neither"][2], theirs[2] - best["neither"][2], "MiB")


def cold_calls(sandbox: Sandbox) -> dict[str, int]:
    """Auth calls for 50 threads' first requests."""

    def count(make: Callable[[], Callable[[], object]]) -> int:
        sandbox.reset()
        sandbox.settings(latency_ms=100)
        header = make()
        barrier = threading.Barrier(50)

        def first_request() -> None:
            barrier.wait()
            header()

        with ThreadPoolExecutor(50) as pool:
            for each in [pool.submit(first_request) for _ in range(50)]:
                each.result()
        return sandbox.auth_requests()

    def theirs() -> Callable[[], object]:
        client = official_client(sandbox)

        def header() -> str:
            # A program with this package must connect before its first request: whoever finds no
            # token does.
            if client._access_token is None:
                client.connect()
            return official_header(client)

        return header

    return {"ours": count(lambda: our_client(sandbox).authorization), "official": count(theirs)}


# --- A token's last minute, and what follows ---

# A token is renewed when 70 to 80 % of its life are over, and handed out until 90 %. Of an hour
# that leaves six minutes to ride out an outage; of two minutes 12 seconds, enough for 5 seconds and
# a retry. Shorter lives would measure something that does not occur.
LIFETIME = 120
WATCH = 135


def everyday(sandbox: Sandbox) -> None:
    """Nothing special: the token's life ends."""


def rejected_refresh(sandbox: Sandbox) -> None:
    sandbox.revoke("refresh")


def outage(sandbox: Sandbox) -> None:
    """From the first try to renew on, for 5 seconds, authentication answers 503."""
    before = sandbox.auth_requests()
    sandbox.fault("reply", on="auth", times=0, status=503, body="{}")

    def end() -> None:
        wait_until(lambda: sandbox.auth_requests() > before, "the token is renewed", WATCH)
        time.sleep(5)
        sandbox.clear_faults()

    threading.Thread(target=end, daemon=True).start()


SCENARIOS: dict[str, tuple[str, Callable[[Sandbox], None]]] = {
    "expiry": ("at expiry", everyday),
    "outage": ("a 5-second outage at renewal", outage),
    "rejected": ("after a rejected refresh token", rejected_refresh),
    "fork": ("in a forked child, at expiry", everyday),
}


def scenario(name: str, who: str) -> None:
    """Requests every 20 ms for longer than a token lives. Prints how many fail, and the longest
    wait for a header.
    """
    with tempfile.TemporaryDirectory() as folder:
        process, url = start_sandbox(Path(folder), "--expires-in", str(LIFETIME))
        sandbox = Sandbox(url)
        if who == "ours":
            ours = our_client(sandbox)
            header: Callable[[], str] = ours.authorization
        else:
            theirs = official_client(sandbox)
            theirs.__enter__()

            def header() -> str:
                return official_header(theirs)

        header()
        requests = failed = 0
        longest = 0.0
        if name == "fork":
            sys.stdout.flush()
            if os.fork() != 0:
                _, status = os.wait()
                process.kill()
                os._exit(os.waitstatus_to_exitcode(status))
        SCENARIOS[name][1](sandbox)
        until = time.monotonic() + WATCH
        while time.monotonic() < until:
            requests += 1
            begin = time.perf_counter()
            try:
                value = header()
            except Exception:
                value = "Bearer none"
            longest = max(longest, time.perf_counter() - begin)
            failed += sandbox.status_of(value) != 200
            time.sleep(0.02)
        result = {"requests": requests, "failed": failed, "longest": longest, "auth": sandbox.auth_requests()}
        print(json.dumps(result), flush=True)
        process.kill()
        os._exit(0)


def scenarios() -> None:
    """All at once: each has its own process and its own sandbox, and sleeps most of the time."""
    running = {
        (name, who): subprocess.Popen([sys.executable, __file__, name, who], stdout=subprocess.PIPE)
        for name in SCENARIOS
        for who in ("ours", "official")
    }
    results = {key: json.loads(process.communicate()[0]) for key, process in running.items()}
    for name, (title, _) in SCENARIOS.items():
        ours, theirs = results[name, "ours"], results[name, "official"]

        def failing(result: dict[str, float]) -> str:
            return f"{result['failed']:.0f} of {result['requests']:.0f} fail"

        told(f"{title}: requests", failing(ours), failing(theirs), "0 fail")
        row("  longest wait for a header", ours["longest"] * 1e3, theirs["longest"] * 1e3, "ms")
        row("  auth calls", ours["auth"], theirs["auth"], "calls")


def main() -> None:
    if len(sys.argv) == 3:
        scenario(*sys.argv[1:])
    with tempfile.TemporaryDirectory() as folder:
        process, url = start_sandbox(Path(folder))
        with process:
            sandbox = Sandbox(url)
            cached_header(sandbox)
            start(sandbox)
            calls = cold_calls(sandbox)
            row("auth calls for 50 threads' first requests", calls["ours"], calls["official"], "calls", "1")
            process.kill()
    scenarios()
    print(f"Python {sys.version.split()[0]}, {os.cpu_count()} cores; load {os.getloadavg()[0]:.1f}. A ratio below 1: libapivideo needs less.")
    show()


if __name__ == "__main__":
    main()
