"""The C, C++ and .NET references: the comments in the code, by way of Doxygen's XML."""

from __future__ import annotations

import re
import subprocess
import xml.etree.ElementTree as xml
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parent.parent
WORK = ROOT / "target" / "docs" / "doxygen"

DOXYFILE = """
QUIET=YES
WARN_IF_UNDOCUMENTED=NO
WARN_AS_ERROR=YES
EXTRACT_ALL=YES
GENERATE_HTML=NO
GENERATE_LATEX=NO
GENERATE_XML=YES
XML_PROGRAMLISTING=NO
INPUT="{input}"
OUTPUT_DIRECTORY="{output}"
{options}
"""


@dataclass
class Entry:
    """A heading of the reference: a type or a member, with its overloads."""

    name: str
    anchor: str
    code: list[str] = field(default_factory=list)
    text: list[str] = field(default_factory=list)
    # Where links to its overloads lead.
    also: list[str] = field(default_factory=list)


def doxygen(name: str, inputs: list[Path], options: str) -> list[xml.Element]:
    """Runs Doxygen, and gives each file, namespace and class that it found."""
    output = WORK / name
    output.mkdir(parents=True, exist_ok=True)
    for old in output.glob("xml/*.xml"):
        old.unlink()
    doxyfile = DOXYFILE.format(input='" "'.join(map(str, inputs)), output=output, options=options)
    subprocess.run(["doxygen", "-"], input=doxyfile, text=True, check=True, cwd=ROOT)
    index = xml.parse(output / "xml" / "index.xml").getroot()
    kinds = ("file", "namespace", "class", "struct")
    files = [each.get("refid") for each in index if each.get("kind") in kinds]
    found = [xml.parse(output / "xml" / f"{file}.xml").getroot()[0] for file in files]
    return [each for each in found if each.get("prot") in (None, "public")]


def members(compound: xml.Element) -> list[xml.Element]:
    """The public ones, as the code has them."""
    found = [each for each in compound.iter("memberdef") if each.get("prot") == "public"]
    return sorted(found, key=lambda member: int(member.find("location").get("line")))  # type: ignore[union-attr,arg-type]


# --- Text ---


class Writer:
    """Turns Doxygen's text into Markdown, with links from name to name."""

    def __init__(self, anchors: dict[str, str], statuses: list[str] | None = None) -> None:
        self.anchors = anchors
        names = "|".join(sorted(statuses or [], key=len, reverse=True))
        self.statuses = re.compile(rf"\b({names})\b") if names else None

    def words(self, text: str | None) -> str:
        """Running text: nothing in it is markup."""
        plain = re.sub(r"\s+", " ", text or "")
        escaped = re.sub(r"([\\`*_<>\[\]|])", r"\\\1", plain)
        if self.statuses is None:
            return escaped
        return self.statuses.sub(r"`\1`", escaped.replace("\\_", "_")).replace("_free", "`_free`")

    def inline(self, node: xml.Element) -> str:
        parts = [self.words(node.text)]
        for child in node:
            parts.append(self.child(child))
            parts.append(self.words(child.tail))
        return "".join(parts)

    def child(self, node: xml.Element) -> str:
        plain = "".join(node.itertext())
        if node.tag == "computeroutput":
            return f"`{plain}`"
        if node.tag == "ref":
            anchor = self.anchors.get(node.get("refid") or "")
            return f"[`{plain}`](#{anchor})" if anchor else f"`{plain}`"
        if node.tag in ("parameterlist", "simplesect", "itemizedlist"):
            return ""
        return self.inline(node)

    def description(self, node: xml.Element) -> list[str]:
        """The paragraphs of what a comment says, and then its parameters and exceptions."""
        paragraphs = []
        for part in ("briefdescription", "detaileddescription"):
            for para in node.findall(f"{part}/para"):
                paragraphs.append(self.inline(para).strip())
        texts = [re.sub(r"^(Errors?|Further errors?):", r"**\1:**", text) for text in paragraphs if text]
        parts = [part for part in node if part.tag.endswith("description")]
        return texts + [text for part in parts for text in self.lists(part)]

    def lists(self, node: xml.Element) -> list[str]:
        found = []
        for items in node.iter("parameterlist"):
            is_param = items.get("kind") == "param"
            found.append("**Parameters:**" if is_param else "**Throws:**")
            lines = []
            for item in items.findall("parameteritem"):
                name = item.find("parameternamelist/parametername")
                told = " ".join(self.inline(p).strip() for p in item.findall("parameterdescription/para"))
                lines.append(f"- {self.named(name)}: {told}")
            found.append("\n".join(lines))
        for section in node.iter("simplesect"):
            told = " ".join(self.inline(p).strip() for p in section.findall("para"))
            found.append(f"**{(section.get('kind') or '').capitalize()}s:** {told}")
        return found

    def named(self, name: xml.Element | None) -> str:
        if name is None:
            return ""
        return self.child(name[0]) if len(name) else f"`{name.text}`"

    def values(self, member: xml.Element) -> str:
        """An enum, as a table."""
        rows = ["| Name | Value | Meaning |", "|---|---|---|"]
        for value in member.findall("enumvalue"):
            number = (value.findtext("initializer") or "").strip("= ")
            told = " ".join(self.description(value))
            rows.append(f"| `{value.findtext('name')}` | `{number}` | {told} |")
        return "\n".join(rows)


