"""The exceptions."""

from __future__ import annotations

import re
from typing import NamedTuple

from ._abi import ErrorPointer, Status, lib


class Problem(NamedTuple):
    """One fault of a request, in api.video's words. What it does not say is None.

    type: a URL that identifies the kind of fault.
    title: one sentence.
    name: what is at fault, mostly an attribute.
    detail: more about this very case.
    """

    type: str | None
    title: str | None
    name: str | None
    detail: str | None


class ApiVideoError(Exception):
    """A call failed. The text is one line: what happened, why, and what to do. It holds no secret.

    Every other exception of this package is a subclass, one for each status. Its attributes:

    status: what went wrong, a `Status`. Its numbers never change their meaning.
    http_status: the HTTP status of the reply that caused the error; None if there was no reply.
    problem_type: the `type` of the problem object in api.video's reply, a URL; None if there is
        none.
    title: its `title`, a sentence; None if there is none.
    name: its `name`, which tells what is at fault; None if there is none.
    detail: its `detail`, which tells more about this very case; None if there is none.
    problems: its `problems`, a list of `Problem`: each fault of a request that has several.
    retryable: whether the same call may succeed later, if you change nothing. False also for a
        request that may have been carried out and must not be twice, such as a POST whose reply was
        lost or is a 5xx: look first what became of it. The text says so.
    retry_after: seconds to wait, from the moment of the error, before you try again; None if that
        is not known.
    """

    status: Status
    http_status: int | None
    problem_type: str | None
    title: str | None
    name: str | None
    detail: str | None
    problems: list[Problem]
    retryable: bool
    retry_after: float | None

    _status = Status.INTERNAL

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.status = self._status
        self.http_status = None
        self.problem_type = None
        self.title = None
        self.name = None
        self.detail = None
        self.problems = []
        self.retryable = False
        self.retry_after = None


class InvalidArgumentError(ApiVideoError, ValueError):
    """An argument or a setting is out of its documented range. The text names it."""

    _status = Status.INVALID_ARGUMENT


class NullArgumentError(InvalidArgumentError):
    """There is no API key: neither the argument nor APIVIDEO_API_KEY is set."""

    _status = Status.NULL_ARGUMENT


class InvalidUTF8Error(InvalidArgumentError):
    """A text has a character that UTF-8 cannot express: half of a surrogate pair."""

    _status = Status.INVALID_UTF8


class KeyRejectedError(ApiVideoError):
    """api.video refused the API key.

    It is wrong, revoked or of the other environment, or its account is suspended.

    The library tries again by itself, first after 30 seconds and then at least every 5 minutes.
    """

    _status = Status.KEY_REJECTED


class RefreshRejectedError(ApiVideoError):
    """`refresh()`: api.video refused the refresh token.

    This is normal: any authentication with the same key makes it invalid.
    """

    _status = Status.REFRESH_REJECTED


class NoRefreshTokenError(ApiVideoError):
    """`refresh()`: there is no refresh token to send. Authenticate first."""

    _status = Status.NO_REFRESH_TOKEN


class TokenRejectedError(ApiVideoError):
    """`invalidate()`: the API rejected this token, and the one before it.

    This token replaced a rejected one less than 60 seconds ago. Another one would not help: check
    the key's rights, and show the 401 to your user.
    """

    _status = Status.TOKEN_REJECTED


class RateLimitedError(ApiVideoError):
    """api.video asked to slow down (429). `retry_after` says how long."""

    _status = Status.RATE_LIMITED


class ServerError(ApiVideoError):
    """api.video answered with 5xx or 408."""

    _status = Status.SERVER_ERROR


class ProtocolError(ApiVideoError):
    """api.video does not document such a reply: malformed, cut off, too large, or a redirect."""

    _status = Status.PROTOCOL_ERROR


class NetworkError(ApiVideoError):
    """There is no connection, or it was lost: name resolution, connecting, the proxy, a reset."""

    _status = Status.NETWORK_ERROR


class TLSError(ApiVideoError):
    """The TLS handshake failed: unknown CA, wrong host, or expired certificate.

    Check the CA file, the host and the clock.
    """

    _status = Status.TLS_ERROR


