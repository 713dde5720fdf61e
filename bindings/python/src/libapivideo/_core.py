"""The base of `Client` and `AsyncClient`: a client of the library, its calls, and its callbacks.

There is no lock: threads share only single operations on dictionaries, sets and attributes, and the
library itself.
"""

from __future__ import annotations

import _thread
import atexit
import contextlib
import ctypes
import enum
import itertools
import logging
import math
import os
import sys
import threading
import time
import weakref
from ctypes import byref, c_int, c_longlong, c_uint64, c_void_p
from datetime import timedelta

from ._abi import (
    ClientPointer,
    CompletionCallback,
    ConfigPointer,
    Environment,
    ErrorPointer,
    LogCallback,
    LogLevel,
    OperationPointer,
    ReleaseCallback,
    ResponsePointer,
    StateCallback,
    Statistic,
    StatisticsPointer,
    Status,
    TokenPointer,
    TokenState,
    lib,
)
from ._errors import ApiVideoError, ClosedError, InvalidArgumentError, InvalidUTF8Error, check, exception
from ._response import Response
from ._token import NO_TOKEN, Token
from ._waiting import adopt_greenlets, run_callback, start, wait, wait_async

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeVar, Union

    Seconds = Union[float, timedelta]
    _T = TypeVar("_T")

_CLOSED_MEANWHILE = "The client was closed while the call waited."

LONGEST_EXIT = 0.1
"""How many seconds the end of the interpreter waits for callbacks to end."""

logger = logging.getLogger("libapivideo")
logger.addHandler(logging.NullHandler())

_LEVELS: dict[int, int] = {
    LogLevel.ERROR: logging.ERROR,
    LogLevel.WARNING: logging.WARNING,
    LogLevel.INFO: logging.INFO,
    LogLevel.DEBUG: logging.DEBUG,
}


# --- Callbacks: never freed, for a thread of the library may call them at any time ---

_numbers = itertools.count(1)
_cores: weakref.WeakValueDictionary[int, Core] = weakref.WeakValueDictionary()
_awaited: dict[int, Callable[[], object]] = {}
_exiting = False
_ended = False
"""Threads of the library must not come back to Python any more."""


def callback(kind: Any) -> Callable[[Callable[..., None]], Any]:
    """Makes a C function of a Python one. At the interpreter's end it does nothing."""

    def decorate(function: Callable[..., None]) -> Any:
        def call(*arguments: Any) -> None:
            if _exiting:
                return
            try:
                function(*arguments)
            except KeyboardInterrupt:
                # It is for the program that the callback interrupts, where an exception of ours
                # would not arrive.
                _thread.interrupt_main()

        return kind(call)

    return decorate


@callback(LogCallback)
def _on_log(level: int, message: bytes, _: None) -> None:
    text = message.decode("utf-8", "replace")
    run_callback(lambda: logger.log(_LEVELS.get(level, logging.DEBUG), "%s", text))


@callback(StateCallback)
def _on_state(state: int, number: int) -> None:
    core = _cores.get(number)
    on_state = None if core is None else core.on_state
    if on_state is not None:
        run_callback(lambda: on_state(TokenState(state)))


@callback(CompletionCallback)
def _on_complete(number: int) -> None:
    wake = _awaited.pop(number, None)
    if wake is not None:
        # A loop that is closed or destroyed says so by raising: nobody waits there any more.
        with contextlib.suppress(Exception):
            wake()


# A thread that calls Python while the interpreter ends takes the process down with it. So the end
# waits until the library calls no more. It says so by calling `release`, which is not Python
# either: it opens a lock of the interpreter's C API.
_new_lock = ctypes.PYFUNCTYPE(c_void_p)(("PyThread_allocate_lock", ctypes.pythonapi))
_free_lock = ctypes.PYFUNCTYPE(None, c_void_p)(("PyThread_free_lock", ctypes.pythonapi))
_try_lock = ctypes.PYFUNCTYPE(c_int, c_void_p, c_int)(("PyThread_acquire_lock", ctypes.pythonapi))
_wait_for_lock = ctypes.CFUNCTYPE(c_int, c_void_p, c_longlong, c_int)(("PyThread_acquire_lock_timed", ctypes.pythonapi))
release = ReleaseCallback(("PyThread_release_lock", ctypes.pythonapi))
_unreleased: dict[int, None] = {}


def new_user_data() -> int:
    """Makes a closed lock. The library opens it when it makes no more calls."""
    for lock in list(_unreleased):
        # Whoever takes it out may look at it; another thread may be here too.
        if _unreleased.pop(lock, lock) is None:
            if _try_lock(lock, 0):
                _free_lock(lock)
            else:
                _unreleased[lock] = None
    lock = _closed_lock()
    _unreleased[lock] = None
    return lock


