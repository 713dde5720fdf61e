"""`libapivideo.testing`, as the tests of a program use it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import libapivideo
import pytest
from libapivideo import testing
from support import SANDBOX, wait_until

CONFTEST = 'pytest_plugins = ["libapivideo.testing"]'
TESTS = """
import os

import libapivideo

def test_one(apivideo_sandbox):
    apivideo_sandbox.control("settings", {"expires_in": 60})
    assert libapivideo.Client().get_token().lifetime.total_seconds() == 60

def test_another_has_it_like_new(apivideo_sandbox):
    assert apivideo_sandbox.control("counters")["api_key"]["requests"] == 0
    client = libapivideo.Client(apivideo_sandbox.api_key, base_url=apivideo_sandbox.base_url)
    assert client.get_token().lifetime.total_seconds() == 3600

def test_a_developers_own_settings_do_not_count(apivideo_sandbox):
    assert not {"APIVIDEO_CA_FILE", "APIVIDEO_ENVIRONMENT"} & set(os.environ)
"""


def test_the_fixture(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(CONFTEST)
    (tmp_path / "test_program.py").write_text(TESTS)
    result = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)],
        env={**os.environ, "APIVIDEO_SANDBOX": SANDBOX, "APIVIDEO_CA_FILE": "/mine.pem", "APIVIDEO_ENVIRONMENT": "sandbox"},
        capture_output=True,
        text=True,
        timeout=60,
        cwd=tmp_path,
    )
    assert result.returncode == 0 and "3 passed" in result.stdout, result.stdout + result.stderr


def test_the_program_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APIVIDEO_SANDBOX", SANDBOX)
    with testing.start("--expires-in", "60") as sandbox:
        with libapivideo.Client(sandbox.api_key, base_url=sandbox.base_url) as client:
            assert client.get_token().lifetime.total_seconds() == 60
            end = client.authenticate
    with pytest.raises(libapivideo.ClosedError):
        end()
    monkeypatch.delenv("APIVIDEO_SANDBOX")
    monkeypatch.setenv("PATH", os.path.dirname(SANDBOX))
    with testing.start():
        pass


def test_it_ends_with_the_block(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APIVIDEO_SANDBOX", SANDBOX)
    with testing.start() as sandbox:
        client = libapivideo.Client(sandbox.api_key, base_url=sandbox.base_url)
        client.get_token()

    def is_gone() -> bool:
        try:
            client.authenticate()
        except libapivideo.NetworkError:
            return True
        return False

    wait_until(is_gone, "nobody answers there")


def test_a_program_that_is_missing_is_said_where_to_get(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APIVIDEO_SANDBOX", "/no/such/program")
    with pytest.raises(FileNotFoundError, match="names /no/such/program"), testing.start():
        pass
    monkeypatch.delenv("APIVIDEO_SANDBOX")
    monkeypatch.setenv("PATH", "")
    with pytest.raises(FileNotFoundError, match="`make sandbox`"), testing.start():
        pass


def test_what_keeps_it_from_starting_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APIVIDEO_SANDBOX", SANDBOX)
    with pytest.raises(RuntimeError, match="--nonsense"), testing.start("--nonsense"):
        pass


@pytest.fixture
def other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Makes a shell script the program that is started."""
    program = tmp_path / "other"
    monkeypatch.setenv("APIVIDEO_SANDBOX", str(program))

    def write(script: str) -> None:
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)

    return write


# Its child holds the pipes, and outlives it.
@pytest.mark.parametrize("script", ["echo hello; exec sleep 100", "sleep 100 & echo hello; wait"])
def test_a_program_that_says_something_else_is_not_waited_for(script: str, other: Callable[[str], None]) -> None:
    other(f"echo why >&2; {script}")
    started = time.monotonic()
    with pytest.raises(RuntimeError, match="did not start. It said: why"), testing.start():
        pass
    assert time.monotonic() - started < 50


def test_nor_is_one_that_says_nothing(other: Callable[[str], None], monkeypatch: pytest.MonkeyPatch) -> None:
    other("exec sleep 100")
    monkeypatch.setattr(testing, "_LONGEST_START", 0.1)
    with pytest.raises(RuntimeError, match="did not start"), testing.start():
        pass


def test_it_never_waits_for_a_reader(other: Callable[[str], None], tmp_path: Path) -> None:
    much = "head -c 1000000 /dev/zero | tr '\\0' '\\n'"
    other(f"echo apivideo-sandbox listening on http://127.0.0.1:1; {much}; {much} >&2; echo >{tmp_path}/through; exec cat")
    with testing.start():
        wait_until((tmp_path / "through").exists, "all is said")
