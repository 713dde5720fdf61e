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
import shutil
import subprocess
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
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout and process.stderr
            limit = threading.Timer(_LONGEST_START, process.kill)
            limit.start()
            line = process.stdout.readline()
            limit.cancel()
            if not line.startswith(_ANNOUNCEMENT):
                process.kill()  # What still runs would be waited for.
                raise RuntimeError(f"{command[0]} did not start. It said: {process.stderr.read().strip()}")
            yield Sandbox(line[len(_ANNOUNCEMENT) :].strip())
        finally:
            process.kill()


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
        for variable in ["APIVIDEO_CA_FILE", "APIVIDEO_STORE"]:
            monkeypatch.delenv(variable, raising=False)
        return sandbox
