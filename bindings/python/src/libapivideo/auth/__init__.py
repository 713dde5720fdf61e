"""Authentication objects for HTTP libraries: `RequestsAuth` for requests, `HttpxAuth` for httpx.

    requests.get(url, auth=libapivideo.auth.RequestsAuth(client))
    httpx.AsyncClient(auth=libapivideo.auth.HttpxAuth(client))

Each sets the `Authorization` header to a valid token. When the API answers 401 it reports that token, and sends the request once
more with another, if its body can be sent again: bytes and text can, and files that can seek; a generator cannot. Then, and
where another token would not help, the 401 is what the caller gets.

A client's errors, all `libapivideo.ApiVideoError`, come out of the request. Neither HTTP library is needed until its class is
used.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ._httpx import HttpxAuth as HttpxAuth
    from ._requests import RequestsAuth as RequestsAuth

__all__ = ["HttpxAuth", "RequestsAuth"]


def __getattr__(name: str) -> object:
    if name == "RequestsAuth":
        from ._requests import RequestsAuth

        return RequestsAuth
    if name == "HttpxAuth":
        from ._httpx import HttpxAuth

        return HttpxAuth
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> "list[str]":
    return __all__
