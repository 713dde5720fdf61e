"""Where processes share a token."""

from __future__ import annotations

import atexit
import ctypes
import math
import operator
import weakref
from ctypes import byref
from typing import TYPE_CHECKING, NamedTuple

from . import _core
from ._abi import (
    ConfigPointer,
    ErrorPointer,
    RecordPointer,
    StoreLoadCallback,
    StorePointer,
    StoreResult,
    StoreSwapCallback,
    lib,
)
from ._errors import InvalidArgumentError, check

if TYPE_CHECKING:
    import os
    from collections.abc import Callable
    from typing import NoReturn, TypeVar

    _T = TypeVar("_T")
    _Loaded = tuple[int, bytes, int]

"""Bytes of a record."""


class Store:
    """A place where the processes that use one API key share its token.

    A FileStore, a RedisStore, or an OwnStore. Any number of clients, with any keys, may use one,
    from any thread, and in forked children too. What is kept there is sealed with a key that comes
    from the API key.
    """

    _pointer: StorePointer | None = None

    def _opened(self) -> StorePointer:
        if self._pointer is None:
            raise TypeError("a Store is a FileStore, a RedisStore, or a subclass of OwnStore")
        return self._pointer

    def __reduce__(self) -> NoReturn:
        raise TypeError(f"a {type(self).__name__} cannot be pickled or copied; make one in each process")


class FileStore(Store):
    """Shares a token between the processes that one user has on one machine, by files."""

    def __init__(self, directory: str | os.PathLike[str] | None = None) -> None:
        """Takes a directory that is this user's alone (mode 0700), or that is made so.

        directory: None means the usual one: .cache/libapivideo in the home directory that the
            system has for the user, whatever HOME says; on Windows below %LOCALAPPDATA%.

        Raises InvalidArgumentError if the directory cannot be used, is another user's, can be used
        by others, is a symbolic link, or is on a network.
        """
        self._pointer = _made(lib.store_new_file, _path("directory", directory))


class RedisStore(Store):
    """Shares a token between the processes of many machines, by Redis or Valkey."""

    def __init__(self, url: str, *, ca_file: str | os.PathLike[str] | None = None) -> None:
        """Sends nothing yet.

        url: `redis://[user:password@]host[:port][/database]`, or `rediss://` for TLS, user and
            password percent-encoded. A cluster is named by any of its nodes. Behind Sentinel:
            `redis+sentinel://[user:password@]host[:port],.../name[/database]`.
        ca_file: a PEM file of certificates that are trusted besides the system's.

        Raises InvalidArgumentError.
        """
        self._pointer = _made(lib.store_new_redis, _core.encoded("url", url), _path("ca_file", ca_file))


class Record(NamedTuple):
    """What an OwnStore keeps under a name."""

    version: int
    """
    From 1 to 2**63 - 1; another one for each record that was ever kept under the name. 0, without
    data: nothing is kept, and `now` is the store's clock all the same.
    """
    data: bytes
    """Sealed, up to 65,536 bytes: it tells nothing about the key or the token."""
    now: float | None = None
    """
    Of a record that was loaded: what the store's own clock says now, in seconds since 1970, where
    processes on machines with different clocks share it. None for this machine's.
    """


class OwnStore(Store):
    """A store of a program's own, to subclass: a table, or anything else that can compare and swap.

    `load` and `swap` are called on threads of their own, one call at a time for each process; if
    gevent has patched Python's locks, in a greenlet, and if eventlet has, while some call waits for
    a token. A call that takes longer than `store_timeout` is given up, and no other is made until
    it returns. They must not ask a client for a token whose store this is.

    What they raise is a failure of the store: it costs no caller its token and is counted in
    `store_failures`. The first one after a success goes to the log, with its traceback.
    """

    _failing: frozenset[str] = frozenset()
    """Which methods have raised last time."""

    def load(self, name: str, timeout: float) -> Record | None:
        """Gives what is kept under a name; None if there is nothing.

        name: up to 64 characters of a-z, 0-9 and "-".
        timeout: after so many seconds nobody waits for the answer any more.
        """
        raise NotImplementedError(f"{type(self).__name__} has no load()")

    def swap(self, name: str, expected: int, record: Record, keep: float, timeout: float) -> bool:
        """Keeps a record under a name, if what is kept there now has the expected version.

        Returns whether it did. The comparison and the change must be one step for all who use the
        store: without that a token is shared all the same, but more exchanges are made.

        expected: the version to take the place of; 0: there must be nothing.
        record: what to keep: its version and its data.
        keep: after so many seconds the record may be removed.
        timeout: as for `load`.
        """
        raise NotImplementedError(f"{type(self).__name__} has no swap()")

    def _opened(self) -> StorePointer:
        # Not in a constructor, which a subclass may forget to call.
        if self._pointer is None:
            number = _core.new_user_data()
            _own[number] = self
            self._pointer = _made(lib.store_new, _on_load, _on_swap, number, _core.release)
        return self._pointer


