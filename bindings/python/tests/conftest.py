"""What every test uses."""

from __future__ import annotations

import gc
import os
import tempfile
from collections.abc import Generator, Iterator
from pathlib import Path

import libapivideo
import pytest
from libapivideo import _core
from support import KEY, Sandbox, start_sandbox


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """In CI a test that cannot run is a failure."""
    report = yield
    if report.skipped and os.environ.get("CI") == "true":
        report.outcome = "failed"
        report.longrepr = f"skipped, which is a failure in CI: {report.longreprtext}"
    return report


@pytest.fixture(scope="session")
def _plain() -> Iterator[Sandbox]:
    given = os.environ.get("APIVIDEO_TEST_URL")
    if given:
        yield Sandbox(given.rstrip("/"))
        return
    with tempfile.TemporaryDirectory() as folder:
        process, url = start_sandbox(Path(folder))
        with process:
            yield Sandbox(url)
            process.kill()


@pytest.fixture(scope="session")
def tls_sandbox() -> Iterator[Sandbox]:
    with tempfile.TemporaryDirectory() as folder:
        ca_file = Path(folder, "ca.pem")
        process, url = start_sandbox(Path(folder), "--tls", "--ca-file", str(ca_file))
        with process:
            yield Sandbox(url, str(ca_file))
            process.kill()


@pytest.fixture
def sandbox(_plain: Sandbox) -> Sandbox:
    _plain.reset()
    return _plain


@pytest.fixture
def client(sandbox: Sandbox) -> Iterator[libapivideo.Client]:
    with libapivideo.Client(KEY, base_url=sandbox.url) as client:
        yield client


@pytest.fixture(autouse=True)
def _nothing_left_behind() -> Iterator[None]:
    yield
    gc.collect()
    assert not _core._awaited, "a completion callback was not called"
