"""Processes that share a token by a store, beside MSAL extensions and botocore: rows for bench.py. By itself it prints only these."""

from __future__ import annotations

import itertools
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from rows import ROOT, WORK, Row, Rounds, floors, instructions_of_a_read, numbers, progress, rows, symbols, table
from support import Sandbox, start_sandbox, wait_until

LATENCY = 200
# Beyond the server's time.
MARGIN = {"file": 250, "redis": 500}
BY = {"file": "by files", "redis": "by Redis"}
RENEWALS, LIFE, SECONDS = 100, 10, 60


class Redis:
    """A server of our own, on loopback, that keeps nothing on disk."""

    def __init__(self, folder: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        options = ["--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", str(folder)]
        self.process = subprocess.Popen(["redis-server", *options], stdout=subprocess.DEVNULL)
        self.url = f"redis://127.0.0.1:{self.port}"
        wait_until(self.answers, "Redis starts")

    def answers(self) -> bool:
        with socket.socket() as peer:
            return peer.connect_ex(("127.0.0.1", self.port)) == 0

    def ask(self, command: str) -> str:
        with socket.create_connection(("127.0.0.1", self.port)) as peer:
            peer.sendall(f"{command}\r\n".encode())
            return peer.recv(65536).decode()


class Bench:
    """A local api.video, a Redis, and a folder."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.folder = folder
        self.numbers = itertools.count()
        self.sandbox = self.start()
        self.redis = Redis(folder)

    def start(self, *options: str) -> Sandbox:
        folder = self.folder / f"sandbox-{next(self.numbers)}"
        folder.mkdir()
        # It ends with this program.
        return Sandbox(start_sandbox(folder, *options)[1])

    def empty(self, kind: str) -> str:
        """A store without a token: a folder, or the URL of a Redis."""
        if kind == "redis":
            assert self.redis.ask("FLUSHALL") == "+OK\r\n"
            return self.redis.url
        return str(self.folder / f"store-{next(self.numbers)}")

    def run(self, *words: object, store: str = "", sandbox: Sandbox | None = None) -> list[float]:
        """What `fleet` prints. `store`: a folder or a URL; none if empty."""
        kind = store if "://" in store else f"file:{store}" if store else ""
        url = (sandbox or self.sandbox).url
        return numbers(WORK / "fleet", *words, APIVIDEO_STORE=kind, APIVIDEO_TEST_URL=url)

    def python(self, who: str, work: str, count: int, place: str) -> list[float]:
        return numbers(sys.executable, ROOT / "benches" / "shared_token.py", who, work, count, self.sandbox.url, place)

    def exchanges(self) -> float:
        counters = self.sandbox.counters()
        return float(counters["api_key"]["requests"] + counters["refresh"]["requests"])


PEERS = {"msal": "MSAL extensions", "botocore": "botocore's file cache"}


def cold_beside_peers(bench: Bench) -> None:
    """In Python, since the peers are."""
    count = 50
    asked: dict[str, Rounds] = {}
    last: dict[str, Rounds] = {}
    failed = dict.fromkeys(PEERS, 0.0)
    for number in range(5):
        progress(f"{count} cold processes in Python, {number + 1} of 5")
        for who, kind in {"file": "file", "redis": "redis", "one": "file", "msal": "file", "botocore": "file"}.items():
            before = bench.exchanges()
            program = who if who in PEERS else "ours"
            ms, without = bench.python(program, "cold", 1 if who == "one" else count, bench.empty(kind))
            asked.setdefault(who, []).append(bench.exchanges() - before)
            last.setdefault(who, []).append(ms)
            if who in PEERS:
                failed[who] += without
            else:
                assert without == 0, "each process got a token"
    for kind in BY:
        work = f"exchanges of {count} cold processes in Python, {BY[kind]}"
        for peer, name in PEERS.items():
            rows.append(Row(work, asked[kind], "", name, asked[peer], limit=1, tolerance=0))
        work = f"until the last of {count} cold processes in Python has its token, {BY[kind]}"
        for peer, name in {**PEERS, "one": "1 process"}.items():
            rows.append(Row(work, last[kind], "ms", name, last[peer], limit=LATENCY + MARGIN[kind]))
    floors.extend(f"of {5 * count} callers of {PEERS[who]}, {number:.0f} got an error" for who, number in failed.items() if number)


def cold_at_scale(bench: Bench) -> None:
    for count in (200, 1_000):
        asked: dict[str, Rounds] = {}
        last: dict[str, Rounds] = {"one": []}
        for number in range(5):
            progress(f"{count:,} cold processes, {number + 1} of 5")
            last["one"].append(bench.run("cold", 1, store=bench.empty("file"))[0])
            for kind in BY:
                ms, exchanges = bench.run("cold", count, store=bench.empty(kind))
                asked.setdefault(kind, []).append(exchanges)
                last.setdefault(kind, []).append(ms)
        for kind in BY:
            rows.append(Row(f"exchanges of {count:,} cold processes, {BY[kind]}", asked[kind], "", limit=1, tolerance=0))
            work = f"until the last of {count:,} cold processes has its token, {BY[kind]}"
            rows.append(Row(work, last[kind], "ms", "1 process", last["one"], limit=LATENCY + MARGIN[kind]))
    progress("1,000 reports of one 401")
    for kind in BY:
        exchanges = bench.run("rejected", 1_000, store=bench.empty(kind))[1]
        rows.append(Row(f"exchanges for 1,000 processes' reports of one 401, {BY[kind]}", [exchanges], "", limit=1, tolerance=0))


def next_ones(bench: Bench) -> None:
    """The token is there, and a new process wants it."""
    progress("the next process's token")
    bench.sandbox.settings(latency_ms=1)
    stores = {"none": "", **{kind: bench.empty(kind) for kind in BY}}
    took: dict[str, Rounds] = {kind: [] for kind in stores}
    for kind in BY:
        bench.run("next", store=stores[kind])
    for _ in range(25):
        for kind, store in stores.items():
            took[kind].extend(bench.run("next", store=store))
    rows.append(Row("the next process's token, from a file", took["file"], "µs", "an exchange, the server takes 1 ms", took["none"], limit=100))
    rows.append(Row("the next process's token, from Redis", took["redis"], "µs", "an exchange, the server takes 1 ms", took["none"]))

    places = {who: bench.empty("file") for who in ("ours", *PEERS)}
    python: dict[str, Rounds] = {who: [] for who in places}
    for who, place in places.items():
        bench.python(who, "cold", 1, place)
    for _ in range(5):
        for who, place in places.items():
            python[who].extend(bench.python(who, "next", 5, place))
    for peer, name in PEERS.items():
        rows.append(Row("the next process's token in Python, from a file", python["ours"], "µs", name, python[peer]))
    bench.sandbox.settings(latency_ms=LATENCY)


def hanging(bench: Bench) -> None:
    progress("a store that hangs")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"redis://127.0.0.1:{silent.getsockname()[1]}"
        took = [bench.run("next", store=url)[0] / 1e3 for _ in range(3)]
        alone = [bench.run("next")[0] / 1e3 for _ in range(3)]
    rows.append(Row("a cold process's token, its store hangs", took, "ms", "no store", alone, limit=LATENCY + 1_050))


def renewals(bench: Bench) -> None:
    """At the same time: they are idle but for moments, and so one minute is enough."""
    progress(f"{RENEWALS} processes renew tokens of {LIFE} s for {SECONDS} s: alone, without a store, by files, by Redis")
    fleets = {"alone": (1, ""), "none": (RENEWALS, ""), **{kind: (RENEWALS, bench.empty(kind)) for kind in BY}}
    boxes = {who: bench.start("--expires-in", str(LIFE), "--latency-ms", str(LATENCY)) for who in fleets}
    with ThreadPoolExecutor() as pool:
        under_way = {
            who: pool.submit(bench.run, "renewals", count, SECONDS, store=store, sandbox=boxes[who]) for who, (count, store) in fleets.items()
        }
    result = {who: task.result() for who, task in under_way.items()}
    for kind in BY:
        exchanges, each, failures, failed = result[kind]
        assert failed == 0, "no read fails"
        work = f"{RENEWALS} processes, lives of {LIFE} s, {SECONDS} s long, {BY[kind]}"
        rows.append(Row(f"exchanges of {work}", [exchanges], "", "no store", result["none"][:1]))
        rows.append(Row(f"exchanges of {work}", [exchanges], "", "1 process", result["alone"][:1]))
        rows.append(Row(f"exchanges for each token that a process used, {work}", [each], "", limit=1.05, tolerance=0.05))
        floors.extend([f"of their looks at the store {failures:.0f} failed, {BY[kind]}"] if failures else [])


def reads(bench: Bench) -> None:
    progress("instructions of a read, with a store")
    there = {"APIVIDEO_TEST_URL": bench.sandbox.url}
    without = instructions_of_a_read(**there)
    shared = instructions_of_a_read(**there, APIVIDEO_STORE=f"file:{bench.empty('file')}")
    rows.append(Row("instructions of get, use and free, with a store", [shared], "", "no store", [without], 1, limits_ratio=True, tolerance=0.02))


def sizes() -> None:
    """By symbols: what one is inlined into counts for that."""
    parts = {
        "files": r"apivideo::(store::file|ffi::file_lock)\b",
        "Redis": r"apivideo::store::(redis|resp)\b",
        "a program's own": r"apivideo::(store::own|capi::store)\b|apivideo_store_new$",
        "the protocol and the seal": r"apivideo::(cache::(sharing|record)|store::(seal|Sealed\w+))\b|TokenCache::ask_store",
    }
    sizes = {part: sum(size for name, size in symbols() if re.search(pattern, name)) / 1e3 for part, pattern in parts.items()}
    rows.append(Row("code of the store of files", [sizes["files"]], "KB", "of the store in Redis", [sizes["Redis"]], limit=15, tolerance=0.1))
    floors.append("the stores' code: " + ", ".join(f"{part} {size:.1f} KB" for part, size in sizes.items()))


def stores(folder: Path) -> None:
    bench = Bench(folder)
    try:
        bench.sandbox.settings(latency_ms=LATENCY)
        for measure in (cold_beside_peers, cold_at_scale, next_ones, hanging, renewals, reads):
            measure(bench)
    finally:
        bench.redis.process.kill()
    sizes()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        began = time.monotonic()
        stores(Path(name) / "stores")
    print(f"{table()}\n\n{'; '.join(floors)}.\n\n{time.monotonic() - began:.0f} s; load {os.getloadavg()[0]:.1f}")