def _closed_lock() -> int:
    lock = _new_lock()
    if not lock:
        raise MemoryError
    _try_lock(lock, 0)
    return int(lock)


def answer(ask: Callable[[], _T], failed: _T) -> _T:
    """Gives a callback's answer, or `failed` if there is none. It does not raise.

    It is asked in a greenlet, or in a thread of Python's, which the end of the interpreter may
    overtake: this thread, the library's, then waits on outside Python.
    """
    if _exiting:
        return failed
    answers: list[_T] = []
    lock = _closed_lock()

    def run() -> None:
        try:
            answers.append(ask())
        except KeyboardInterrupt:
            _thread.interrupt_main()  # As above.
        finally:
            if not _ended:
                release(lock)

    try:
        start(run)
    except RuntimeError:
        release(lock)  # There is no thread, or none any more.
    _wait_for_lock(lock, -1, 0)
    _free_lock(lock)
    return answers[0] if answers else failed


def _at_exit() -> None:
    """Closes every client, and waits until the library calls no more.

    It does not wait for an exchange that hangs: that ends silently.
    """
    global _exiting, _ended
    _exiting = True
    for reference in _cores.valuerefs():
        core = reference()
        if core is not None:
            core.close()
    until = time.monotonic() + LONGEST_EXIT
    for lock in list(_unreleased):
        left = max(0.0, until - time.monotonic())
        _wait_for_lock(lock, int(left * 1_000_000), 0)
    _ended = True


def _in_forked_child() -> None:
    """Forgets what the parent's threads wait for: this process must not end or free it."""
    _awaited.clear()
    for reference in _cores.valuerefs():
        core = reference()
        if core is not None:
            core.forget_calls()


atexit.register(_at_exit)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_forked_child)


# --- Calls ---


def tell_when_complete(on_complete: Any, call: Any, wake: Callable[[], object]) -> None:
    """Has the library's function call `wake` once, from any thread."""
    number, error = next(_numbers), ErrorPointer()
    _awaited[number] = wake
    status = on_complete(call, _on_complete, number, byref(error))
    if status:
        _awaited.pop(number, None)
        raise exception(status, error)


class Call(OperationPointer):
    """A call under way, without a thread of its own."""

    # By identity; ctypes takes it away.
    __hash__ = object.__hash__

    def wait(self, timeout_ms: int) -> Any:
        """The answer, or None if it is not there in time."""
        raise NotImplementedError

    def on_complete(self, wake: Callable[[], object]) -> None:
        """Calls `wake` once, from any thread, when the call is complete, however it ends."""
        tell_when_complete(lib.operation_on_complete, self, wake)

    def cancel(self) -> None:
        lib.operation_cancel(self)


class TokenCall(Call):
    def wait(self, timeout_ms: int) -> Token | None:
        token, error = TokenPointer(), ErrorPointer()
        status = lib.operation_wait(self, timeout_ms, byref(token), byref(error))
        if status == Status.PENDING:
            return None
        check(status, error)
        return Token(token)


class RequestCall(Call):
    def wait(self, timeout_ms: int) -> Response | None:
        response, error = ResponsePointer(), ErrorPointer()
        status = lib.operation_wait_response(self, timeout_ms, byref(response), byref(error))
        if status == Status.PENDING:
            return None
        check(status, error)
        return Response(response)


class NoKey(enum.Enum):
    """The type of `NO_KEY`."""

    NO_KEY = enum.auto()


NO_KEY = NoKey.NO_KEY
"""In place of an API key: a client without one, which can upload by token alone."""


