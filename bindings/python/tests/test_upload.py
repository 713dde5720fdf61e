"""`upload`: files and what a program reads, on their way to a video."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import io
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import libapivideo
import pytest
import trio
from libapivideo import _progress, _upload
from support import KEY, Sandbox, python, run, wait_until

C = 5 * 1024 * 1024
CONTENT = os.urandom(2 * C + 1000)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "Harbour at dawn é.mp4"
    path.write_bytes(CONTENT)
    return path


@pytest.fixture(autouse=True)
def _nobody_is_told_any_more() -> Iterator[None]:
    yield
    assert not _upload._tellers


class Camera(io.RawIOBase):
    """Gives bytes, and does not say how many."""

    def __init__(self, content: bytes) -> None:
        self._content = io.BytesIO(content)

    def readable(self) -> bool:
        return True

    def readinto(self, into: Any) -> int:
        return self._content.readinto(into)


def new_video(client: libapivideo.Client) -> str:
    return str(client.request("POST", "/videos", json={"title": "A video"}).json()["videoId"])


def check(sandbox: Sandbox, video_id: str) -> None:
    video = sandbox.control(f"videos/{video_id}")
    assert (video["complete"], video["length"]) == (True, len(CONTENT))
    assert video["sha256"] == hashlib.sha256(CONTENT).hexdigest()


def uploads(sandbox: Sandbox) -> list[Any]:
    return [entry for entry in sandbox.log() if entry["path"].endswith(("/source", "/upload"))]


@contextlib.contextmanager
def running(program: str, *arguments: str, stdin: Any = None) -> Iterator[subprocess.Popen[bytes]]:
    """A Python of its own, which is killed at the end."""
    with subprocess.Popen([sys.executable, "-c", program, *arguments], stdin=stdin) as process:
        try:
            yield process
        finally:
            process.kill()


def test_a_path_and_whatever_can_be_read(client: libapivideo.Client, sandbox: Sandbox, path: Path) -> None:
    with open(path, "rb") as buffered, open(path, "rb", buffering=0) as raw:
        sources: list[Any] = [str(path), path, buffered, raw, io.BytesIO(CONTENT), Camera(CONTENT)]
        for source in sources:
            video_id = new_video(client)
            response = client.upload(source, video_id=video_id, chunk_size=C)
            assert (response.http_status, response.json()["videoId"]) == (201, video_id)
            check(sandbox, video_id)


def test_what_is_left_of_a_file_is_sent(client: libapivideo.Client, sandbox: Sandbox, path: Path) -> None:
    with open(path, "rb") as file:
        file.seek(C)
        video_id = new_video(client)
        client.upload(file, video_id=video_id)
        assert sandbox.control(f"videos/{video_id}")["length"] == len(CONTENT) - C
        with pytest.raises(libapivideo.InvalidArgumentError, match="nothing left"):
            client.upload(file, video_id=video_id)


def test_a_block_may_be_whatever_has_bytes(client: libapivideo.Client, sandbox: Sandbox) -> None:
    blocks: list[Any] = [memoryview(CONTENT[:4000]).cast("I"), bytearray(CONTENT[4000:5000]), CONTENT[5000:], b""]
    source = SimpleNamespace(read=lambda size: blocks.pop(0))
    video_id = new_video(client)
    client.upload(source, video_id=video_id)
    check(sandbox, video_id)


def test_progress_goes_on_and_ends_with_all(client: libapivideo.Client, sandbox: Sandbox, path: Path) -> None:
    sandbox.fault("reset", on="uploads", skip=1)
    told: list[libapivideo.UploadProgress] = []
    client.upload(path, video_id=new_video(client), chunk_size=C, progress=told.append)
    assert told[-1] == (len(CONTENT), len(CONTENT), len(CONTENT))
    assert all(a.acknowledged <= b.acknowledged and a.sent <= b.sent for a, b in zip(told, told[1:]))
    del told[:]
    client.upload(Camera(CONTENT), video_id=new_video(client), chunk_size=C, progress=told.append)
    assert told[0].total is None
    assert told[-1].total == len(CONTENT)


def test_by_token_without_a_key(client: libapivideo.Client, sandbox: Sandbox, path: Path) -> None:
    token = client.request("POST", "/upload-tokens", json={}).json()["token"]
    with libapivideo.Client(libapivideo.NO_KEY, base_url=sandbox.url) as keyless:
        for source in (path, Camera(CONTENT)):
            video = keyless.upload(source, token=token, chunk_size=C).json()
            check(sandbox, video["videoId"])
        assert [video["title"] for video in sandbox.control("videos")][-2:] == [path.name, "video"]
        with pytest.raises(libapivideo.KeyRejectedError):
            keyless.get_token()
        with pytest.raises(libapivideo.RequestRejectedError) as caught:
            keyless.upload(path, token="toSecretSecret")
        assert "Secret" not in str(caught.value)


def test_another_process_resumes_what_was_killed(client: libapivideo.Client, sandbox: Sandbox, path: Path) -> None:
    video_id = new_video(client)
    sandbox.fault("hang", on="uploads", skip=1, handled=False)
    program = """
