"""`libapivideo.auth`, with the real requests and httpx."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import httpx
import libapivideo
import libapivideo.auth
import pytest
import requests
from support import KEY, Sandbox, run


class Uploads:
    """A server that keeps what is uploaded. It takes only the tokens that it is told."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.headers: list[str | None] = []
        self.refused: set[str | None] = set()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                outer.bodies.append(self.read_body())
                outer.headers.append(self.headers["Authorization"])
                self.answer(401 if self.headers["Authorization"] in outer.refused else 201)

            def do_GET(self) -> None:
                self.send_response(302)
                self.send_header("Location", self.path[1:])
                self.send_header("Content-Length", "0")
                self.end_headers()

            def read_body(self) -> bytes:
                if self.headers.get("Transfer-Encoding") != "chunked":
                    return self.rfile.read(int(self.headers.get("Content-Length") or 0))
                body = b""
                while size := int(self.rfile.readline(), 16):
                    body += self.rfile.read(size)
                    self.rfile.readline()
                self.rfile.readline()
                return body

            def answer(self, status: int) -> None:
                self.send_response(status)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def uploads() -> Iterator[Uploads]:
    server = Uploads()
    yield server
    server.stop()


class Asynchronous:
    """httpx's AsyncClient, called like the others."""

    def __init__(self, auth: httpx.Auth) -> None:
        self.auth = auth

    def request(self, *arguments: Any, **options: Any) -> httpx.Response:
        async def main() -> httpx.Response:
            async with httpx.AsyncClient(auth=self.auth, trust_env=False) as http:
                return await http.request(*arguments, **options)

        return run(main())

    def close(self) -> None:
        pass


@pytest.fixture(params=["requests", "httpx", "httpx async"])
def http(request: pytest.FixtureRequest, client: libapivideo.Client) -> Iterator[Any]:
    """One of the three HTTP clients, authenticated."""
    if request.param == "requests":
        with requests.Session() as session:
            session.auth = libapivideo.auth.RequestsAuth(client)
            session.trust_env = False
            yield session
    elif request.param == "httpx":
        with httpx.Client(auth=libapivideo.auth.HttpxAuth(client), trust_env=False) as sync:
            yield sync
    else:
        yield Asynchronous(libapivideo.auth.HttpxAuth(client))


def test_a_request_has_the_header(http: Any, sandbox: Sandbox) -> None:
    for _ in range(3):
        assert http.request("GET", f"{sandbox.url}/videos").status_code == 200
    assert sandbox.auth_requests() == 1


def test_a_401_is_replayed_once_with_another_token(http: Any, client: libapivideo.Client, sandbox: Sandbox) -> None:
    first = client.authorization()
    sandbox.revoke("access")
    assert http.request("GET", f"{sandbox.url}/videos").status_code == 200
    assert client.authorization() != first
    assert (sandbox.auth_requests(), sandbox.counters()["videos"]["requests"]) == (2, 2)


def test_an_api_that_always_says_401_is_not_asked_for_ever(http: Any, sandbox: Sandbox) -> None:
    sandbox.fault("reply", on="videos", times=0, status=401, body="{}")
    for _ in range(3):
        assert http.request("GET", f"{sandbox.url}/videos").status_code == 401
    counters = sandbox.counters()
    assert counters["api_key"]["requests"] == 2, "one for the first token, and one replacement"
    assert counters["videos"]["requests"] == 4, "one replay"


def test_other_statuses_are_left_alone(http: Any, sandbox: Sandbox) -> None:
    sandbox.fault("reply", on="videos", status=403, body="{}")
    assert http.request("GET", f"{sandbox.url}/videos").status_code == 403
    assert sandbox.auth_requests() == 1


def test_without_a_token_the_client_s_error_comes_out(http: Any, sandbox: Sandbox) -> None:
    sandbox.settings(key="new")
    with pytest.raises(libapivideo.KeyRejectedError):
        http.request("GET", f"{sandbox.url}/videos")
    assert sandbox.counters()["videos"]["requests"] == 0


def rejecting(uploads: Uploads, client: libapivideo.Client) -> str:
    rejected = client.authorization()
    uploads.refused.add(rejected)
    return rejected