class WaitTimeoutError(ApiVideoError, TimeoutError):
    """There was no answer in time: the attempt's limit or the caller's has passed.

    An exchange that is under way goes on for others.
    """

    _status = Status.TIMEOUT


class PendingError(ApiVideoError):
    """Something is not complete yet. No call of this package raises it."""

    _status = Status.PENDING


class CancelledError(ApiVideoError):
    """The call was cancelled, or belongs to the process that this one was forked from."""

    _status = Status.CANCELLED


class ClosedError(ApiVideoError):
    """The client was closed, before the call or while it waited."""

    _status = Status.CLOSED


class ResourceError(ApiVideoError):
    """The operating system refused a thread, a file descriptor or memory."""

    _status = Status.SYSTEM_ERROR


class InternalError(ApiVideoError):
    """A bug in the library was caught. The library goes on working; please report it."""

    _status = Status.INTERNAL


class RequestRejectedError(ApiVideoError):
    """A request: the API answered with 4xx, and not with 408 or 429.

    `problems` has each of its faults, where it tells them. Do not send the request again as it is.
    With 401, two tokens were rejected, or something other than the token was, which `problem_type`
    names.
    """

    _status = Status.REQUEST_REJECTED


class FileError(ApiVideoError):
    """A file to upload cannot be read, or is not the file that it was when the upload began.

    Make a new video for a file that has changed.
    """

    _status = Status.FILE_ERROR


def _with_subclasses(kind: type[ApiVideoError]) -> list[type[ApiVideoError]]:
    return [kind, *(each for sub in kind.__subclasses__() for each in _with_subclasses(sub))]


CLASSES = {kind._status: kind for kind in _with_subclasses(ApiVideoError)[1:]}
_NUMBERS = {int(status): kind for status, kind in CLASSES.items()}


def check(status: int, error: ErrorPointer) -> None:
    """Raises the exception of `status`, unless that is OK."""
    if status:
        raise exception(status, error)


def exception(status: int, error: ErrorPointer) -> ApiVideoError:
    """Makes an exception of `error`. A status of a later library counts as INTERNAL."""
    message = _text(lib.error_message(error)) or lib.status_string(status).decode()
    if status == Status.INVALID_ARGUMENT:
        message = in_words_of_python(message)
    raised = _NUMBERS.get(status, InternalError)(message)
    raised.http_status = lib.error_http_status(error) or None
    raised.problem_type = _text(lib.error_problem_type(error))
    raised.title = _text(lib.error_title(error))
    raised.name = _text(lib.error_name(error))
    raised.detail = _text(lib.error_detail(error))
    raised.problems = [_problem(error, at) for at in range(lib.error_problem_count(error))]
    raised.retryable = lib.error_is_retryable(error)
    retry_after_ms = lib.error_retry_after_ms(error)
    raised.retry_after = None if retry_after_ms < 0 else retry_after_ms / 1000
    return raised


def _problem(error: ErrorPointer, at: int) -> Problem:
    texts = (lib.error_problem_type_at, lib.error_title_at, lib.error_name_at, lib.error_detail_at)
    return Problem(*(_text(each(error, at)) for each in texts))


def in_words_of_python(message: str) -> str:
    """Puts this package's argument names for the C library's, and seconds for milliseconds."""
    # Those of an upload: a request's `path` and a store's `name` are refused in other words.
    message = message.replace("`name` must have", "`file_name` must have").replace("`path` is empty", "`source` is empty")
    message = re.sub(r"`(app|sdk)` (name|version)", r"`\1_\2`", message)
    in_seconds = re.sub(r"`(\w+)_ms`", r"`\1`", message)
    if in_seconds == message:
        return message
    return re.sub(r"\b(\d+)( ms)?\b", lambda found: _seconds(int(found[1])), in_seconds)


def _seconds(milliseconds: int) -> str:
    return f"{milliseconds / 1000:,.3f}".rstrip("0").rstrip(".") + " s"


def _text(value: bytes) -> str | None:
    return value.decode("utf-8", "replace") or None
