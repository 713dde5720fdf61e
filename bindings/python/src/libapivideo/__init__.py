"""Valid api.video bearer tokens, for any thread, coroutine or process of a Python program.

    import libapivideo

    client = libapivideo.Client(api_key)
    headers = {"Authorization": client.authorization()}

`Client` keeps an API key's token: it authenticates, renews ahead of expiry, rides out outages, and hands out a header that is
valid now in less than a microsecond. `AsyncClient` is the same for asyncio, trio and anyio. `libapivideo.auth` plugs it into
`requests` and `httpx`. Every exception is an `ApiVideoError`. What the library does goes to `logging.getLogger("libapivideo")`; no line and no
message holds a key or a token. Durations that go in are seconds, as a number or a `datetime.timedelta`.
"""

from . import _interpreter as _interpreter  # First: nothing may be loaded where it would be refused.
from ._abi import Status, TokenState
from ._abi import lib as _lib
from ._client import AsyncClient, Client, Stats
from ._errors import (
    ApiVideoError,
    CancelledError,
    ClosedError,
    InternalError,
    InvalidArgumentError,
    InvalidUTF8Error,
    KeyRejectedError,
    NetworkError,
    NoRefreshTokenError,
    NullArgumentError,
    PendingError,
    ProtocolError,
    RateLimitedError,
    RefreshRejectedError,
    ResourceError,
    ServerError,
    TLSError,
    TokenRejectedError,
    WaitTimeoutError,
)
from ._token import Token
from ._version import __version__

__all__ = [
    "ApiVideoError",
    "AsyncClient",
    "CancelledError",
    "Client",
    "ClosedError",
    "InternalError",
    "InvalidArgumentError",
    "InvalidUTF8Error",
    "KeyRejectedError",
    "NetworkError",
    "NoRefreshTokenError",
    "NullArgumentError",
    "PendingError",
    "ProtocolError",
    "RateLimitedError",
    "RefreshRejectedError",
    "ResourceError",
    "ServerError",
    "Stats",
    "Status",
    "TLSError",
    "Token",
    "TokenRejectedError",
    "TokenState",
    "WaitTimeoutError",
    "__version__",
    "library_version",
]


def library_version() -> str:
    """The version of the shared library that is loaded, such as "0.1.0"."""
    return str(_lib.version(), "ascii")


def _show_as_public() -> None:
    """Has tracebacks and help() call things by the name they are used by, not by where they are written."""
    for name in __all__:
        if hasattr(globals()[name], "__module__"):
            globals()[name].__module__ = __name__


_show_as_public()
