"""Authentication objects for HTTP libraries: `RequestsAuth` for requests, `HttpxAuth` for httpx.

    requests.get(url, auth=libapivideo.auth.RequestsAuth(client))
    httpx.AsyncClient(auth=libapivideo.auth.HttpxAuth(client))

Each sets the `Authorization` header to a valid token, if the request goes to the API's server. That is the client's `base_url` or
its environment's, unless `api_origin` names another. Requests to anybody else are left as they are, and no token follows a
redirect to another host.

When that server answers 401 to a token, the object reports the token and sends the request once more with another. It can
do so if the body can be sent again: bytes and text can, and files that can seek; a generator cannot. If it cannot, or if
another token would not help, you get the 401. A stranger's 401 says nothing about the token, which stays in use.

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
