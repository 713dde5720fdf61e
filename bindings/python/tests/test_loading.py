"""Finding the shared library, and saying in words why it is not."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import libapivideo
import pytest
from libapivideo import _abi
from support import KEY, Sandbox, python


def importing(path: object) -> str:
    """What importing says, with LIBAPIVIDEO_PATH set to this."""
    result = python("import libapivideo", env={**os.environ, "LIBAPIVIDEO_PATH": str(path)})
    assert result.returncode == 1
    last = result.stderr.strip().splitlines()[-1]
    assert last.startswith("ImportError: ") and str(path) in last
    return last


def compiled(tmp_path: Path, source: str) -> Path:
    compiler = shutil.which("cc")
    if not compiler:
        pytest.skip("there is no C compiler")
    path = tmp_path / "libapivideo.so"
    (tmp_path / "other.c").write_text(source)
    subprocess.run([compiler, "-shared", "-fPIC", "-o", path, tmp_path / "other.c"], check=True)
    return path


def test_a_library_that_is_not_there(tmp_path: Path) -> None:
    assert "LIBAPIVIDEO_PATH names" in importing(tmp_path / "nowhere.so") and "no such file" in importing(tmp_path)


def test_a_file_that_is_no_library(tmp_path: Path) -> None:
    path = tmp_path / "libapivideo.so"
    path.write_text("not a library")
    assert "the system cannot load it" in importing(path)


def test_a_library_that_is_another(tmp_path: Path) -> None:
    assert "has no function apivideo_version" in importing(compiled(tmp_path, "int x;"))


def test_a_library_with_another_abi(tmp_path: Path) -> None:
    source = 'const char *apivideo_version(void) { return "9.8.7"; } unsigned apivideo_abi_version(void) { return 99; }'
    said = importing(compiled(tmp_path, source))
    assert "is libapivideo 9.8.7 with ABI 99, and this package needs ABI 1" in said


def test_a_library_that_lacks_a_function(tmp_path: Path) -> None:
    source = 'const char *apivideo_version(void) { return "0"; } unsigned apivideo_abi_version(void) { return 1; }'
    assert "has no function apivideo_client_new: it is not libapivideo, or an older one" in importing(compiled(tmp_path, source))


def test_the_library_can_be_elsewhere(tmp_path: Path, sandbox: Sandbox) -> None:
    path = tmp_path / _abi.FILE_NAME
    shutil.copy(_abi.library_path(), path)
    other = tmp_path / "folder" / "other.so"
    other.parent.mkdir()
    shutil.copy(path, other)
    program = "import libapivideo, sys; libapivideo.Client(sys.argv[1], base_url=sys.argv[2]).get_token(); print(libapivideo._abi.library_path())"
    for chosen in (path, tmp_path):
        result = python(program, KEY, sandbox.url, env={**os.environ, "LIBAPIVIDEO_PATH": str(chosen)})
        assert (result.returncode, result.stdout.strip()) == (0, str(path)), result.stderr
    relative = python(program, KEY, sandbox.url, env={**os.environ, "LIBAPIVIDEO_PATH": "other.so"}, cwd=other.parent)
    assert (relative.returncode, relative.stdout.strip()) == (0, str(other)), relative.stderr


SUBINTERPRETER = """
import sys
try:
    import _interpreters as interpreters
except ImportError:
    import _xxsubinterpreters as interpreters
kind = sys.argv[1]
if sys.version_info >= (3, 13):
    one = interpreters.create(kind)
elif sys.version_info >= (3, 9) and kind == "legacy":
    one = interpreters.create(isolated=False)
else:
    one = interpreters.create()
program = "import libapivideo"
why = None
try:
    why = interpreters.run_string(one, program)
except Exception as error:
    print(error)
if why is not None:
    print(why.type.__name__, why.msg)
import libapivideo
print("fine in the main one", libapivideo.library_version())
"""


@pytest.mark.parametrize("kind", ["isolated", "legacy"])
def test_a_subinterpreter_is_refused(kind: str) -> None:
    """The library's threads would call Python in the main interpreter, with the objects of another:
    a crash, sooner or later.
    """
    result = python(SUBINTERPRETER, kind)
    assert result.returncode == 0, result.stderr
    assert "ImportError" in result.stdout and "libapivideo works in the main interpreter only" in result.stdout
    assert "fine in the main one" in result.stdout


def test_help_reads_well() -> None:
    result = python("import libapivideo; help(libapivideo)")
    assert result.returncode == 0, result.stderr
    for text in ("class Client", "Raises", "authorization(self)", "class KeyRejectedError", "seconds", "min_validity"):
        assert text in result.stdout
    assert "class libapivideo._" not in result.stdout


def test_everything_public_is_documented() -> None:
    for name in libapivideo.__all__:
        thing = getattr(libapivideo, name)
        if isinstance(thing, type) or callable(thing):
            assert thing.__doc__, name
    for kind in (libapivideo.Client, libapivideo.AsyncClient, libapivideo.Token):
        for name in dir(kind):
            if not name.startswith("_"):
                documented = getattr(kind, name).__doc__ or dict(kind.__slots__).get(name)
                assert documented, f"{kind.__name__}.{name}"
