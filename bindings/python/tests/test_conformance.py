"""The 401 rule, as `bindings/conformance` has it for every binding: with requests, httpx and
httpx's AsyncClient.
"""

from __future__ import annotations

import io
import json
from collections.abc import AsyncIterator, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import httpx
import libapivideo
import libapivideo.auth
import pytest
import requests
from support import KEY, ROOT, Sandbox, run

TABLE = json.loads((ROOT / "bindings" / "conformance" / "unauthorized.json").read_text())
LIBRARIES = ["requests", "httpx", "httpx async"]
SKIPPED = b"skipped"


def cases() -> list[Any]:
    # httpx's AsyncClient takes no file as content.
    return [
        pytest.param(library, case, id=f"{library}: {case['name']}")
        for case in TABLE["cases"]
        for library in LIBRARIES
        if (library, case["request"].get("body", {}).get("kind")) != ("httpx async", "seekable")
    ]


class Other:
    """The other server, which answers as it is told."""

    def __init__(self) -> None:
        self.replies: list[dict[str, Any]] = []
        self.requests: list[dict[str, Any]] = []
        self.renew = lambda: None
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self) -> None:
                outer.requests.append(
                    {"method": self.command, "header": self.headers["Authorization"], "body": self.body()}
                )
                reply = outer.replies.pop(0) if len(outer.replies) > 1 else outer.replies[0]
                if reply.get("meanwhile") == "renew":
                    outer.renew()
                self.send_response(reply["status"])
                if "location" in reply:
                    self.send_header("Location", reply["location"])
                self.send_header("Content-Length", "0")
                self.end_headers()

            do_GET = do_POST = answer

            def body(self) -> str:
                if self.headers["Transfer-Encoding"] != "chunked":
                    return self.rfile.read(int(self.headers["Content-Length"] or 0)).decode()
                body = b""
                while size := int(self.rfile.readline(), 16):
                    body += self.rfile.read(size)
                    self.rfile.readline()
                self.rfile.readline()
                return body.decode()

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
def other() -> Iterator[Other]:
    server = Other()
    yield server
    server.stop()


def content(library: str, body: dict[str, str]) -> tuple[Any, dict[str, str]]:
    """A body of its kind, and the headers that it needs."""
    text = body["text"].encode()
    if body["kind"] == "bytes":
        return text, {}
    if body["kind"] == "seekable":
        file = io.BytesIO(SKIPPED + text)
        file.seek(len(SKIPPED))
        # httpx would count what was skipped.
        return file, {"Content-Length": str(len(text))}

    def once() -> Iterator[bytes]:
        yield text

    async def once_async() -> AsyncIterator[bytes]:
        yield text

    assert body["kind"] == "once"
    return once_async() if library == "httpx async" else once(), {}


def send(library: str, client: libapivideo.Client, api: str | None, request: dict[str, Any]) -> int:
    """Sends a request with one of the libraries. Returns the answer's status."""
    headers = {"Authorization": request["authorization"]} if "authorization" in request else {}
    body = None
    if "body" in request:
        body, more = content(library, request["body"])
        headers.update(more)
    method, url = request["method"], request["url"]
    if library == "requests":
        with requests.Session() as session:
            session.auth = libapivideo.auth.RequestsAuth(client, api_origin=api)
            session.trust_env = False
            return session.request(method, url, data=body, headers=headers, timeout=30).status_code
    auth = libapivideo.auth.HttpxAuth(client, api_origin=api)
    options: Any = {"auth": auth, "trust_env": False, "follow_redirects": True, "timeout": 30}
    if library == "httpx":
        with httpx.Client(**options) as http:
            return http.request(method, url, content=body, headers=headers).status_code

    async def main() -> int:
        async with httpx.AsyncClient(**options) as http:
            return (await http.request(method, url, content=body, headers=headers)).status_code

    return run(main())


@pytest.mark.parametrize(("library", "case"), cases())
def test_a_case_of_the_table(library: str, case: dict[str, Any], sandbox: Sandbox, other: Other) -> None:
    urls = {
        "{sandbox_localhost}": sandbox.url.replace("127.0.0.1", "localhost"),
        "{sandbox}": sandbox.url,
        "{other}": other.url,
    }
    text = json.dumps(case)
    for name, url in urls.items():
        text = text.replace(name, url)
    case = json.loads(text)
    other.replies = case.get("replies", [{"status": 200}])
    expect = case["expect"]
    with libapivideo.Client(KEY, base_url=sandbox.url) as client:
        first = client.get_token()

        def renew() -> None:
            client.invalidate(first)
            client.get_token()

        other.renew = renew
        if case.get("revoke"):
            sandbox.revoke("access")
        for fault in case.get("faults", []):
            sandbox.control("faults", fault)
        api = other.url if case.get("api") == "other" else None
        for _ in range(case.get("times", 1)):
            status = send(library, client, api, case["request"])
            assert status == expect["status"]
        afterwards = client.get_token()
    headers = {
        case["request"].get("authorization"): "callers",
        None: "none",
        afterwards.authorization: "second",
        first.authorization: "first",
    }
    log = sandbox.log()
    numbers = {1: "first", 2: "second"}
    seen = [
        {"method": entry["method"], "token": numbers[entry["access_token_id"]] if "authorization" in entry["headers"] else "none"}
        for entry in log
        if not entry["path"].startswith("/auth/")
    ]
    assert seen == expect.get("sandbox", [])
    got = [{"method": each["method"], "token": headers[each["header"]], "body": each["body"]} for each in other.requests]
    wanted = expect.get("other", [])
    assert len(got) == len(wanted)
    assert [{key: value for key, value in each.items() if key in want} for each, want in zip(got, wanted)] == wanted
    assert sum(entry["path"].startswith("/auth/") for entry in log) == expect["exchanges"]
    assert headers[afterwards.authorization] == expect["token_afterwards"]


class Transport(requests.adapters.BaseAdapter):
    """What requests sends by, without a network. It answers 200, and keeps the request."""

    def __init__(self) -> None:
        super().__init__()
        self.header: str | None = None

    def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:
        self.header = request.headers.get("Authorization")
        response = requests.Response()
        response.status_code, response.request, response.raw = 200, request, io.BytesIO()
        return response

    def close(self) -> None:
        pass


def sent_by_requests(auth: Any, url: str) -> str | None:
    transport = Transport()
    with requests.Session() as session:
        session.trust_env = False
        for scheme in ("http://", "https://"):
            session.mount(scheme, transport)
        assert session.get(url, auth=auth).status_code == 200
    return transport.header


def sent_by_httpx(auth: Any, url: str) -> str | None:
    headers: list[str | None] = []

    def answer(request: httpx.Request) -> httpx.Response:
        headers.append(request.headers.get("Authorization"))
        return httpx.Response(200)

    with httpx.Client(auth=auth, transport=httpx.MockTransport(answer), trust_env=False) as http:
        assert http.get(url).status_code == 200
    return headers[0]


@pytest.mark.parametrize("line", TABLE["origins"], ids=lambda line: f"{line['api']} and {line['url']}")
def test_an_origin_of_the_table(line: dict[str, Any], client: libapivideo.Client) -> None:
    for auth, sent in (
        (libapivideo.auth.RequestsAuth(client, api_origin=line["api"]), sent_by_requests),
        (libapivideo.auth.HttpxAuth(client, api_origin=line["api"]), sent_by_httpx),
    ):
        assert (sent(auth, line["url"]) == client.authorization()) is line["token"]
