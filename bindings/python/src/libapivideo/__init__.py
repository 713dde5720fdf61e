"""Valid api.video bearer tokens, for any thread, coroutine or process of a Python program.

    import libapivideo

    client = libapivideo.Client(api_key)
    headers = {"Authorization": client.authorization()}

`Client` keeps an API key's token: it authenticates, renews the token ahead of its expiry, rides out
outages, and gives you a valid header in less than a microsecond. `AsyncClient` is the same for
asyncio, trio and anyio. Both make requests to the API, with `request` and `pages`, and send videos,
with `upload`. `libapivideo.auth` connects it to `requests` and `httpx`.

Every exception is an `ApiVideoError`. The log goes to `logging.getLogger("libapivideo")`. No line
of it and no message holds a key or a token. Arguments that are durations are seconds, as a number
or a `datetime.timedelta`.
"""

# First: nothing may be loaded where it would be refused.
from . import _interpreter as _interpreter
from ._abi import Status, TokenState
from ._abi import lib as _lib
from ._client import AsyncClient, Client, Stats
from ._core import NO_KEY, verify_webhook
from ._errors import (
    ApiVideoError,
    CancelledError,
    ClosedError,
    FileError,
    InternalError,
    InvalidArgumentError,
    InvalidUTF8Error,
    KeyRejectedError,
    NetworkError,
    NoRefreshTokenError,
    NullArgumentError,
    PendingError,
    Problem,
    ProtocolError,
    RateLimitedError,
    RefreshRejectedError,
    RequestRejectedError,
    ResourceError,
    ServerError,
    TLSError,
    TokenRejectedError,
    WaitTimeoutError,
)
from ._progress import UploadProgress
from ._response import Response
from ._store import FileStore, OwnStore, Record, RedisStore, Store
from ._token import Token
from ._version import __version__

__all__ = [
    "NO_KEY",
    "ApiVideoError",
    "AsyncClient",
    "CancelledError",
    "Client",
    "ClosedError",
    "FileError",
    "FileStore",
    "InternalError",
    "InvalidArgumentError",
    "InvalidUTF8Error",
    "KeyRejectedError",
    "NetworkError",
    "NoRefreshTokenError",
    "NullArgumentError",
    "OwnStore",
    "PendingError",
    "Problem",
    "ProtocolError",
    "RateLimitedError",
    "Record",
    "RedisStore",
    "RefreshRejectedError",
    "RequestRejectedError",
    "ResourceError",
    "Response",
    "ServerError",
    "Stats",
    "Status",
    "Store",
    "TLSError",
    "Token",
    "TokenRejectedError",
    "TokenState",
    "UploadProgress",
    "WaitTimeoutError",
    "__version__",
    "library_version",
    "verify_webhook",
]


def library_version() -> str:
    """Gives the version of the loaded shared library, such as "0.1.0"."""
    return str(_lib.version(), "ascii")


def _show_as_public() -> None:
    """Makes tracebacks and help() show the public names, not those of the modules inside."""
    for name in __all__:
        if hasattr(globals()[name], "__module__"):
            globals()[name].__module__ = __name__


_show_as_public()
