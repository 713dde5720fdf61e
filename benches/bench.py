"""Measures, prints one table, and names what has become slower than benches/results.json. `bench.sh` prepares what this needs.

What is compared runs by turns, a round after the other, so that another program's load falls on both. A value is the median of the
rounds with the quartiles; a ratio is that of the rounds' ratios.
"""

from __future__ import annotations

import datetime
import json
import os
import platform
import re
import ssl
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

from rows import (
    LIBRARY, ROOT, WORK, Row, Rounds, by_turns, floors, instructions_of_a_read, numbers, progress, quartiles, rows, shown, symbols, table, text
)
from stores import stores
from support import KEY, Sandbox, start_sandbox
from uploads import uploads

RESULTS = ROOT / "benches" / "results.json"
README = ROOT / "benches" / "README.md"
CORES = len(os.sched_getaffinity(0))
SYSTEM_ROOTS = Path("/etc/ssl/certs")


# --- Reads of a valid token ---


def reads() -> None:
    def read(work: str, threads: int) -> Callable[[], float]:
        return lambda: numbers(WORK / "read", work, threads, 250, CORES)[0]

    def peer(*command: object) -> Callable[[], float]:
        return lambda: numbers(*command)[0]

    one: Rounds = []
    for threads, name in {1: "1 thread", CORES: "a thread a core", 8 * CORES: "8 threads a core"}.items():
        progress(f"reads, {name}")
        result = by_turns(
            9,
            ours=read("token", threads),
            one=read("token", 1),
            go=peer(WORK / "read_go", "read", threads, 250, CORES),
            rust=peer(WORK / "read_rs", threads, 250, CORES),
        )
        work = f"get, use and free a valid token, {name}"
        if threads == 1:
            one = result["ours"]
            rows.append(Row(work, one, "ns", limit=35))
        else:
            rows.append(Row(work, result["ours"], "ns", "itself with 1 thread", result["one"], 1.3, limits_ratio=True))
        rows.append(Row(work, result["ours"], "ns", "Go, oauth2's algorithm", result["go"], 0.6, limits_ratio=True))
        rows.append(Row(work, result["ours"], "ns", "Rust, Mutex<Arc>", result["rust"]))

    progress("floors under a read")
    result = by_turns(9, call=read("call", 1), clock=read("clock", 1), increment=read("increment", 1))
    for what, name in (("call", "an empty call into the library"), ("clock", "the coarse clock"), ("increment", "an atomic increment")):
        floors.append(f"{name} {shown(result[what], 'ns')}")

    progress("instructions of a read")
    rows.append(Row("instructions of get, use and free", [instructions_of_a_read()], "", tolerance=0.02))


# --- Python ---


def python_headers(sandbox: Sandbox) -> None:
    import datetime as dt
    import timeit

    import bench as side_by_side  # type: ignore[import-not-found]
    import botocore.credentials  # type: ignore[import-not-found]
    import google.oauth2.credentials  # type: ignore[import-not-found]

    progress("Python: the header of a valid token")
    ours, official = side_by_side.our_client(sandbox), side_by_side.official_client(sandbox)
    ours.authorization()
    official.connect()
    in_an_hour = dt.datetime.now(dt.timezone.utc) + dt.timedelta(hours=1)
    google_token = google.oauth2.credentials.Credentials("a token", expiry=in_an_hour.replace(tzinfo=None))
    boto = botocore.credentials.RefreshableCredentials("key", "secret", "a token", in_an_hour, refresh_using=dict, method="none")

    def per_call(call: Callable[[], object]) -> Callable[[], float]:
        return lambda: min(timeit.repeat(call, number=2_000, repeat=10)) / 2_000 * 1e9

    result = by_turns(
        9,
        ours=per_call(ours.authorization),
        official=per_call(lambda: side_by_side.official_header(official)),
        google=per_call(lambda: google_token.before_request(None, "GET", sandbox.url, {})),
        boto=per_call(boto.get_frozen_credentials),
    )
    work = "Python: the header of a valid token"
    rows.append(Row(work, result["ours"], "ns", "official client, which checks no expiry", result["official"]))
    rows.append(Row(work, result["ours"], "ns", "google-auth", result["google"], 1_000))
    rows.append(Row(work, result["ours"], "ns", "botocore, no header built", result["boto"]))
    official.close()
    ours.close()

    progress("Python: import and first token")
    start: dict[str, list[list[float]]] = {"ours": [], "official": []}
    for _ in range(15):
        for who, measured in start.items():
            measured.append(numbers(sys.executable, "-I", "-c", side_by_side.START, who, KEY, sandbox.url))
    wall = {who: [imported + token for imported, token, _ in measured] for who, measured in start.items()}
    peak = {who: [mib for _, _, mib in measured] for who, measured in start.items()}
    rows.append(Row("Python: import and first token", wall["ours"], "ms", "official client", wall["official"], 60))
    rows.append(Row("Python: peak RSS of that", peak["ours"], "MiB", "official client", peak["official"], 16))

    progress("Python: 50 threads' first requests")
    calls = {who: [float(count)] for who, count in side_by_side.cold_calls(sandbox).items()}
    rows.append(Row("auth calls for 50 threads' first requests", calls["ours"], "calls", "official client", calls["official"], 1, tolerance=0))