def preface(file: Path) -> str:
    """What a header's first comment says of all functions, a paragraph for each matter."""
    comment = file.read_text().split("*/")[0]
    lines = [re.sub(r"^ \* ?", "", line) for line in comment.splitlines()]
    rules = "\n".join(lines).split("\n---", 1)[1].split("\n", 1)[1]
    paragraphs = [" ".join(each.split()) for each in rules.split("\n\n")]
    write = Writer({})
    told = [re.match(r"(\w+)\. (.*)", each) for each in paragraphs]
    return "\n\n".join(f"**{each[1]}.** {write.words(each[2])}" for each in told if each)


def section(heading: str, texts: list[str], entries: list[Entry], language: str) -> list[str]:
    """A part of a page: its heading, what it is about, and its entries."""
    lines = [f"## {heading}", "", *spaced(texts)]
    for entry in entries:
        label = re.split(r"::|\.", entry.name)[-1]
        lines += [f"### {entry.name} {{ #{entry.anchor} data-toc-label='{label}' }}", ""]
        if entry.also:
            lines += ["".join(f'<span id="{anchor}"></span>' for anchor in entry.also), ""]
        if entry.code:
            lines += [f"```{language}", *entry.code, "```", ""]
        lines += spaced(entry.text)
    return lines


def spaced(texts: list[str]) -> list[str]:
    return [line for text in texts for line in (text, "")]


# --- C ---

NOUNS = {
    "config": "Settings",
    "client": "Clients and tokens to be had",
    "token": "A token",
    "request": "Requests",
    "response": "A response",
    "operation": "Waiting in other ways",
    "error": "Errors",
    "statistics": "Counters",
    "callback": "Callbacks",
    "version": "Versions",
}


def noun(name: str) -> str:
    words = name.lower().split("_")[1:]
    if name.endswith("_callback"):
        return "callback"
    if "version" in words:
        return "version"
    special = {"status": "error", "statistic": "statistics", "environment": "config", "log": "config", "webhook": "request"}
    return special.get(words[0], words[0] if words[0] in NOUNS else "client")


def parameters(member: xml.Element) -> list[str]:
    found = []
    for param in member.findall("param"):
        kind = "".join(param.find("type").itertext())  # type: ignore[union-attr]
        found.append(f"{kind} {param.findtext('declname', '')}".strip().replace("* ", "*"))
    return found