_own: weakref.WeakValueDictionary[int, OwnStore] = weakref.WeakValueDictionary()
"""A client that uses one keeps it."""


def _load(name: bytes, timeout_ms: int, record: RecordPointer, number: int) -> int:
    def load(store: OwnStore) -> tuple[StoreResult, _Loaded | None]:
        kept = store.load(name.decode(), timeout_ms / 1000)
        return StoreResult.OK, None if kept is None else _checked(kept)

    failed: tuple[StoreResult, _Loaded | None] = (StoreResult.FAILED, None)
    # In this thread, for the record is gone when this returns.
    result, loaded = _ask("load", number, load, failed)
    if loaded is not None and not _is_set(record, *loaded):
        return StoreResult.FAILED
    return result


def _is_set(record: RecordPointer, version: int, data: bytes, now_ms: int) -> bool:
    """Hands a record over, unless the library refuses it."""
    error = ErrorPointer()
    try:
        check(lib.record_set(record, version, data, len(data), now_ms, byref(error)), error)
    except InvalidArgumentError:
        _core.logger.warning("The program's own store: load() gave what is no record.", exc_info=True)
        return False
    return True


def _swap(
    name: bytes, expected: int, version: int, data: int, size: int, keep_ms: int, timeout_ms: int, number: int
) -> int:
    record = Record(version, ctypes.string_at(data, size))

    def swap(store: OwnStore) -> StoreResult:
        swapped = store.swap(name.decode(), expected, record, keep_ms / 1000, timeout_ms / 1000)
        return StoreResult.OK if swapped else StoreResult.CONFLICT

    return _ask("swap", number, swap, StoreResult.FAILED)


_on_load = StoreLoadCallback(_load)
_on_swap = StoreSwapCallback(_swap)


def _ask(what: str, number: int, call: Callable[[OwnStore], _T], failed: _T) -> _T:
    """Makes a call, and logs what it raises if that is new."""
    store = _own.get(number)

    def ask() -> _T:
        if store is None:
            return failed
        try:
            answer = call(store)
        except KeyboardInterrupt:
            raise
        except BaseException:
            if what not in store._failing:
                store._failing |= {what}
                _core.logger.warning("The program's own store: %s() raised.", what, exc_info=True)
            return failed
        store._failing -= {what}
        return answer

    return _core.answer(ask, failed)


def _checked(kept: Record) -> _Loaded:
    version, data = operator.index(kept.version), bytes(kept.data)
    # The library checks the rest; ctypes would cut off what does not fit.
    if not 0 <= version < 2**63:
        raise ValueError(f"the record's version is {version}; it must be from 0 to 2**63 - 1")
    now_ms = 0 if kept.now is None else math.floor(kept.now * 1000)
    if not 0 <= now_ms < 2**63:
        raise ValueError(f"the record's time is {kept.now}; it must be seconds since 1970")
    return version, data, now_ms


def _made(make: Callable[..., int], *arguments: object) -> StorePointer:
    store, error = StorePointer(), ErrorPointer()
    check(make(*arguments, byref(store), byref(error)), error)
    return store


def _path(setting: str, path: str | os.PathLike[str] | None) -> bytes | None:
    return None if path is None else _core.encoded(setting, _core.path_of(setting, path))


def _named(name: str, ca_file: str | os.PathLike[str] | None) -> Store:
    """Makes the store that a text names, as APIVIDEO_STORE of the environment does."""
    store = Store()
    try:
        store._pointer = _made(lib.store_new_named, _core.encoded("store", name), _path("ca_file", ca_file))
    except InvalidArgumentError as error:
        raise type(error)(str(error).replace("`name`", "`store`")) from None
    return store


def use(store: Store | str, ca_file: str | os.PathLike[str] | None, config: ConfigPointer) -> Store | None:
    """Sets the store of a client, and gives what that must keep."""
    chosen: Store | None
    if isinstance(store, str):
        chosen = _named(store, ca_file) if store else None
    elif isinstance(store, Store):
        chosen = store
    else:
        raise TypeError(f"`store` must be a FileStore, a RedisStore, an OwnStore or a str, not {type(store).__name__}")
    error = ErrorPointer()
    check(lib.config_set_store(config, None if chosen is None else chosen._opened(), byref(error)), error)
    return chosen


def _at_exit() -> None:
    """Else the end of the interpreter would wait for stores that nobody uses any more."""
    for store in list(_own.values()):
        store._pointer = None


# It runs before that of `_core`, which waits.
atexit.register(_at_exit)
