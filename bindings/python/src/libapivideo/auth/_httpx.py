"""Authentication for httpx."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator
from typing import Any

import httpx

from .._client import AsyncClient, Client
from .._token import Token
from ._rule import Rule, rewound, start_of


class HttpxAuth(httpx.Auth):
    """Authenticates requests of httpx: `httpx.Client(auth=HttpxAuth(client))`.

    `client` is a `libapivideo.Client` or a `libapivideo.AsyncClient`. Either serves both of httpx's
    classes, `Client` and `AsyncClient`. Any number of threads, tasks and httpx clients may share
    one object.

    api_origin: the URL of the server that gets the token. Only its scheme, host and port matter.
        Default: the client's own server. Name another if your requests go to a proxy that passes
        them on to api.video.
    """

    def __init__(self, client: Client | AsyncClient, *, api_origin: str | None = None) -> None:
        self._client = Client.sharing(client)
        self._async_client = AsyncClient.sharing(client)
        self._rule = Rule(client, api_origin)

    def sync_auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        if not self._rule.covers(request.url):
            yield request
            return
        sending = _Sending(self._rule, request)
        while sending.goes_on:
            sending.answered((yield sending.carrying(self._client.get_token())))

    async def async_auth_flow(self, request: httpx.Request) -> AsyncGenerator[httpx.Request, httpx.Response]:
        if not self._rule.covers(request.url):
            yield request
            return
        sending = _Sending(self._rule, request)
        while sending.goes_on:
            sending.answered((yield sending.carrying(await self._async_client.get_token())))


class _Sending:
    """A request for the API: it is sent, and after a 401 to its token once more."""

    goes_on = True
    _may_repeat = True
    _token: Token

    def __init__(self, rule: Rule, request: httpx.Request) -> None:
        self._rule = rule
        self._request = request
        self._start = start_of(_file(request))

    def carrying(self, token: Token) -> httpx.Request:
        """The request to send now, with this token."""
        self._token = token
        self._request.headers["Authorization"] = token.authorization
        return self._request

    def answered(self, response: httpx.Response) -> None:
        """Decides whether to go on."""
        # After a redirect, only the last request is repeated: the first one has been answered.
        self._request = response.request
        rejected = self._rule.rejects(self._token, response)
        self.goes_on = rejected and self._may_repeat and _rewound(self._request, self._start)
        self._may_repeat = False


def _file(request: httpx.Request) -> Any:
    """The file that is the body, or None. httpx reads it from its position, and never rewinds."""
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
