"""Makes a list of the lines in which a Python docstring tells of parameters: `name: what it is`."""

from __future__ import annotations

import re
from typing import Any

import griffe

ITEM = re.compile(r"^(\w+(?:, \w+)*): ")


def as_list(paragraph: str) -> str:
    lines = paragraph.split("\n")
    if not ITEM.match(lines[0]):
        return paragraph
    return "\n".join(ITEM.sub(lambda name: f"- `{name[1]}`: ".replace(", ", "`, `"), line) if ITEM.match(line) else "  " + line.strip() for line in lines)


class Docstrings(griffe.Extension):
    def on_instance(self, *, obj: griffe.Object, **kwargs: Any) -> None:
        if obj.docstring:
            obj.docstring.value = "\n\n".join(as_list(each) for each in obj.docstring.value.split("\n\n"))