# --- A program's first token ---


def first_tokens(folder: Path) -> None:
    """Both trust the system's certificates and the sandbox's own, in one file: nobody has fewer. A server nearby takes a millisecond."""
    ca = folder / "ca.pem"
    process, url = start_sandbox(folder, "--tls", "--latency-ms", "1", "--ca-file", str(ca))
    bundle = folder / "bundle.pem"
    bundle.write_text((SYSTEM_ROOTS / "ca-certificates.crt").read_text() + ca.read_text())

    def programs(refreshes: int) -> dict[str, list[object]]:
        return {"ours": [WORK / "first_token", url, refreshes], "curl": [WORK / "first_token_curl", url, refreshes, bundle]}

    # Without these, the platform's verifier takes the bundle and the folder too.
    environment = {"SSL_CERT_FILE": str(bundle), "SSL_CERT_DIR": str(SYSTEM_ROOTS), "no_proxy": "*"}

    progress("a program's first token over TLS")
    wall: dict[str, Rounds] = {"ours": [], "curl": []}
    inside: dict[str, list[list[float]]] = {"ours": [], "curl": []}
    for _ in range(25):
        for who, command in programs(1).items():
            began = time.perf_counter()
            inside[who].append(numbers(*command, **environment))
            wall[who].append((time.perf_counter() - began) * 1e3)

    def row(work: str, values: dict[str, Rounds], unit: str, **target: float) -> None:
        rows.append(Row(work, values["ours"], unit, "libcurl, OpenSSL", values["curl"], **target))

    def column(index: int) -> dict[str, Rounds]:
        return {who: [line[index] for line in lines] for who, lines in inside.items()}

    def system_calls(refreshes: int) -> dict[str, float]:
        calls = {}
        for who, command in programs(refreshes).items():
            summary = folder / "strace"
            subprocess.run(
                ["strace", "-f", "-c", "-o", summary, *map(str, command)],
                env={**os.environ, **environment},
                stdout=subprocess.DEVNULL,
                check=True,
            )
            heading, *_, total = (line.split() for line in summary.read_text().splitlines())
            calls[who] = float(total[heading.index("calls") - 1])  # "% time" is one column.
        return calls

    row("from main() to the first token over TLS", column(0), "ms")
    row("a refresh after it, which the server takes 1 ms for (a new connection here, an open one there)", column(1), "ms", limit=1.5, limits_ratio=True)
    row("the whole process: start, token, refresh, end", wall, "ms")
    row("peak RSS of that process", column(2), "MiB")
    few, many = system_calls(1), system_calls(11)
    row("system calls of that process", {who: [count] for who, count in few.items()}, "calls")
    row("system calls of one more refresh", {who: [(many[who] - few[who]) / 10] for who in few}, "calls", limit=300)

    progress("1,000 clients in an outage, over TLS")
    outage = {"on": "any", "times": 0, "fault": {"kind": "reply", "status": 503, "headers": {}, "body": "{}"}}
    order = urllib.request.Request(f"{url}/_sandbox/faults", data=json.dumps(outage).encode())
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=str(ca)))
    )
    opener.open(order, timeout=10).close()
    each = []
    for _ in range(3):
        ms, tries, failures = numbers(WORK / "clients", url, 1_000, 10, **environment)
        assert failures >= 1_000, "each client tried, and failed"
        each.append(ms)
    rows.append(Row("CPU of one try, 1,000 clients in an outage, over TLS", each, "ms", limit=5, tolerance=0.5))
    process.kill()


