"""The sandbox, and a few helpers."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any, TypeVar

from libapivideo import testing

T = TypeVar("T")

KEY = "sandbox-key"
ROOT = Path(__file__).resolve().parents[3]

SANDBOX = os.environ.get("APIVIDEO_SANDBOX", str(ROOT / "target" / "release" / "apivideo-sandbox"))


class Sandbox(testing.Sandbox):
    """A local api.video, and its controls."""

    def __init__(self, url: str, ca_file: str | None = None) -> None:
        super().__init__(url)
        self.url = url
        self.ca_file = ca_file

    def settings(self, **values: Any) -> None:
        self.control("settings", values)

    def fault(self, kind: str, on: str = "any", times: int = 1, skip: int = 0, **fields: Any) -> None:
        self.control("faults", {"on": on, "times": times, "skip": skip, "fault": {"kind": kind, **fields}})

    def clear_faults(self) -> None:
        self.control("faults", method="DELETE")

    def outage(self, seconds: float, mode: str = "503") -> None:
        self.control("outage", {"seconds": seconds, "mode": mode})

    def revoke(self, what: str) -> None:
        self.control("revoke", {"what": what})

    def counters(self) -> Any:
        return self.control("counters")

    def log(self) -> Any:
        return self.control("log")

    def auth_requests(self) -> int:
        return sum(entry["path"].startswith("/auth/") for entry in self.log())

    def status_of(self, authorization: str) -> int:
        """What `GET /videos` says to this header."""
        request = urllib.request.Request(f"{self.url}/videos", headers={"Authorization": authorization})
        try:
            with _opener.open(request, timeout=10) as reply:
                return int(reply.status)
        except urllib.error.HTTPError as error:
            error.close()
            return error.code


_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def start_sandbox(folder: Path, *options: str) -> tuple[subprocess.Popen[bytes], str]:
    ready = folder / "url"
    process = subprocess.Popen(
        [SANDBOX, "--ready-file", str(ready), "--exit-with-parent", *options],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
    )
    wait_until(lambda: ready.exists() or process.poll() is not None, "the sandbox starts")
    assert process.poll() is None, "the sandbox did not start"
    return process, ready.read_text().strip()


def wait_until(condition: Callable[[], object], what: str, seconds: float = 30) -> None:
    """Looks until something is so. Time only ends a test that fails."""
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, f"waited {seconds} s in vain until {what}"
        time.sleep(0.005)


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """Runs a coroutine, with asyncio's checks on."""
    return asyncio.run(coroutine, debug=True)


def python(
    program: str, *arguments: str, flags: Sequence[str] = (), **options: Any
) -> subprocess.CompletedProcess[str]:
    """Runs a program in a Python of its own."""
    return subprocess.run(
        [sys.executable, "-W", "error", *flags, "-c", program, *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        **options,
    )


DEADLINE = 20.0
"""Seconds until a child counts as hung."""


def in_child(function: Callable[[], int]) -> int:
    """What `function` returns in a forked child, as its exit code. A child that hangs is killed."""
    pid = os.fork()
    if pid == 0:
        code = 99
        try:
            code = function()
        except BaseException:
            import traceback

            traceback.print_exc()
        finally:
            os._exit(code)
    until = time.monotonic() + DEADLINE
    while True:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() > until:
            os.kill(pid, signal.SIGKILL)
        time.sleep(0.001)