class Core:
    """One client of the library."""

    def __init__(
        self,
        api_key: bytes | NoKey | None,
        config: ConfigPointer,
        on_state: Callable[[TokenState], None] | None,
        store: object = None,
    ) -> None:
        if on_state is not None and not callable(on_state):
            raise TypeError(f"`on_state` must be a function, not {type(on_state).__name__}")
        self.token = NO_TOKEN
        """The last one seen; in use as long as `lib.client_token_id` says so."""
        self.on_state = on_state
        self.store = store
        """Only kept: the library has no reference to it."""
        self.calls: set[Any] = set()
        adopt_greenlets()
        self.pointer: ClientPointer | None = ClientPointer()
        """None once closed. The last reference to it frees the library's client."""
        error = ErrorPointer()
        number = new_user_data()
        check(lib.config_set_log(config, LogLevel.DEBUG, _on_log, number, release, byref(error)), error)
        if on_state is not None:
            number = new_user_data()
            check(lib.config_set_on_state(config, _on_state, number, release, byref(error)), error)
        if isinstance(api_key, NoKey):
            check(lib.client_new_without_key(config, byref(self.pointer), byref(error)), error)
        else:
            check(lib.client_new(api_key, config, byref(self.pointer), byref(error)), error)
        self.base_url = str(lib.client_base_url(self.pointer), "ascii")
        _cores[number] = self

    def open(self) -> ClientPointer:
        pointer = self.pointer
        if pointer is None:
            raise closed("The client is closed.")
        return pointer

    def close(self) -> None:
        self.pointer = None
        self.token = NO_TOKEN
        for call in list(self.calls):
            call.cancel()

    def forget_calls(self) -> None:
        for call in self.calls:
            call.value = None
        self.calls.clear()

    # --- Calls: `start` is the library's function; its first argument is the client ---

    def wait(self, start: Any, *arguments: object) -> Token:
        return self.keep(self.answer(TokenCall(), start, *arguments))

    async def wait_async(self, start: Any, *arguments: object) -> Token:
        return self.keep(await self.answer_async(TokenCall(), start, *arguments))

    def request(self, method: str, path: str, body: object) -> Response:
        response: Response = self.answer(RequestCall(), lib.request_start, *_request(method, path, body))
        return response

    async def request_async(self, method: str, path: str, body: object) -> Response:
        asked = _request(method, path, body)
        response: Response = await self.answer_async(RequestCall(), lib.request_start, *asked)
        return response

    def answer(self, call: Any, start: Any, *arguments: object) -> Any:
        pointer = self.open()
        try:
            self.begin(call, start, pointer, *arguments)
            del pointer  # So that close() frees the client although this call waits.
            return wait(call)
        except ApiVideoError as error:
            raise self.why(error) from None
        finally:
            self.end(call)

    async def answer_async(self, call: Any, start: Any, *arguments: object) -> Any:
        pointer = self.open()
        try:
            self.begin(call, start, pointer, *arguments)
            del pointer  # So that close() frees the client although this call waits.
            return await wait_async(call)
        except ApiVideoError as error:
            raise self.why(error) from None
        finally:
            self.end(call)

    def begin(self, call: Any, start: Any, *arguments: object) -> None:
        error = ErrorPointer()
        check(start(*arguments, byref(call), byref(error)), error)
        self.calls.add(call)
        if self.pointer is None:
            call.cancel()  # The client was closed just now, and may not have seen this call.

    def end(self, call: Any) -> None:
        """Leaves nothing behind, however the wait ended."""
        self.calls.discard(call)
        call.cancel()

    def keep(self, token: Token) -> Token:
        self.token = token
        if self.pointer is None:
            self.token = NO_TOKEN
        return token

    def why(self, error: ApiVideoError) -> ApiVideoError:
        """Gives the error to raise after a failure."""
        return closed(_CLOSED_MEANWHILE) if self.pointer is None else error

    # --- The rest ---

    def invalidate(self, token: Token) -> None:
        if not isinstance(token, Token):
            raise TypeError(f"a Token is needed, not {type(token).__name__}")
        error = ErrorPointer()
        check(lib.invalidate_token(self.open(), token._pointer, byref(error)), error)

    def statistics(self) -> StatisticsPointer:
        statistics, error = StatisticsPointer(), ErrorPointer()
        check(lib.client_get_statistics(self.open(), byref(statistics), byref(error)), error)
        return statistics


def closed(message: str) -> ClosedError:
    """Gives the error of a closed client."""
    if _exiting and threading.current_thread().daemon:
        # The program is over, and this thread ends with it: an exception would only be noise on
        # stderr.
        threading.Event().wait()
    return ClosedError(message)


def value_of(statistics: StatisticsPointer, statistic: Statistic) -> int:
    value, error = c_uint64(), ErrorPointer()
    check(lib.statistics_get(statistics, statistic, byref(value), byref(error)), error)
    return value.value


# --- Arguments ---


def encoded(setting: str, value: str) -> bytes:
    """Encodes a text for C. No exception holds the text, which may be secret."""
    if not isinstance(value, str):
        raise TypeError(f"`{setting}` must be a str, not {type(value).__name__}")
    # C would stop reading there.
    if "\0" in value:
        raise InvalidArgumentError(f"`{setting}` has a NUL character in it.")
    if any("\ud800" <= each <= "\udfff" for each in value):
        raise InvalidUTF8Error(f"`{setting}` has half of a surrogate pair in it, which UTF-8 cannot express.")
    return value.encode()