def clients() -> None:
    progress("making and freeing clients")
    made = by_turns(9, ours=lambda: numbers(WORK / "clients")[0])
    rows.append(Row("apivideo_client_new and apivideo_client_free", made["ours"], "µs", limit=20))


# --- Renewals, herds, outages ---


def renewals() -> None:
    """Waits of 16 threads that read each millisecond."""

    def waits(seconds: int, ms: int) -> list[float]:
        longest, usual, renewed = numbers(WORK / "renewal", seconds, ms)
        assert (renewed > 0) == (ms > 0), "the token was renewed, or not, as planned"
        return [longest, usual]

    without, ours, go = [], [], []
    for number in (1, 2, 3):
        progress(f"16 readers, without and with a renewal of 500 ms, {number} of 3")
        without.append(waits(6, 0))
        ours.append(waits(6, 500))
        go.append(numbers(WORK / "read_go", "renewal", 6, 500))
    progress("16 readers during a renewal that hangs for 30 s")
    hanging = waits(33, 30_000)

    def column(lines: list[list[float]], index: int) -> Rounds:
        return [line[index] for line in lines]

    quiet = [statistics.median(column(without, 1))]
    rows.append(Row("p99.9 wait of 16 readers, a renewal of 500 ms", column(ours, 1), "µs", "no renewal", column(without, 1), 2, True))
    rows.append(Row("p99.9 wait of 16 readers, a renewal of 500 ms", column(ours, 1), "µs", "Go, oauth2's algorithm", column(go, 1)))
    rows.append(Row("p99.9 wait of 16 readers, a renewal that hangs 30 s", hanging[1:], "µs", "no renewal", quiet, 2, True))
    rows.append(Row("longest wait of 16 readers, a renewal of 500 ms", column(ours, 0), "µs", "Go, oauth2's algorithm", column(go, 0)))
    rows.append(Row("longest wait of 16 readers, a renewal that hangs 30 s", hanging[:1], "µs", "no renewal", [max(column(without, 0))]))


def herds() -> None:
    progress("10,000 cold callers")
    many, one, plain = [], [], []
    for _ in range(7):
        many.append(numbers(WORK / "herd", 10_000))
        one.append(numbers(WORK / "herd", 1)[0])
        plain.append(numbers(WORK / "herd", 10_000, "plain")[0])
    rows.append(Row("exchanges for 10,000 callers at once", [max(made for _, made in many)], "", limit=1, tolerance=0))
    waits = [ms for ms, _ in many]
    rows.append(Row("until the last of 10,000 has its token", waits, "ms", "1 caller, 100 ms exchange", one))
    rows.append(Row("until the last of 10,000 has its token", waits, "ms", "10,000 threads, a plain condition", plain))


def outages() -> None:
    progress("12-minute outages, in simulated time")
    command = ["cargo", "test", "--quiet", "--locked", "--lib", "a_12_minute_outage", "--", "--nocapture"]
    output = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True).stdout
    least, most = re.findall(r"(\d+) to (\d+) attempts, 0 of \d+ reads failed", output)[0]
    rows.append(Row("most auth calls in one of 400 outages of 12 minutes, 0 failed reads", [float(most)], "calls", limit=50, tolerance=0))


# --- Size ---


def parts() -> str:
    """What the library is made of: the crates that most of its symbols' bytes come from. What is not Rust is ring's."""
    bytes_of: dict[str, int] = {}
    for symbol, size in symbols():
        name = re.match(r"[<&(*\[ ]*(?:dyn |mut |const )?(\w+)(?=::)", symbol)
        crate = name[1] if name else "apivideo" if symbol.startswith("apivideo_") else "ring"
        bytes_of[crate] = bytes_of.get(crate, 0) + size
    largest = sorted(bytes_of.items(), key=lambda part: -part[1])[:7]
    return ", ".join(f"{crate} {size / 1000:.0f} KB" for crate, size in largest)


