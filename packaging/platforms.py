"""The table of docs/platforms.md, from platforms.json and from what was built and tested.

`--write` writes it; `--check` says what in it is not true: a table that is not the one made here, a part
of the tests that there is not or that failed, a glibc that is not what a built library needs.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "platforms.md"
BEGIN, END = "<!-- made by packaging/platforms.py -->\n", "<!-- until here -->\n"


def all_parts() -> set[str]:
    doctor = (ROOT / "tests" / "doctor.sh").read_text("utf-8")
    return set(re.search(r'^all_parts="(.*)"', doctor, re.MULTILINE)[1].split())


def names(target: str) -> tuple[str, str]:
    """A wheel's tag and .NET's runtime identifier, as packaging/platforms.sh has them."""
    script = '. packaging/platforms.sh; wheel_tag "$1"; echo; rid "$1"'
    said = subprocess.run(["sh", "-c", script, "sh", target], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True).stdout.split()
    return said[0] if len(said) == 2 else "", said[-1]


def row(platform: dict[str, object], parts: set[str]) -> str:
    wheel, rid = names(str(platform["target"]))
    named = list(platform["parts"])
    tested = str(platform["tested"])
    if not set(named) <= parts:
        tested = "not yet"
    elif named:
        tested += ": " + ", ".join(f"`{part}`" for part in named)
    packages = ", ".join(f"`{name}`" for name in (wheel, rid) if name) if platform["built"] != "not yet" else ""
    cells = [platform["platform"], f"`{platform['target']}`", platform["needs"], platform["built"], tested, packages]
    return "| " + " | ".join(map(str, cells)) + " |\n"


def table(platforms: list[dict[str, object]]) -> str:
    head = "| Platform | Target | Needs | Built by | Tested, and by which parts of `make test` | Wheel, RID |\n|---|---|---|---|---|---|\n"
    return BEGIN + head + "".join(row(platform, all_parts()) for platform in platforms) + END


def with_table(page: str, made: str) -> str:
    return page[: page.index(BEGIN)] + made + page[page.index(END) + len(END) :]


def untrue(platforms: list[dict[str, object]]) -> list[str]:
    page = PAGE.read_text("utf-8")
    found = [] if with_table(page, table(platforms)) == page else ["it is not what packaging/platforms.py --write makes of it"]
    results = ROOT / "target" / "tests" / "results"
    said = dict(re.findall(r"^(\S+) +(\S+)", results.read_text("utf-8"), re.MULTILINE)) if results.is_file() else {}
    for platform in platforms:
        found += [f"the part {part} failed, of {platform['platform']}" for part in platform["parts"] if said.get(part) == "failed"]
        facts = ROOT / "target" / "platforms" / f"{platform['target']}.facts"
        glibc = re.search(r"^glibc: (.*)", facts.read_text("utf-8"), re.MULTILINE) if facts.is_file() else None
        if glibc and glibc[1] != platform.get("glibc"):
            found.append(f"{platform['target']} needs glibc {glibc[1]}")
    return found


if __name__ == "__main__":
    known = json.loads((ROOT / "packaging" / "platforms.json").read_text("utf-8"))
    if sys.argv[1:] == ["--write"]:
        PAGE.write_text(with_table(PAGE.read_text("utf-8"), table(known)), "utf-8")
    wrong = untrue(known)
    for what in wrong:
        print(f"error: docs/platforms.md: {what}", file=sys.stderr)
    sys.exit(bool(wrong))
