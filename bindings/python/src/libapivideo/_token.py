"""The token that callers get."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from ._abi import TokenPointer, lib

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


class Token:
    """A token. It never changes, and may outlive its client.

    Any thread may read it. Its `repr` shows no secret. Its fields are secrets, except the times.
    Two tokens are equal if they come from the same reply of api.video. Tokens cannot be pickled:
    let each process ask its own client.
    """

    __slots__ = {
        "_id": None,
        "_pointer": None,
        "authorization": 'The value of an `Authorization` header: "Bearer", a space and the access token. Safe in a header.',
    }

    _id: int
    _pointer: TokenPointer
    authorization: str

    def __init__(self, pointer: TokenPointer) -> None:
        object.__setattr__(self, "_pointer", pointer)
        object.__setattr__(self, "_id", lib.token_id(pointer))
        object.__setattr__(self, "authorization", lib.token_authorization(pointer).decode("ascii"))

    @property
    def access_token(self) -> str:
        """The access token alone."""
        return str(lib.token_access_token(self._pointer), "ascii")

    @property
    def token_type(self) -> str:
        """"Bearer"."""
        return str(lib.token_token_type(self._pointer), "ascii")

    @property
    def refresh_token(self) -> str | None:
        """The refresh token, if api.video sent one.

        The client uses it by itself. It is good for one use: if your program sends it, the client
        can no longer use it.
        """
        return str(lib.token_refresh_token(self._pointer), "utf-8") or None

    @property
    def expires_at(self) -> datetime:
        """The moment when it expires, in UTC."""
        return _EPOCH + timedelta(milliseconds=lib.token_expires_at_ms(self._pointer))

    @property
    def expires_in(self) -> timedelta:
        """The time that is left until it expires; zero once it has expired."""
        return timedelta(milliseconds=lib.token_expires_in_ms(self._pointer))

    @property
    def lifetime(self) -> timedelta:
        """The lifetime that api.video gave it, usually an hour."""
        return timedelta(milliseconds=lib.token_lifetime_ms(self._pointer))

    def __eq__(self, other: object) -> bool:
        return self._id == other._id if isinstance(other, Token) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._id)

    def __repr__(self) -> str:
        return f"<libapivideo.Token, expires at {self.expires_at:%Y-%m-%d %H:%M:%S} UTC>"

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"a Token does not change: {name!r} cannot be set")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"a Token does not change: {name!r} cannot be deleted")

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Token cannot be pickled or copied; let each process ask its own client")


NO_TOKEN = Token(TokenPointer())
"""Stands for "none yet"."""
# Not 0, which is what the library calls "none".
object.__setattr__(NO_TOKEN, "_id", -1)