@pytest.mark.parametrize("body", ["bytes", "text", "json", "form", "nothing", "multipart", "multipart file"])
def test_a_body_that_can_be_is_sent_again(
    http: Any, client: libapivideo.Client, uploads: Uploads, body: str
) -> None:
    raw = "data" if isinstance(http, requests.Session) else "content"
    options: dict[str, dict[str, Any]] = {
        "bytes": {raw: b"abc"},
        "text": {raw: "abc"},
        "json": {"json": {"a": 1}},
        "form": {"data": {"a": "1"}},
        "nothing": {},
        "multipart": {"files": {"file": ("v.mp4", b"film")}, "data": {"title": "x"}},
        "multipart file": {"files": {"file": ("v.mp4", io.BytesIO(b"film" * 50_000))}},
    }
    rejected = rejecting(uploads, client)
    response = http.request("POST", uploads.url, **options[body])
    assert response.status_code == 201
    assert len(uploads.bodies) == 2 and uploads.bodies[0] == uploads.bodies[1]
    assert uploads.headers == [rejected, client.authorization()]
    assert [each.status_code for each in response.history] == [401]


def test_a_file_is_sent_again_from_where_it_was(client: libapivideo.Client, uploads: Uploads) -> None:
    rejecting(uploads, client)
    file = io.BytesIO(b"skipped" + b"film" * 50_000)
    file.seek(len(b"skipped"))
    response = requests.post(uploads.url, data=file, auth=libapivideo.auth.RequestsAuth(client), timeout=10)
    assert response.status_code == 201
    assert uploads.bodies == [b"film" * 50_000] * 2


class Pipe(io.RawIOBase):
    """A file that cannot seek."""

    def __init__(self) -> None:
        self.left = [b"film"]

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        return self.left.pop() if self.left else b""

    def tell(self) -> int:
        raise OSError

    def __iter__(self) -> Iterator[bytes]:  # type: ignore[override]
        while chunk := self.read():
            yield chunk


@pytest.mark.parametrize("kind", ["generator", "pipe"])
def test_a_body_that_cannot_be_is_not_sent_again(
    http: Any, client: libapivideo.Client, uploads: Uploads, kind: str
) -> None:
    def generator() -> Iterator[bytes]:
        yield b"film"

    async def async_generator() -> AsyncIterator[bytes]:
        yield b"film"

    if isinstance(http, requests.Session):
        options: dict[str, Any] = {"data": generator() if kind == "generator" else Pipe()}
    elif isinstance(http, httpx.Client):
        options = {"content": generator() if kind == "generator" else Pipe()}
    else:
        options = {"content": async_generator()} if kind == "generator" else {"files": {"file": Pipe()}}
    rejected = rejecting(uploads, client)
    response = http.request("POST", uploads.url, **options)
    assert response.status_code == 401
    assert len(uploads.bodies) == 1 and b"film" in uploads.bodies[0]
    assert client.authorization() != rejected, "the next request has another token"


def test_the_token_does_not_follow_a_redirect_to_another_host(
    client: libapivideo.Client, sandbox: Sandbox, uploads: Uploads
) -> None:
    """The other host's 401 is not about our token."""
    header = client.authorization()
    elsewhere = f"{uploads.url}/{sandbox.url.replace('127.0.0.1', 'localhost')}/videos"
    response = requests.get(elsewhere, auth=libapivideo.auth.RequestsAuth(client), timeout=10)
    assert response.status_code == 401 and response.history
    assert client.authorization() == header
    assert sandbox.auth_requests() == 1


def test_many_threads_share_one(client: libapivideo.Client, sandbox: Sandbox) -> None:
    client.authorization()
    sandbox.revoke("access")
    auth = libapivideo.auth.RequestsAuth(client)

    def get(_: int) -> int:
        return requests.get(f"{sandbox.url}/videos", auth=auth, timeout=10).status_code

    with ThreadPoolExecutor(16) as pool:
        assert set(pool.map(get, range(64))) == {200}
    assert sandbox.auth_requests() == 2


def test_an_async_client_serves_both(sandbox: Sandbox) -> None:
    client = libapivideo.AsyncClient(KEY, base_url=sandbox.url)
    auth = libapivideo.auth.HttpxAuth(client)
    assert httpx.get(f"{sandbox.url}/videos", auth=auth).status_code == 200
    client.close()


def test_neither_is_imported_until_it_is_used() -> None:
    program = """
import sys, libapivideo, libapivideo.auth
assert dir(libapivideo.auth) == ["HttpxAuth", "RequestsAuth"]
loaded = {"requests", "httpx", "asyncio", "concurrent.futures", "urllib3"} & set(sys.modules)
assert not loaded, loaded
sys.modules["requests"] = None
try:
    libapivideo.auth.RequestsAuth
except ImportError as error:
    assert "requests" in str(error)
else:
    raise AssertionError
assert not hasattr(libapivideo.auth, "Other")
"""
    subprocess.run([sys.executable, "-S", "-c", program], check=True, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)})