def c_code(member: xml.Element) -> list[str]:
    kind, name = member.get("kind"), member.findtext("name") or ""
    returned = "".join(member.find("type").itertext()) if member.find("type") is not None else ""  # type: ignore[union-attr]
    if kind == "function":
        # One parameter a line where they would not fit in one.
        start = f"{returned} {name}(".replace("* ", "*")
        given = parameters(member) or ["void"]
        line = start + ", ".join(given) + ");"
        return [line] if len(line) <= 96 else (start + (",\n" + " " * len(start)).join(given) + ");").splitlines()
    if kind == "define":
        return [f"#define {name} {member.findtext('initializer')}"]
    if kind == "typedef":
        return [f"{member.findtext('definition')}{member.findtext('argsstring') or ''};".replace("(* ", "(*")]
    return []


def c_reference() -> str:
    header = ROOT / "include" / "apivideo.h"
    (file,) = doxygen("c", [header], "OPTIMIZE_OUTPUT_FOR_C=YES")
    enums = {each.findtext("name") for each in members(file) if each.get("kind") == "enum"}
    # The typedefs beside the enums, and the macros that are not the library's, say nothing.
    found = [
        each
        for each in members(file)
        if not (each.get("kind") == "typedef" and each.findtext("name") in enums)
        and (each.findtext("name") or "").lower().startswith("apivideo_")
    ]
    anchors = {each.get("id") or "": each.findtext("name") or "" for each in members(file)}
    statuses = [name.removeprefix("APIVIDEO_STATUS_") for name in re.findall(r"APIVIDEO_STATUS_\w+", header.read_text())]
    write = Writer(anchors, sorted(set(statuses) - {"OK"}))
    sections: dict[str, list[Entry]] = {each: [] for each in NOUNS}
    for member in found:
        name = member.findtext("name") or ""
        text = write.description(member)
        if member.get("kind") == "enum":
            text.append(write.values(member))
        sections[noun(name)].append(Entry(name, name, c_code(member), text))
    intro = (
        "What [include/apivideo.h](../../include/apivideo.h) says, function by function. Link with `pkg-config --libs apivideo`.\n\n"
        "## What holds for every function\n\n" + preface(header)
    )
    lines = ["# C reference", "", intro, ""]
    for each, entries in sections.items():
        lines += section(NOUNS[each], [], entries, "c")
    return "\n".join(lines)


# --- C++ and .NET: classes ---


def signature(member: xml.Element, owner: str, language: str) -> str:
    definition = (member.findtext("definition") or "") + (member.findtext("argsstring") or "")
    code = re.sub(rf"\b{re.escape(owner)}(::|\.)", "", definition)
    code = re.sub(r"\b(apivideo::|LibApiVideo\.)(?=\w)", "", code)
    code = code.replace("< ", "<").replace(" >", ">").replace("  ", " ")
    code = re.sub(r"(\w)=(\w)", r"\1 = \2", code)
    if language == "cpp":
        code = re.sub(r"\s*(&&?|\*)\s*(?=\w)", r"\1 ", code)
        prefix = "static " if member.get("static") == "yes" and not code.startswith("static") else ""
        explicit = "explicit " if member.get("explicit") == "yes" and "explicit" not in code else ""
        return f"{prefix}{explicit}{code};"
    if member.get("kind") == "property":
        accessors = [each for each, there in (("get;", member.get("gettable")), ("set;", member.get("settable"))) if there == "yes"]
        return f"{code.split(' =>')[0]} {{ {' '.join(accessors)} }}"
    return code + ";"


