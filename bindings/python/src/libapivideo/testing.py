"""A local api.video for the tests of programs that use this package.

    pytest_plugins = ["libapivideo.testing"]    # in conftest.py

    def test_a_program(apivideo_sandbox):
        client = libapivideo.Client()           # the environment leads to the sandbox
        assert apivideo_sandbox.control("counters")["api_key"]["requests"] == 0

Without pytest, `with libapivideo.testing.start() as sandbox:` starts one.

It is a process of the program apivideo-sandbox, which is looked for where APIVIDEO_SANDBOX of the
environment says, beside this package, and on PATH. `make sandbox` builds it, and an archive of
libapivideo has it in bin/.
"""

from __future__ import annotations

import json
import os
import queue
import shutil
import subprocess
import tempfile
import threading
import urllib.request
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

__all__ = ["Sandbox", "start"]

_PROGRAM = "apivideo-sandbox"
_LONGEST_START = 30.0
_ANNOUNCEMENT = f"{_PROGRAM} listening on "
_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Sandbox:
    """A sandbox that runs.

    base_url: its URL, such as "http://127.0.0.1:43210".
    api_key: the key that it accepts, unless it was started with another one.
    """

    api_key = "sandbox-key"

    def __init__(self, base_url: str) -> None:
        self.base_url = base_url

    def control(self, path: str, body: object = None, method: str | None = None) -> Any:
        """Sends a request below `/_sandbox/`, and gives the reply.

        `control("outage", {"seconds": 5})` lets every request fail for a while. The sandbox's own
        documentation lists what there is: faults, outages, the clock, the log, counters.
        """
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.base_url}/_sandbox/{path}", data=data, method=method)
        with _opener.open(request, timeout=10) as reply:
            text = reply.read()
        return json.loads(text) if text else None

    def reset(self) -> None:
        """Makes everything as it was at the start."""
        self.control("reset", method="POST")


@contextmanager
def start(*options: str) -> Generator[Sandbox, None, None]:
    """Starts a sandbox, which ends with the block, and with this process in any case.

    options: those of the program, such as "--expires-in", "5".

    Raises FileNotFoundError if there is no such program, and RuntimeError if it ends at once, or
    does not listen within 30 seconds.
    """
    command = [_program(), "--exit-with-parent", *options]
    pipe = subprocess.PIPE
    # A file takes all that the program has to say, whether or not somebody reads it.
    with tempfile.TemporaryFile("w+", errors="replace") as complaints:
        process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=complaints, text=True, errors="replace")
        try:
            line = _first_line(process)
            if not line.startswith(_ANNOUNCEMENT):
                _end(process)
                complaints.seek(0)
                raise RuntimeError(f"{command[0]} did not start. It said: {complaints.read().strip()}")
            yield Sandbox(line[len(_ANNOUNCEMENT) :].strip())
        finally:
            _end(process)


def _first_line(process: subprocess.Popen[str]) -> str:
    """Gives what the program says first, or "" if it says nothing within the limit.

    What it says later is dropped, so that it never waits for a reader.
    """
    first: queue.SimpleQueue[str] = queue.SimpleQueue()

    def read() -> None:
        assert process.stdout
        with process.stdout as lines:
            first.put(lines.readline())
            for _ in lines:
                pass

    threading.Thread(target=read, daemon=True).start()
    try:
        return first.get(timeout=_LONGEST_START)
    except queue.Empty:
        return ""


def _end(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.wait()
    if process.stdin:
        process.stdin.close()


def _program() -> str:
    named = os.environ.get("APIVIDEO_SANDBOX")
    beside = shutil.which(_PROGRAM, path=os.path.dirname(os.path.abspath(__file__)))
    found = named or beside or shutil.which(_PROGRAM)
    if not found:
        raise FileNotFoundError(
            f"{_PROGRAM} is not on PATH. It is in bin/ of libapivideo's archives, and `make sandbox` in its repository builds it;"
            " or set APIVIDEO_SANDBOX to its path."
        )
    if not os.path.exists(found):
        raise FileNotFoundError(f"APIVIDEO_SANDBOX of the environment names {found}, which is not there.")
    return found


try:
    import pytest
except ImportError:  # Then there is nobody to use the fixture.
    pass
else:
    __all__ += ["apivideo_sandbox"]

    @pytest.fixture(scope="session")
    def _apivideo_sandbox_process() -> Generator[Sandbox, None, None]:
        with start() as sandbox:
            yield sandbox

    @pytest.fixture
    def apivideo_sandbox(_apivideo_sandbox_process: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Sandbox:
        """A sandbox like new, and an environment that leads clients without arguments there."""
        sandbox = _apivideo_sandbox_process
        sandbox.reset()
        monkeypatch.setenv("APIVIDEO_API_KEY", sandbox.api_key)
        monkeypatch.setenv("APIVIDEO_BASE_URL", sandbox.base_url)
        for name in ("APIVIDEO_CA_FILE", "APIVIDEO_ENVIRONMENT", "APIVIDEO_STORE"):
            monkeypatch.delenv(name, raising=False)
        return sandbox
