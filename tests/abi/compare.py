"""Compares a C header with a listing of what was promised: tests/abi/check.sh calls it.

Every line of the listing is one promise: the version that brought it, its kind (macro, constant,
enum, type or function), its name, and how it is declared. A promise that has changed or is gone is
an error. What the header has besides is listed as added, and is no error.

    compare.py HEADER LISTING [--library FILE] [--freeze]

--library  also compares the symbols that a shared library exports with the header's functions.
--freeze   writes the additions into the listing, as of the header's version.

Needs pycparser and a C compiler. Where abidiff (Debian: abigail-tools) is installed, it compares
both sides once more, as the compiler sees them.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

from pycparser import c_ast, c_generator, c_parser

CC = os.environ.get("CC", "cc").split()

# The system's own headers are full of what only their compiler can read. These are all that a
# public header needs of them.
SYSTEM_HEADERS = {
    "stdbool.h": "typedef _Bool bool;\n",
    "stddef.h": "typedef unsigned long size_t;\n#define NULL ((void *)0)\n",
    "stdint.h": "".join(
        f"typedef {kind} {sign}int{bits}_t;\n"
        for bits, kind in [(8, "signed char"), (16, "short"), (32, "int"), (64, "long long")]
        for sign, kind in [("", kind), ("u", "unsigned " + kind.replace("signed ", ""))]
    ),
}

Name = tuple[str, str]  # Its kind, and the name itself.


class Promise(NamedTuple):
    since: str
    text: str


class Findings(NamedTuple):
    broken: list[str]
    added: list[Name]


# --- The header ---


def read_header(header: Path) -> dict[Name, str]:
    """What a program can use of a header, and how each is declared, in the header's order."""
    with tempfile.TemporaryDirectory() as folder:
        for name, content in SYSTEM_HEADERS.items():
            Path(folder, name).write_text(content)
        system = "".join(f"#include <{name}>\n" for name in SYSTEM_HEADERS)
        source = preprocess(f'{system}#include "{header.resolve()}"\n', folder)
        macros = defined_in(header, folder, system)
        enums = underlying_types(header, folder)
    tree = c_parser.CParser().parse(source)
    own = [node for node in tree.ext if node.coord.file == str(header.resolve())]
    found = {("macro", name): text for name, text in macros}
    found.update({("enum", name): f"{kind} in C++ and C23" for name, kind in enums})
    found.update(entry for node in own for entry in declared(node))
    return found


def preprocess(source: str, includes: str, *flags: str) -> str:
    command = [*CC, "-E", "-std=c99", "-nostdinc", "-I", includes, *flags, "-x", "c", "-"]
    done = subprocess.run(command, input=source, text=True, check=True, stdout=subprocess.PIPE)
    return done.stdout


def defined_in(header: Path, includes: str, system: str) -> list[tuple[str, str]]:
    """The macros that a header adds to those of the system's. A release may change its version."""
    before = preprocess(system, includes, "-dM").splitlines()
    after = preprocess(f'{system}#include "{header.resolve()}"\n', includes, "-dM").splitlines()
    macros = []
    for line in sorted(set(after) - set(before)):
        name, parameters, value = re.findall(r"^#define (\w+)(\([^)]*\))? ?(.*)", line)[0]
        if name.startswith("APIVIDEO_VERSION"):
            value = "the version as text" if value.startswith('"') else "the version as a number"
        macros.append((name, f"{parameters} {value}".strip()))
    return macros


def underlying_types(header: Path, includes: str) -> list[tuple[str, str]]:
    """The type behind each enum where the language lets a header name it, which C99 does not."""
    source = preprocess(f'#include "{header.resolve()}"\n', includes, "-D__cplusplus=201703L")
    return re.findall(
        r"^enum (\w+)\s*:\s*(\w+)", re.sub(r"^#.*\n", "", source, flags=re.MULTILINE), re.MULTILINE
    )


def declared(node: c_ast.Node) -> list[tuple[Name, str]]:
    """What one declaration of the header brings."""
    entries = [
        (("constant", constant), f"enum {tag or '(no name)'}: {value}")
        for tag, constant, value in constants(node)
    ]
    text = " ".join(c_generator.CGenerator().visit(node).split())
    if isinstance(node, c_ast.Typedef):
        entries.append((("type", node.name), text))
    elif isinstance(node.type, c_ast.FuncDecl):
        entries.append((("function", node.name), text))
    elif isinstance(node.type, (c_ast.Struct, c_ast.Union)):
        entries.append((("type", f"{type(node.type).__name__.lower()}-{node.type.name}"), text))
    elif not isinstance(node.type, c_ast.Enum):
        entries.append((("variable", node.name), text))
    return entries