def entries_of(compound: xml.Element, owner: str, write: Writer, language: str, anchors: dict[str, str]) -> list[Entry]:
    """The members; what a comment calls the same as above stands below one heading with it."""
    entries: list[Entry] = []
    for member in members(compound):
        if member.get("kind") in ("friend", "variable") and language == "cpp":
            continue
        name = member.findtext("name") or ""
        short = owner.split("::")[-1].split(".")[-1]
        title = name if compound.get("kind") == "namespace" else f"{short}::{name}" if language == "cpp" else f"{short}.{name}"
        text = write.description(member)
        if member.get("kind") == "enum":
            text.append(write.values(member))
            entries.append(Entry(title, anchors[member.get("id") or ""], [], text))
            continue
        code = signature(member, owner, language)
        if entries and (entries[-1].name == title or (text and text[0].startswith("As above"))):
            entries[-1].code.append(code)
            entries[-1].also.append(anchors[member.get("id") or ""])
            entries[-1].text += [each for each in text if not each.startswith("As above")]
        else:
            entries.append(Entry(title, anchors[member.get("id") or ""], [code], text))
    return entries


def anchors_of(compounds: list[xml.Element]) -> dict[str, str]:
    anchors: dict[str, str] = {}
    taken: set[str] = set()
    for compound in compounds:
        name = (compound.findtext("compoundname") or "").replace("::", ".")
        anchors[compound.get("id") or ""] = slug(name)
        for member in members(compound):
            anchor = slug(f"{name}.{member.findtext('name')}")
            while anchor in taken:
                anchor += "-more"
            taken.add(anchor)
            anchors[member.get("id") or ""] = anchor
    return anchors


def slug(name: str) -> str:
    return re.sub(r"[^\w.]+", "-", name).strip("-").lower()


def class_reference(
    compounds: list[xml.Element], namespaces: list[str], title: str, intro: str, language: str
) -> str:
    anchors = anchors_of(compounds)
    write = Writer(anchors)
    classes, loose = [], []
    for compound in compounds:
        name = compound.findtext("compoundname") or ""
        if compound.get("kind") == "namespace":
            if name in namespaces:
                loose += entries_of(compound, name.replace("::", "." if language == "csharp" else "::"), write, language, anchors)
        elif compound.get("kind") in ("class", "struct") and compound.find("location") is not None:
            owner = name if language == "cpp" else name.replace("::", ".")
            short = re.sub(r"^(apivideo|LibApiVideo|Microsoft\.Extensions\.DependencyInjection)(::|\.)", "", owner)
            head = Entry("", anchors[compound.get("id") or ""], [], write.description(compound))
            classes.append((short, head, entries_of(compound, owner, write, language, anchors)))
    lines = [f"# {title}", "", intro, ""]
    for short, head, entries in sorted(classes, key=lambda each: each[0].lower()):
        lines += section(f"{short} {{ #{head.anchor} }}", head.text, entries, language)
    return "\n".join(lines + section("Enums and functions" if language == "cpp" else "Enums", [], loose, language))


def cpp_reference() -> str:
    header = ROOT / "include" / "apivideo.hpp"
    compounds = doxygen("cpp", [header], "EXCLUDE_SYMBOLS=apivideo::detail apivideo::detail::*\nPREDEFINED=__cpp_exceptions")
    intro = (
        "What [include/apivideo.hpp](../../include/apivideo.hpp) says: `apivideo.h` with owners, exceptions and `std::future`, for C++17 and "
        "later. Every call that throws has a `try_` form beside it that does not.\n\n"
        "## What holds for everything here\n\n" + preface(header)
    )
    return class_reference(compounds, ["apivideo"], "C++ reference", intro, "cpp")


def dotnet_reference() -> str:
    sources = ROOT / "bindings" / "dotnet" / "src"
    projects = ("LibApiVideo", "LibApiVideo.Extensions.Http")
    files = [file for project in projects for file in sorted((sources / project).glob("*.cs"))]
    compounds = doxygen("dotnet", files, "OPTIMIZE_OUTPUT_JAVA=YES\nPREDEFINED=NETCOREAPP")
    intro = "What the packages [LibApiVideo](../../bindings/dotnet/README.md) and LibApiVideo.Extensions.Http say in IntelliSense."
    return class_reference(compounds, ["LibApiVideo"], ".NET reference", intro, "csharp")


PAGES = {"reference/c.md": c_reference, "reference/cpp.md": cpp_reference, "reference/dotnet.md": dotnet_reference}