def _request(method: str, path: str, body: object) -> tuple[bytes, bytes, bytes | None]:
    """Gives the arguments of a request for C. `body` is anything that is JSON, or None."""
    import json  # Who wants only tokens does without.

    text = None if body is None else json.dumps(body, allow_nan=False).encode()
    return encoded("method", method), encoded("path", path), text


def verify_webhook(secret: str, body: bytes, signature: str | None) -> bool:
    """Tells whether a webhook call comes from api.video. Any thread may call this.

    secret: the webhook's `signatureSecret`, as the API gave it.
    body: the call's body as it came: not parsed and written anew.
    signature: the value of the call's header `X-Api-Video-Signature`; None if it has none.

    It takes the same time wherever the first difference is. It is False if the secret is empty, and
    whatever a stranger sends as a signature. A signature says nothing about when a call was made:
    one that was recorded is good for ever.
    """
    data = bytes(body)
    key = encoded("secret", secret)
    try:
        given = encoded("signature", signature or "")
    except ApiVideoError:
        return False  # A signature is ASCII.
    return bool(lib.webhook_verify(key, data, len(data), given))


def validity(min_validity: Seconds | None) -> int:
    return 0 if min_validity is None else to_ms("min_validity", min_validity)


def to_ms(setting: str, value: Seconds) -> int:
    """Gives seconds or a timedelta as milliseconds, rounded up. The library checks the range."""
    seconds = value.total_seconds() if isinstance(value, timedelta) else value
    try:
        possible = 0 <= seconds < sys.maxsize / 1000
    except TypeError:
        raise TypeError(f"`{setting}` must be a number of seconds or a timedelta, not {type(value).__name__}") from None
    if not possible:
        raise InvalidArgumentError(f"`{setting}` must be a number of seconds from 0 on, or a timedelta.")
    return math.ceil(seconds * 1000)


def to_ms_32(setting: str, value: Seconds) -> int:
    milliseconds = to_ms(setting, value)
    if milliseconds >= 2**32:
        raise InvalidArgumentError(f"`{setting}` is longer than 49 days.")
    return milliseconds


def size_of(setting: str, value: int) -> int:
    """Gives a number as C takes it. The library checks the range."""
    if not isinstance(value, int):
        raise TypeError(f"`{setting}` must be an int, not {type(value).__name__}")
    # What does not fit is out of the range too.
    return value if 0 <= value < 2**64 else 0


def path_of(setting: str, value: str | os.PathLike[str]) -> str:
    try:
        return os.fspath(value)
    except TypeError:
        raise TypeError(f"`{setting}` must be a str or a path, not {type(value).__name__}") from None


def number_of(environment: str) -> Environment:
    try:
        return Environment[environment.upper()]
    except (KeyError, AttributeError):
        raise InvalidArgumentError('`environment` must be "production" or "sandbox".') from None


def configured(
    environment: str | None,
    base_url: str | None,
    app: tuple[str | None, str | None],
    sdk: tuple[str, str],
    proxy: str | None,
    ca_file: str | os.PathLike[str] | None,
    timeouts: dict[str, Seconds | None],
    switches: dict[str, bool],
    max_reply_bytes: int | None,
) -> ConfigPointer:
    config, error = ConfigPointer(), ErrorPointer()

    def set_(setting: str, *values: object) -> None:
        check(getattr(lib, f"config_set_{setting}")(config, *values, byref(error)), error)

    check(lib.config_new(byref(config), byref(error)), error)
    if environment is not None:
        set_("environment", number_of(environment))
    if base_url is not None:
        set_("base_url", encoded("base_url", base_url))
    name, version = app
    if name is not None or version is not None:
        if name is None or version is None:
            raise InvalidArgumentError("`app_name` and `app_version` go together.")
        set_("app", encoded("app_name", name), encoded("app_version", version))
    set_("sdk", *(text.encode() for text in sdk))
    if proxy is not None:
        set_("proxy", encoded("proxy", proxy))
    if ca_file is not None:
        set_("ca_file", encoded("ca_file", path_of("ca_file", ca_file)))
    for setting, seconds in timeouts.items():
        if seconds is not None:
            set_(f"{setting}_ms", to_ms_32(setting, seconds))
    for setting, on in switches.items():
        set_(setting, bool(on))
    if max_reply_bytes is not None:
        set_("max_reply_bytes", size_of("max_reply_bytes", max_reply_bytes))
    return config
