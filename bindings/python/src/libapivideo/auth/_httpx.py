"""httpx."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator
from typing import Any

import httpx

from .._client import AsyncClient, Client
from ._rule import Rule, rewound, start_of


class HttpxAuth(httpx.Auth):
    """Authenticates httpx's requests, of its `Client` and its `AsyncClient`: `httpx.Client(auth=HttpxAuth(client))`.

    `client` may be a `libapivideo.Client` or `libapivideo.AsyncClient`; either serves both kinds of httpx client. Any number of
    threads, tasks and httpx clients may share one.

    api_origin: the URL of the server that gets the token; only its scheme, host and port count. By default that is the
        client's own server. Name another if your requests go to a proxy that passes them on to api.video.
    """

    def __init__(self, client: Client | AsyncClient, *, api_origin: str | None = None) -> None:
        self._client = Client.sharing(client)
        self._async_client = AsyncClient.sharing(client)
        self._rule = Rule(client, api_origin)

    def sync_auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        if not self._rule.covers(request.url):
            yield request
            return
        start = start_of(_file(request))
        token = self._client.get_token()
        request.headers["Authorization"] = token.authorization
        response = yield request
        # After a redirect, only what was asked last is asked again: the first request has been answered.
        again = response.request
        if self._rule.rejects(token, response) and _rewound(again, start):
            token = self._client.get_token()
            again.headers["Authorization"] = token.authorization
            self._rule.rejects(token, (yield again))

    async def async_auth_flow(self, request: httpx.Request) -> AsyncGenerator[httpx.Request, httpx.Response]:
        if not self._rule.covers(request.url):
            yield request
            return
        start = start_of(_file(request))
        token = await self._async_client.get_token()
        request.headers["Authorization"] = token.authorization
        response = yield request
        again = response.request
        if self._rule.rejects(token, response) and _rewound(again, start):
            token = await self._async_client.get_token()
            again.headers["Authorization"] = token.authorization
            self._rule.rejects(token, (yield again))


def _file(request: httpx.Request) -> Any:
    """The file that is the body, or None. httpx reads it from where it stands, and does not go back."""
    return getattr(request.stream, "_stream", None)


def _rewound(request: httpx.Request, start: int | None) -> bool:
    if isinstance(request.stream, httpx.ByteStream):
        return True
    # A multipart form goes back to the start of its files by itself.
    fields: Any = getattr(request.stream, "fields", [])
    if fields:
        return all(_can_be_read_again(getattr(field, "file", b"")) for field in fields)
    file = _file(request)
    return file is not None and rewound(file, start)


def _can_be_read_again(file: Any) -> bool:
    return isinstance(file, (bytes, str)) or (hasattr(file, "seekable") and bool(file.seekable()))
