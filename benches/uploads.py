"""Uploads beside libcurl and the official client: rows for bench.py. By itself it prints only these."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from rows import ROOT, WORK, Row, Rounds, numbers, progress, rows, table

MIB = 1024 * 1024
CHUNK = 50 * MIB


def measured(count: int, programs: dict[str, list[object]]) -> dict[str, list[Rounds]]:
    """Milliseconds and MiB of each, a round after the other."""
    results: dict[str, list[Rounds]] = {who: [[], []] for who in programs}
    for _ in range(count):
        for who, command in programs.items():
            for column, value in zip(results[who], numbers(*command)):
                column.append(value)
    return results


def hole(folder: Path, mib: int) -> Path:
    """A file that takes no room: who reads it is not kept waiting by a disk."""
    path = folder / f"{mib}.mp4"
    with path.open("wb") as file:
        file.truncate(mib * MIB)
    return path


def uploads(folder: Path) -> None:
    folder.mkdir()
    server = subprocess.Popen([sys.executable, ROOT / "benches" / "upload_server.py"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    url = server.stdout.readline().strip()

    def of(file: Path) -> list[object]:
        return [url, file, CHUNK]

    progress("uploads of 300 MiB")
    film = hole(folder, 300)
    in_c = measured(11, {"ours": [WORK / "upload", *of(film)], "curl": [WORK / "upload_curl", *of(film)]})
    script = [sys.executable, ROOT / "benches" / "upload.py"]
    in_python = measured(7, {who: [*script, who, *of(film)] for who in ("ours", "official")})
    progress("uploads of 3 GiB")
    long_film = hole(folder, 3 * 1024)
    long_in_c = measured(3, {"ours": [WORK / "upload", *of(long_film)], "curl": [WORK / "upload_curl", *of(long_film)]})
    server.kill()

    def row(work: str, results: dict[str, list[Rounds]], column: int, peer: str, **target: float) -> None:
        ours, theirs = results.values()
        rows.append(Row(work, ours[column], ("ms", "MiB")[column], peer, theirs[column], **target))

    row("an upload of 300 MiB in chunks of 50 MiB", in_c, 0, "libcurl", limit=1 / 0.95, limits_ratio=True)
    row("the same in Python", in_python, 0, "official client", limit=0.5, limits_ratio=True)
    row("memory that it takes more meanwhile", in_c, 1, "libcurl", limit=1, tolerance=0.25)
    row("for 3 GiB", long_in_c, 1, "libcurl", limit=1, tolerance=0.25)
    row("in Python, for 300 MiB", in_python, 1, "official client", tolerance=1)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        uploads(Path(name) / "uploads")
    print(table())
