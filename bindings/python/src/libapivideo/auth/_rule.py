"""One rule for every HTTP library: where a token goes, and what a 401 means."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any, Optional
from urllib.parse import urlsplit

from .._client import AsyncClient, Client
from .._errors import InvalidArgumentError, TokenRejectedError
from .._token import Token

Origin = tuple[str, str, Optional[int]]

_PORTS = {"http": 80, "https": 443}


class Rule:
    """Tokens go to one server only, and only its answers to them count."""

    def __init__(self, client: Client | AsyncClient, api_origin: str | None) -> None:
        self._client = client
        self._api = _checked(client.base_url if api_origin is None else api_origin)

    def covers(self, url: object) -> bool:
        """Whether a request to this URL gets a token."""
        return _origin(str(url)) == self._api

    def rejects(self, token: Token, response: Any) -> bool:
        """Reports a 401 to `token`. Returns whether another token may help.

        After a redirect the answer may come from another server, or the request may have lost the
        token. Then the answer says nothing about the token.
        """
        request = response.request
        ours = request.headers.get("Authorization") == token.authorization and self.covers(request.url)
        if response.status_code != 401 or not ours:
            return False
        try:
            self._client.invalidate(token)
        except TokenRejectedError:
            return False
        return True


def start_of(body: Any) -> int | None:
    """Where a body begins in its file, if it is a file that can tell."""
    try:
        return int(body.tell())
    except (AttributeError, OSError, ValueError):
        return None


def rewound(body: Any, start: int | None) -> bool:
    """Makes a body ready to be sent once more. Returns whether that is possible."""
    if body is None or isinstance(body, (bytes, bytearray, memoryview, str)):
        return True
    if start is None:
        return False
    try:
        body.seek(start)
    except (AttributeError, OSError, ValueError):
        return False
    return True


def _origin(url: str) -> Origin | None:
    """Scheme, host and port. Capitals, a host's final dot and a default port make no difference."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    if not parts.hostname:
        return None
    return parts.scheme, parts.hostname.removesuffix("."), port or _PORTS.get(parts.scheme)


def _checked(url: str) -> Origin:
    origin = _origin(url)
    if origin is None or origin[0] not in _PORTS:
        raise InvalidArgumentError("`api_origin` must be a URL such as https://host[:port].")
    if origin[0] == "http" and not _is_loopback(origin[1]):
        raise InvalidArgumentError("`api_origin` must begin with https:// (http:// is for loopback addresses only).")
    return origin


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
