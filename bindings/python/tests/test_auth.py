"""`libapivideo.auth`, with the real requests and httpx."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import httpx
import libapivideo
import libapivideo.auth
import pytest
import requests
from support import KEY, ROOT, Sandbox, run


class Uploads:
    """A server that keeps what is uploaded, and redirects `GET /http…`. It refuses the tokens that
    it is told.
    """

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.paths: list[str] = []
        self.refuses_all = False
        self.headers: list[str | None] = []
        self.refused: set[str | None] = set()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                outer.bodies.append(self.read_body())
                self.judge(201)

            def do_GET(self) -> None:
                if not self.path.startswith("/http"):
                    self.judge(200)
                    return
                self.note()
                self.send_response(302)
                self.send_header("Location", self.path[1:])
                self.send_header("Content-Length", "0")
                self.end_headers()

            def note(self) -> None:
                outer.paths.append(self.path)
                outer.headers.append(self.headers["Authorization"])

            def judge(self, status: int) -> None:
                self.note()
                refused = outer.refuses_all or self.headers["Authorization"] in outer.refused
                self.answer(401 if refused else status)

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
            async with httpx.AsyncClient(auth=self.auth, trust_env=False, follow_redirects=True) as http:
                return await http.request(*arguments, **options)

        return run(main())

    def close(self) -> None:
        pass


KINDS = ["requests", "httpx", "httpx async"]


@pytest.fixture(params=KINDS)
def http(request: pytest.FixtureRequest, client: libapivideo.Client) -> Iterator[Any]:
    """One of the three HTTP clients, authenticated for the sandbox."""
    with authenticated(request.param, client) as http:
        yield http


@pytest.fixture(params=KINDS)
def uploading(request: pytest.FixtureRequest, client: libapivideo.Client, uploads: Uploads) -> Iterator[Any]:
    """One of the three HTTP clients, authenticated for `uploads`."""
    with authenticated(request.param, client, uploads.url) as http:
        yield http


@contextmanager
def authenticated(kind: str, client: libapivideo.Client, api_origin: str | None = None) -> Iterator[Any]:
    if kind == "requests":
        with requests.Session() as session:
            session.auth = libapivideo.auth.RequestsAuth(client, api_origin=api_origin)
            session.trust_env = False
            yield session
        return
    auth = libapivideo.auth.HttpxAuth(client, api_origin=api_origin)
    if kind == "httpx":
        with httpx.Client(auth=auth, trust_env=False, follow_redirects=True) as sync:
            yield sync
    else:
        yield Asynchronous(auth)


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
    uploading: Any, client: libapivideo.Client, uploads: Uploads, body: str
) -> None:
    raw = "data" if isinstance(uploading, requests.Session) else "content"
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
    response = uploading.request("POST", uploads.url, **options[body])
    assert response.status_code == 201
    assert len(uploads.bodies) == 2 and uploads.bodies[0] == uploads.bodies[1]
    assert uploads.headers == [rejected, client.authorization()]
    assert [each.status_code for each in response.history] == [401]


@pytest.mark.parametrize(("kind", "start"), [("requests", 7), ("httpx", 0)])
def test_a_file_is_sent_again_from_where_it_was(client: libapivideo.Client, uploads: Uploads, kind: str, start: int) -> None:
    """httpx itself can send a file only from its beginning, and its AsyncClient takes none."""
    rejecting(uploads, client)
    content = b"skipped" + b"film" * 50_000
    file = io.BytesIO(content)
    file.seek(start)
    with authenticated(kind, client, uploads.url) as http:
        response = http.request("POST", uploads.url, **{"data" if kind == "requests" else "content": file})
    assert response.status_code == 201
    assert uploads.bodies == [content[start:]] * 2


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
    uploading: Any, client: libapivideo.Client, uploads: Uploads, kind: str
) -> None:
    def generator() -> Iterator[bytes]:
        yield b"film"

    async def async_generator() -> AsyncIterator[bytes]:
        yield b"film"

    if isinstance(uploading, requests.Session):
        options: dict[str, Any] = {"data": generator() if kind == "generator" else Pipe()}
    elif isinstance(uploading, httpx.Client):
        options = {"content": generator() if kind == "generator" else Pipe()}
    else:
        options = {"content": async_generator()} if kind == "generator" else {"files": {"file": Pipe()}}
    rejected = rejecting(uploads, client)
    response = uploading.request("POST", uploads.url, **options)
    assert response.status_code == 401
    assert len(uploads.bodies) == 1 and b"film" in uploads.bodies[0]
    assert client.authorization() != rejected, "the next request has another token"


def test_after_a_redirect_only_the_last_request_is_sent_again(
    uploading: Any, client: libapivideo.Client, uploads: Uploads
) -> None:
    """The first one has been answered: to send it again could do again what it did."""
    rejected = rejecting(uploads, client)
    response = uploading.request("GET", f"{uploads.url}/{uploads.url}/end")
    assert response.status_code == 200
    assert uploads.paths == [f"/{uploads.url}/end", "/end", "/end"]
    assert uploads.headers == [rejected, rejected, client.authorization()]


def test_a_second_401_is_reported_and_handed_on(
    uploading: Any, client: libapivideo.Client, sandbox: Sandbox, uploads: Uploads, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = client.get_token()
    uploads.refuses_all = True
    reported: list[libapivideo.Token] = []
    invalidate = libapivideo.Client.invalidate
    for kind in (libapivideo.Client, libapivideo.AsyncClient):
        monkeypatch.setattr(kind, "invalidate", lambda client, token: (reported.append(token), invalidate(client, token)))
    assert uploading.request("POST", uploads.url).status_code == 401
    assert reported == [first, client.get_token()] and first != client.get_token()
    assert (len(uploads.bodies), sandbox.auth_requests()) == (2, 2)


@pytest.mark.parametrize(
    ("environment", "url"), [("production", "https://ws.api.video/videos"), ("sandbox", "https://sandbox.api.video/videos")]
)
def test_an_environment_has_the_origin_of_its_server(environment: Any, url: str) -> None:
    from libapivideo.auth._rule import Rule

    core = (ROOT / "src" / "config.rs").read_text()
    assert f'"{url.removesuffix("/videos")}"' in core
    with libapivideo.Client(KEY, environment=environment) as client:
        assert Rule(client, None).covers(url)


@pytest.mark.parametrize("wrong", ["", "gateway", "/videos", "https://", "ftp://gateway", "http://gateway", "https://gateway:port"])
@pytest.mark.parametrize("kind", [libapivideo.auth.RequestsAuth, libapivideo.auth.HttpxAuth])
def test_what_is_no_origin_is_refused(client: libapivideo.Client, kind: Any, wrong: str) -> None:
    with pytest.raises(libapivideo.InvalidArgumentError, match="api_origin"):
        kind(client, api_origin=wrong)


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