import sys, libapivideo
libapivideo.Client(sys.argv[1], base_url=sys.argv[2]).upload(sys.argv[3], video_id=sys.argv[4], chunk_size=int(sys.argv[5]))
"""
    with running(program, KEY, sandbox.url, str(path), video_id, str(C)):
        wait_until(lambda: len(uploads(sandbox)) == 2, "the second chunk is on its way")
    before = len(uploads(sandbox))
    client.upload(path, video_id=video_id, chunk_size=C, resume=True)
    check(sandbox, video_id)
    assert [entry["range"] for entry in uploads(sandbox)[before:]] == [
        f"bytes {C}-{2 * C - 1}/{len(CONTENT)}",
        f"bytes {2 * C}-{len(CONTENT) - 1}/{len(CONTENT)}",
    ]


def test_what_a_source_raises_is_raised(client: libapivideo.Client, sandbox: Sandbox, path: Path) -> None:
    class Broken:
        def read(self, size: int) -> bytes:
            raise ConnectionError("the camera is gone")

    with pytest.raises(ConnectionError, match="the camera is gone"):
        client.upload(Broken(), video_id=new_video(client))
    with open(path, encoding="latin-1") as text, pytest.raises(TypeError, match="'rb'"):
        client.upload(text, video_id=new_video(client))  # type: ignore[arg-type]
    with pytest.raises(libapivideo.InvalidArgumentError, match="written"):
        client.upload(Camera(b""), video_id=new_video(client))
    with pytest.raises(libapivideo.InvalidArgumentError, match="More bytes"):
        client.upload(Camera(CONTENT), video_id=new_video(client), size=C)


def test_arguments_are_checked(client: libapivideo.Client, path: Path) -> None:
    for arguments, message in [
        ({}, "video_id"),
        ({"video_id": "../x"}, "video_id"),
        ({"video_id": "vi1", "chunk_size": 1}, "chunk_size"),
        ({"video_id": "vi1", "chunk_size": -1}, "chunk_size"),
        ({"video_id": "vi1", "parallel": 9}, "parallel"),
        ({"video_id": "vi1", "parallel": -1}, "parallel"),
        ({"token": "to1", "resume": True}, "resume"),
    ]:
        with pytest.raises(libapivideo.InvalidArgumentError, match=message):
            client.upload(path, **arguments)  # type: ignore[arg-type]
    with pytest.raises(libapivideo.InvalidArgumentError, match="`file_name` must have"):
        client.upload(path, video_id="vi1", file_name="")
    with pytest.raises(libapivideo.InvalidArgumentError, match="`source` is empty"):
        client.upload("", video_id="vi1")
    with pytest.raises(libapivideo.FileError, match="cannot be uploaded"):
        client.upload(path.with_name("none.mp4"), video_id="vi1")
    with pytest.raises(TypeError, match="progress"):
        client.upload(path, video_id="vi1", progress=7)  # type: ignore[arg-type]


def test_closing_the_client_ends_its_uploads(client: libapivideo.Client, sandbox: Sandbox, path: Path) -> None:
    sandbox.fault("hang", on="uploads", times=0, handled=False)
    video_id = new_video(client)
    for source in (path, Camera(CONTENT)):
        before = len(uploads(sandbox))
        with ThreadPoolExecutor() as pool, libapivideo.Client(KEY, base_url=sandbox.url) as closing:
            upload = pool.submit(closing.upload, source, video_id=video_id)
            wait_until(lambda before=before: len(uploads(sandbox)) > before, "it is on its way")
            closing.close()
            with pytest.raises(libapivideo.ClosedError):
                upload.result(10)


@pytest.mark.skipif(sys.platform == "win32", reason="there are no signals")
def test_ctrl_c_ends_an_upload(sandbox: Sandbox, path: Path) -> None:
    sandbox.fault("hang", on="uploads", times=0, handled=False)
    for source in ("sys.argv[3]", "sys.stdin.buffer"):
        program = f"""
