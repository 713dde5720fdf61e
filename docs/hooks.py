"""Adds what is not in docs/: pages that are kept elsewhere, files that are linked, references."""

from __future__ import annotations

import posixpath
import re
import sys
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

sys.path.insert(0, str(Path(__file__).parent))
import reference  # noqa: E402

ROOT = Path(__file__).parent.parent
RUSTDOC = ROOT / "target" / "doc"

# Files of the repository that are pages of the site.
PAGES = {
    "README.md": "index.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "benches/README.md": "benchmarks.md",
    "bindings/dotnet/README.md": "dotnet.md",
    "bindings/python/README.md": "python.md",
    "examples/README.md": "examples.md",
    "tests/sandbox/README.md": "sandbox.md",
}
ORIGINS = {page: file for file, page in PAGES.items()}

LINK = re.compile(r"(?<=\]\()(?![a-z]+:|#)([^)\s#]+)(#[^)\s]*)?(?=\))")
FENCE = re.compile(r"^```.*?^```$", re.M | re.S)
# A line that is nothing but a link to a program: the site shows the program.
PROGRAM = re.compile(r"^\[[^\]]+\]\((\S+\.(?:c|cpp|py|cs))\)$", re.M)
PICTURE = re.compile(r"^!\[([^\]]*)\]\((\S+\.svg)\)$", re.M)
# README's programs side by side.
COLUMNS = re.compile(r"^<table>$.*?^</table>$", re.M | re.S)
LANGUAGES = {".h": "c", ".hpp": "cpp", ".py": "python", ".cs": "csharp", ".rs": "rust", ".sh": "sh", ".toml": "toml"}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    for file, page in PAGES.items():
        # The first page has nothing beside it in its part of the site.
        options = "---\nhide: [navigation]\n---\n\n" if page == "index.md" else ""
        files.append(File.generated(config, page, content=options + (ROOT / file).read_text()))
    for page, make in reference.PAGES.items():
        files.append(File.generated(config, page, content=make()))
    for file in sorted(linked_sources(files)):
        files.append(File.generated(config, source_page(file), content=source(file)))
    for path in RUSTDOC.rglob("*"):
        if path.is_file() and not path.name.startswith("."):
            name = f"rust/{path.relative_to(RUSTDOC).as_posix()}"
            files.append(File.generated(config, name, abs_src_path=str(path)))
    return files


def linked_sources(files: Files) -> set[str]:
    """The files that pages point to and that are no pages: each link must lead somewhere."""
    found = set()
    for page in files.documentation_pages():
        for link in LINK.finditer(FENCE.sub("", page.content_string)):
            file = target(page.src_uri, link[1])
            if file is not None and file not in PAGES and not file.startswith("docs/"):
                found.add(file)
    return found


def target(page: str, link: str) -> str | None:
    """The file of the repository that a link is about; None for one that the site alone has."""
    origin = ORIGINS.get(page, f"docs/{page}")
    file = posixpath.normpath(posixpath.join(posixpath.dirname(origin), link))
    if (ROOT / file).is_dir():
        file += "/README.md"
    if (ROOT / file).is_file():
        return file
    if file.startswith("docs/"):
        return None
    raise PluginError(f"{origin} points to {link}, which is not there")


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    here = page.file.src_uri
    markdown = PROGRAM.sub(lambda link: program(here, link[1]), markdown)
    markdown = PICTURE.sub(lambda link: picture(here, link[2]), markdown)
    markdown = COLUMNS.sub(columns, markdown)
    parts = re.split(r"(^```.*?^```$)", markdown, flags=re.M | re.S)
    return "".join(part if part.startswith("```") else LINK.sub(lambda link: linked(here, link), part) for part in parts)


def linked(here: str, link: re.Match[str]) -> str:
    file = target(here, link[1])
    if file is None:
        return link[0]
    page = PAGES.get(file) or (file.removeprefix("docs/") if file.startswith("docs/") else source_page(file))
    return posixpath.relpath(page, posixpath.dirname(here) or ".") + (link[2] or "")


def columns(table: re.Match[str]) -> str:
    heads = re.findall(r"<th>(.*?)</th>", table[0])
    cells = re.findall(r"<td>(.*?)</td>", table[0], re.S)
    each = "\n".join(f"<div markdown>\n\n{head}\n{cell}\n</div>" for head, cell in zip(heads, cells))
    return f'<div class="languages" markdown>\n{each}\n</div>'


def source_page(file: str) -> str:
    return f"source/{file}.md"


def fenced(file: str, options: str = "") -> str:
    language = LANGUAGES.get(Path(file).suffix, Path(file).suffix[1:] or "text")
    return f"````{language}{options}\n{(ROOT / file).read_text().rstrip()}\n````"


def source(file: str) -> str:
    """A page for a file: to be read, not to be found by the search."""
    return f"---\nsearch:\n  exclude: true\nhide: [toc]\n---\n\n# {file}\n\n{fenced(file)}\n"


def program(here: str, link: str) -> str:
    file = target(here, link)
    assert file is not None
    return fenced(file, f' title="{file}"')


def picture(here: str, link: str) -> str:
    """A picture as a part of the page, so that it is light or dark with it."""
    file = target(here, link)
    assert file is not None
    drawn = ROOT / "target" / "docs" / "pictures" / Path(file).name
    svg = (drawn if drawn.exists() else ROOT / file).read_text().strip()
    return f'<figure class="picture">{svg}</figure>'
