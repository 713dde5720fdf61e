"""Authentication objects for HTTP libraries: `RequestsAuth` for requests, `HttpxAuth` for httpx.

    requests.get(url, auth=libapivideo.auth.RequestsAuth(client))
    httpx.AsyncClient(auth=libapivideo.auth.HttpxAuth(client))

Each sets the `Authorization` header to a valid token if the request goes to the API's server. That
is the client's `base_url` or its environment's server, unless `api_origin` names another. Requests
to other servers stay as they are, and no token follows a redirect to another host.

When the API's server answers 401 to a token, the object reports the token and sends the request
once more with another one. That needs a body that can be sent again: bytes, text, or a file that
can seek, but not a generator. If the body cannot be sent again, or another token would not help,
you get the 401. A 401 of another server says nothing about the token, which stays in use.

The request raises the client's errors, which are all a `libapivideo.ApiVideoError`. You need
neither HTTP library until you use its class.
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