import signal, sys, libapivideo
signal.signal(signal.SIGINT, signal.default_int_handler)  # A shell's background job ignores it.
client = libapivideo.Client(sys.argv[1], base_url=sys.argv[2])
video_id = client.request("POST", "/videos", json={{"title": "x"}}).json()["videoId"]
try:
    client.upload({source}, video_id=video_id)
except KeyboardInterrupt:
    sys.exit(7)
"""
        before = len(uploads(sandbox))
        with open(path, "rb") as stdin, running(program, KEY, sandbox.url, str(path), stdin=stdin) as process:
            wait_until(lambda before=before: len(uploads(sandbox)) > before, "it is on its way")
            process.send_signal(signal.SIGINT)
            assert process.wait(20) == 7


@pytest.mark.parametrize("runs", [run, trio.run], ids=["asyncio", "trio"])
def test_coroutines_upload_and_the_loop_runs_on(sandbox: Sandbox, path: Path, runs: Any) -> None:
    async def main() -> None:
        async with libapivideo.AsyncClient(KEY, base_url=sandbox.url) as client:
            for source in (path, Camera(CONTENT)):
                video = (await client.request("POST", "/videos", json={"title": "x"})).json()
                told: list[libapivideo.UploadProgress] = []
                await client.upload(source, video_id=video["videoId"], chunk_size=C, progress=told.append)
                check(sandbox, video["videoId"])
                assert told

    runs(main if runs is trio.run else main())


def test_a_task_that_is_cancelled_ends_its_upload(sandbox: Sandbox, path: Path) -> None:
    sandbox.fault("hang", on="uploads", handled=False)

    async def main() -> None:
        async with libapivideo.AsyncClient(KEY, base_url=sandbox.url) as client:
            video = (await client.request("POST", "/videos", json={"title": "x"})).json()
            task = asyncio.ensure_future(client.upload(path, video_id=video["videoId"]))
            while not uploads(sandbox):
                await asyncio.sleep(0.005)
            begun = time.monotonic()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert time.monotonic() - begun < 1

    run(main())


# --- The bar ---


def test_a_bar_says_how_far_it_is() -> None:
    def line(acknowledged: int, sent: int, total: int | None, seconds: float = 1.0) -> str:
        progress = libapivideo.UploadProgress(acknowledged, sent, total)
        return _progress.line("a.mp4", progress, sent, seconds)

    mib = 1024 * 1024
    assert line(0, 5 * mib, 10 * mib) == (
        "a.mp4  50% |████████████            | 5.0 MiB of 10.0 MiB  5.0 MiB/s  0:01 left"
    )
    assert line(0, 0, 10 * mib, 0).endswith("0 B of 10.0 MiB  0 B/s  -:-- left")
    assert "▌" in line(0, 1, 48)
    assert line(0, 2048, None) == "a.mp4  2.0 KiB  2.0 KiB/s"
    assert line(0, 1024, 1024**4).endswith("1.0 KiB of 1024.00 GiB  1.0 KiB/s  99:59:59 left")


def test_a_bar_is_for_terminals(client: libapivideo.Client, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal, file = Terminal(), io.StringIO()
    for stream in (terminal, file):
        monkeypatch.setattr(sys, "stderr", stream)
        client.upload(path, video_id=new_video(client), progress=True)
    lines = terminal.getvalue().split("\r")
    assert lines[0] == ""
    assert lines[-1].startswith(f"{path.name} 100% |")
    assert lines[-1].endswith("\n")
    assert file.getvalue() == ""


def test_the_end_of_the_interpreter_is_not_delayed(sandbox: Sandbox, path: Path) -> None:
    sandbox.fault("hang", on="uploads", times=0, handled=False)
    program = """
import sys, threading, libapivideo
client = libapivideo.Client(sys.argv[1], base_url=sys.argv[2])
video_id = client.request("POST", "/videos", json={"title": "x"}).json()["videoId"]
begun = threading.Event()
def read(size):
    begun.set()
    return b"x" * size
source = type("Source", (), {"read": staticmethod(read)})()
threading.Thread(target=client.upload, args=(source,), kwargs={"video_id": video_id}, daemon=True).start()
begun.wait()
"""
    begun = time.monotonic()
    ended = python(program, KEY, sandbox.url)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert time.monotonic() - begun < 30