def size() -> None:
    progress("size")
    needed = re.findall(r"NEEDED.*\[(.*)\]", text("readelf", "-d", LIBRARY))
    curl = next(line.split()[2] for line in text("ldd", WORK / "first_token_curl").splitlines() if "libcurl" in line)
    loaded = {who: len(text("ldd", file).splitlines()) for who, file in (("ours", LIBRARY), ("curl", curl))}
    symbols = len(text("nm", "-D", "--defined-only", LIBRARY).splitlines())
    rows.append(Row("stripped shared object", [LIBRARY.stat().st_size / 1e6], "MB", limit=2.2, tolerance=0.02))
    rows.append(Row("exported symbols, all apivideo_*", [symbols], ""))
    rows.append(Row("objects that ldd lists", [loaded["ours"]], "", "libcurl, OpenSSL", [loaded["curl"]]))
    result = by_turns(15, ours=lambda: numbers(WORK / "load", LIBRARY)[0], curl=lambda: numbers(WORK / "load", curl)[0])
    rows.append(Row("dlopen()", result["ours"], "µs", "libcurl, OpenSSL", result["curl"]))
    floors.append(f"most of the library's code: {parts()}")
    floors.append(f"the library itself needs only {', '.join(needed)}")


# --- What comes of it ---


def machine() -> str:
    model = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), platform.machine())
    versions = [
        subprocess.run(command, stdout=subprocess.PIPE, text=True).stdout.split("\n")[0].replace(" linux/amd64", "")
        for command in (["rustc", "--version"], ["cc", "--version"], ["go", "version"])
    ]
    return f"{datetime.date.today()}, {CORES} × {model}, Linux {'.'.join(platform.release().split('.')[:2])}, Python {platform.python_version()}, " + ", ".join(versions)


def kept() -> dict[str, dict[str, float]]:
    """What a later run can be held against."""
    result = {}
    for row in rows:
        if row.comparable:
            low, middle, high = quartiles(row.comparable)
            result[f"{row.work} | {row.peer}"] = {"low": low, "median": middle, "high": high}
    return result


def regressions() -> list[str]:
    """Rows whose quartiles lie above the committed ones, by more than a tenth. One measurement has no quartiles: it may double."""
    before = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    now = kept()
    worse = [f"{name}: not in both runs" for name in before.keys() ^ now.keys()]
    for row in rows:
        name = f"{row.work} | {row.peer}"
        if name not in before or name not in now:
            continue
        old, new = before[name], now[name]
        noise = 0.1 if len(row.comparable) > 1 else 1.0
        if new["low"] > old["high"] and new["median"] > old["median"] * (1 + (noise if row.tolerance is None else row.tolerance)):
            worse.append(f"{name}: {new['median']:.3g}, was {old['median']:.3g}")
    return worse


def save(text: str) -> None:
    RESULTS.write_text(json.dumps(kept(), indent=1, ensure_ascii=False) + "\n")
    before, rest = README.read_text().split("<!-- last run -->\n")
    _, after = rest.split("<!-- end of last run -->\n")
    README.write_text(f"{before}<!-- last run -->\n{text}\n<!-- end of last run -->\n{after}")


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "plain").mkdir()
        (folder / "tls").mkdir()
        process, url = start_sandbox(folder / "plain")
        os.environ["APIVIDEO_TEST_URL"] = url
        sandbox = Sandbox(url)
        for measure in (reads, lambda: python_headers(sandbox), sandbox.reset, lambda: first_tokens(folder / "tls"), clients, renewals, herds, outages, size):
            measure()
        process.kill()
        stores(folder / "stores")
        uploads(folder / "uploads")
    report = f"{machine()}.\n\n{table()}\n\nFloors, and what else there is: {'; '.join(floors)}."
    print(report)
    saving = "--save" in sys.argv
    worse = [] if saving else regressions()
    missed = [row.work for row in rows if row.missed]
    print("\nWorse than the committed run: " + ("; ".join(worse) if worse else "nothing") + ".")
    print("Targets missed: " + ("; ".join(missed) if missed else "none") + ".")
    if saving:
        save(report)
        print(f"Kept in {RESULTS.relative_to(ROOT)} and {README.relative_to(ROOT)}.")
    sys.exit(1 if worse else 0)


if __name__ == "__main__":
    main()
