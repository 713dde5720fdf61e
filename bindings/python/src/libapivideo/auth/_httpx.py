"""httpx."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator
from typing import Any

import httpx

from .._client import AsyncClient, Client
from ._withdraw import withdraw


class HttpxAuth(httpx.Auth):
    """Authenticates httpx's requests, of its `Client` and its `AsyncClient`: `httpx.Client(auth=HttpxAuth(client))`.

    `client` may be a `libapivideo.Client` or `libapivideo.AsyncClient`; either serves both kinds of httpx client. Any number of
    threads, tasks and httpx clients may share one.
    """

    def __init__(self, client: Client | AsyncClient) -> None:
        self._client = Client.sharing(client)
        self._async_client = AsyncClient.sharing(client)

    def sync_auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        token = self._client.get_token()
        request.headers["Authorization"] = token.authorization
        response = yield request
        if response.status_code == 401 and withdraw(self._client, token) and _can_be_sent_again(request):
            request.headers["Authorization"] = self._client.authorization()
            yield request

    async def async_auth_flow(self, request: httpx.Request) -> AsyncGenerator[httpx.Request, httpx.Response]:
        token = await self._async_client.get_token()
        request.headers["Authorization"] = token.authorization
        response = yield request
        if response.status_code == 401 and withdraw(self._client, token) and _can_be_sent_again(request):
            request.headers["Authorization"] = await self._async_client.authorization()
            yield request


def _can_be_sent_again(request: httpx.Request) -> bool:
    if isinstance(request.stream, httpx.ByteStream):
        return True
    # A multipart form goes back to the start of its files by itself.
    fields: Any = getattr(request.stream, "fields", [])
    return bool(fields) and all(_can_be_read_again(getattr(field, "file", b"")) for field in fields)


def _can_be_read_again(file: Any) -> bool:
    return isinstance(file, (bytes, str)) or (hasattr(file, "seekable") and bool(file.seekable()))
