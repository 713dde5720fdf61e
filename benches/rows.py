"""What `bench.py` and `stores.py` share: the table's rows, and how what is in them is measured."""

from __future__ import annotations

import os
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
WORK = ROOT / "target" / "bench"
LIBRARY = ROOT / "target" / "stage" / "lib" / "libapivideo.so"
UNSTRIPPED = ROOT / "target" / "release" / "libapivideo.so"

# Of the Python package: its tests' sandbox, and how it is compared with the official client.
sys.path[:0] = [str(ROOT / "bindings" / "python" / folder) for folder in ("tests", "benches")]

Rounds = list[float]


def progress(what: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {what} …", file=sys.stderr, flush=True)


# --- Rows ---


def quartiles(rounds: Rounds) -> tuple[float, float, float]:
    if len(rounds) == 1:
        return rounds[0], rounds[0], rounds[0]
    low, middle, high = statistics.quantiles(rounds, n=4, method="inclusive")
    return low, middle, high


def shown(rounds: Rounds, unit: str) -> str:
    low, middle, high = (f"{value:.3g}" if value < 1000 else f"{value:.0f}" for value in quartiles(rounds))
    return f"{middle} {unit}" + ("" if low == high else f" ({low}–{high})")


@dataclass
class Row:
    """What libapivideo needs for some work, and what its peer needs; less is better. `limit` is the target for a ratio, or else for a value."""

    work: str
    ours: Rounds
    unit: str
    peer: str = ""
    theirs: Rounds | None = None
    limit: float | None = None
    limits_ratio: bool = False
    # By how much the value itself may differ from an earlier run's; None: it says more about the
    # machine, and only a ratio is compared.
    tolerance: float | None = None

    @property
    def ratios(self) -> Rounds:
        return [mine / his for mine, his in zip(self.ours, self.theirs or []) if his]

    @property
    def comparable(self) -> Rounds:
        return self.ratios if self.tolerance is None else self.ours

    @property
    def missed(self) -> bool:
        reached = self.ratios if self.limits_ratio else self.ours
        return self.limit is not None and statistics.median(reached) > self.limit

    def verdict(self) -> str:
        if self.limit is None:
            return ""
        target = f"≤ {self.limit:g} {'×' if self.limits_ratio else self.unit}".strip()
        return f"{target}: {'**no**' if self.missed else 'yes'}"

    def cells(self) -> list[str]:
        theirs = f"{self.peer}: {shown(self.theirs, self.unit)}" if self.theirs else ""
        ratio = f"{statistics.median(self.ratios):.2f}" if self.ratios else ""
        return [self.work, shown(self.ours, self.unit), theirs, ratio, self.verdict()]


rows: list[Row] = []
floors: list[str] = []


def numbers(*command: object, **environment: str) -> list[float]:
    """What a program prints."""
    output = subprocess.run(
        [str(word) for word in command], env={**os.environ, **environment}, stdout=subprocess.PIPE, text=True, check=True
    ).stdout
    return [float(word) for word in output.split()]


def by_turns(count: int, **programs: Callable[[], float]) -> dict[str, Rounds]:
    results: dict[str, Rounds] = {name: [] for name in programs}
    for _ in range(count):
        for name, program in programs.items():
            results[name].append(program())
    return results


def instructions_of_a_read(**environment: str) -> float:
    """As callgrind counts them: what 200,000 reads take more."""

    def instructions(count: int) -> int:
        command = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", WORK / "read", "token", "1", f"={count}", "1"]
        output = subprocess.run(command, env={**os.environ, **environment}, stderr=subprocess.PIPE, text=True, check=True).stderr
        return int(re.findall(r"Collected : (\d+)", output)[0])

    return round((instructions(210_000) - instructions(10_000)) / 200_000)


def text(*command: object) -> str:
    return subprocess.run([str(word) for word in command], stdout=subprocess.PIPE, text=True, check=True).stdout


def symbols() -> Iterator[tuple[str, int]]:
    """Of the library: their demangled names, and their bytes."""
    for line in text("nm", "-S", "--demangle", "--defined-only", UNSTRIPPED).splitlines():
        symbol = re.match(r"\w+ (\w+) [a-zA-Z] (.*)", line)
        if symbol:
            yield symbol[2], int(symbol[1], 16)


def table() -> str:
    head = ["work", "libapivideo", "beside", "ratio", "target"]
    lines = [head, ["---"] * len(head), *(row.cells() for row in rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