def constants(node: c_ast.Node) -> list[tuple[str | None, str, int]]:
    """The constants of the enums in a declaration: the enum's name, the constant's, its number."""
    found = []

    class Visitor(c_ast.NodeVisitor):
        def visit_Enum(self, enum: c_ast.Enum) -> None:
            value = -1
            for constant in enum.values.enumerators if enum.values else []:
                value = value + 1 if constant.value is None else number(constant.value)
                found.append((enum.name, constant.name, value))

    Visitor().visit(node)
    return found


def number(node: c_ast.Node) -> int:
    return int(c_generator.CGenerator().visit(node), 0)


# --- The listing ---


def read_listing(listing: Path) -> dict[Name, Promise]:
    promises = {}
    for line in listing.read_text().splitlines() if listing.exists() else []:
        if line and not line.startswith("#"):
            since, kind, name, *text = line.split(maxsplit=3)
            promises[kind, name] = Promise(since, "".join(text))
    return promises


def freeze(
    listing: Path, promised: dict[Name, Promise], present: dict[Name, str], version: str
) -> None:
    comments = [line for line in listing.read_text().splitlines() if line.startswith("#")]
    lines = [
        f"{promised[name].since if name in promised else version} {' '.join(name)} {text}".strip()
        for name, text in present.items()
    ]
    listing.write_text("\n".join(comments + lines) + "\n")


def header_version(header: Path) -> str:
    """Its first two numbers, as in "0.1"."""
    found = re.search(r'#define APIVIDEO_VERSION "(\d+\.\d+)', header.read_text())
    if not found:
        sys.exit(f"error: {header} does not define APIVIDEO_VERSION")
    return found[1]


# --- Both ---


def compare(promised: dict[Name, Promise], present: dict[Name, str]) -> Findings:
    broken = []
    for name, promise in promised.items():
        if name not in present:
            broken.append(f"{' '.join(name)} is gone. It is promised since {promise.since}.")
        elif present[name] != promise.text:
            broken.append(
                f"{' '.join(name)} has changed since {promise.since}.\n"
                f"  promised: {promise.text}\n  now:      {present[name]}"
            )
    return Findings(broken, [name for name in present if name not in promised])


def compare_compiled(promised: dict[Name, str], present: dict[Name, str]) -> str | None:
    """What abidiff finds, besides additions, between two libraries of empty functions."""
    if not all(any(kind == "function" for kind, _ in side) for side in (promised, present)):
        return None  # It refuses a library without symbols.
    with tempfile.TemporaryDirectory() as folder:
        for side, declarations in [("promised", promised), ("present", present)]:
            compile_stub(declarations, Path(folder, f"{side}.so"))
        command = ["abidiff", "--no-added-syms", "promised.so", "present.so"]
        done = subprocess.run(command, cwd=folder, text=True, check=False, stdout=subprocess.PIPE)
    return done.stdout if done.returncode else None


def compile_stub(declarations: dict[Name, str], output: Path) -> None:
    types = [f"{text};" for (kind, _), text in declarations.items() if kind == "type"]
    functions = [
        f"{text} {{ __builtin_trap(); }}"
        for (kind, _), text in declarations.items()
        if kind == "function"
    ]
    includes = [f"#include <{name}>" for name in SYSTEM_HEADERS]
    source = "\n".join(includes + types + functions) + "\n"
    flags = ["-std=c99", "-g", "-shared", "-fPIC", "-Wl,-soname,stub"]
    command = [*CC, *flags, "-x", "c", "-", "-o", str(output)]
    subprocess.run(command, input=source, text=True, check=True)


def compare_library(library: Path, present: dict[Name, str]) -> list[str]:
    command = ["nm", "--dynamic", "--defined-only", str(library)]
    listed = subprocess.run(command, text=True, check=True, stdout=subprocess.PIPE).stdout
    exported = {line.split()[-1] for line in listed.splitlines()}
    functions = {name for kind, name in present if kind == "function"}
    return [f"{library} does not export {name}." for name in sorted(functions - exported)] + [
        f"{library} exports {name}, which is not in the header."
        for name in sorted(exported - functions)
    ]


def main(command_line: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("header", type=Path)
    parser.add_argument("listing", type=Path)
    parser.add_argument("--library", type=Path)
    parser.add_argument("--freeze", action="store_true")
    arguments = parser.parse_args(command_line)

    promised, present = read_listing(arguments.listing), read_header(arguments.header)
    broken, added = compare(promised, present)
    if shutil.which("abidiff"):
        texts = {name: promise.text for name, promise in promised.items()}
        seen = compare_compiled(texts, present)
        broken += [f"abidiff sees a change:\n{seen}"] if seen else []
    if arguments.library:
        broken += compare_library(arguments.library, present)
    for message in broken:
        print(f"error: {message}", file=sys.stderr)
    for name in added:
        print(f"added: {' '.join(name)} {present[name]}")
    if arguments.freeze and not broken:
        freeze(arguments.listing, promised, present, header_version(arguments.header))
    print(f"{len(promised)} promises, {len(broken)} broken; {len(added)} additions")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
