"""Is a wheel what its name says? `check_wheel.py WHEEL TAG`: the tag, the files, RECORD, and for Linux
the libraries and symbols that it needs."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import subprocess
import sys
import zipfile
from pathlib import Path


def problems(path: Path, tag: str) -> list[str]:
    wheel = zipfile.ZipFile(path)
    names = wheel.namelist()
    metadata = next(name.split("/")[0] for name in names if name.endswith(".dist-info/RECORD"))
    library = "apivideo.dll" if tag.startswith("win") else "libapivideo.dylib" if tag.startswith("macosx") else "libapivideo.so"
    wanted = [f"libapivideo/{library}", "libapivideo/py.typed", f"{metadata}/licenses/LICENSE", f"{metadata}/licenses/THIRD-PARTY-LICENSES.txt"]
    found = [f"it has no {name}" for name in wanted if name not in names]
    binaries = [name for name in names if name.endswith((".so", ".dll", ".dylib"))]
    if len(binaries) != 1:
        found.append(f"it has several libraries: {binaries}")
    about = wheel.read(f"{metadata}/WHEEL").decode()
    if f"Tag: py3-none-{tag}\n" not in about or about.count("Tag: ") != 1 or "Root-Is-Purelib: false" not in about:
        found.append(f"its WHEEL says: {about}")
    return found + wrong_records(wheel, f"{metadata}/RECORD") + wrong_for_linux(path, tag)


def wrong_records(wheel: zipfile.ZipFile, record: str) -> list[str]:
    recorded = {name: (digest, size) for name, digest, size in csv.reader(wheel.read(record).decode().splitlines())}
    found = [f"RECORD does not list exactly the files: {set(recorded) ^ set(wheel.namelist())}"] if set(recorded) != set(wheel.namelist()) else []
    for name, (digest, size) in recorded.items():
        content = wheel.read(name)
        true = "sha256=" + base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
        if name != record and (digest, size) != (true, str(len(content))):
            found.append(f"RECORD is wrong about {name}")
    return found


def wrong_for_linux(path: Path, tag: str) -> list[str]:
    if tag.startswith("musllinux"):
        # auditwheel knows musl by Alpine's name alone. Every musl takes `libc.so` for itself.
        needs = needed(path)
        return [] if needs == ["libc.so"] else [f"it needs {needs}"]
    if tag.startswith("manylinux"):
        said = subprocess.run([sys.executable, "-m", "auditwheel", "show", str(path)], capture_output=True, text=True)
        return [] if f'"{tag}"' in " ".join(said.stdout.split()) else [f"auditwheel: {said.stdout}{said.stderr}"]
    return []


def needed(path: Path) -> list[str]:
    from elftools.elf.elffile import ELFFile  # auditwheel's.

    library = io.BytesIO(zipfile.ZipFile(path).read("libapivideo/libapivideo.so"))
    return [tag.needed for tag in ELFFile(library).get_section_by_name(".dynamic").iter_tags("DT_NEEDED")]


if __name__ == "__main__":
    wheel, tag = Path(sys.argv[1]), sys.argv[2]
    wrong = problems(wheel, tag)
    for what in wrong:
        print(f"error: {wheel.name}: {what}", file=sys.stderr)
    print(f"{wheel.name}, {wheel.stat().st_size} bytes")
    sys.exit(bool(wrong))
