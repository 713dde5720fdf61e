"""Where processes share a token."""

from __future__ import annotations

from ctypes import byref

from . import _core
from ._abi import ConfigPointer, ErrorPointer, StorePointer, lib
from ._errors import check

TYPE_CHECKING = False
if TYPE_CHECKING:
    import os


class Store:
    """A place where the processes that use one API key share its token.

    Any number of clients, with any keys, may use one. What is kept there is sealed with a key that comes
    from the API key.
    """

    _pointer: StorePointer

    def _use(self, config: ConfigPointer) -> None:
        error = ErrorPointer()
        check(lib.config_set_store(config, self._pointer, byref(error)), error)


class FileStore(Store):
    """Shares a token between the processes that one user has on one machine, by files."""

    def __init__(self, directory: str | os.PathLike[str] | None = None) -> None:
        """Takes a directory that is this user's alone (mode 0700), or that is made so.

        directory: None means the usual one: .cache/libapivideo in the home directory that the system
            has for the user, whatever HOME says.

        Raises InvalidArgumentError if the directory cannot be used, is another user's, can be used by
        others, is a symbolic link, or is on a network.
        """
        path = None if directory is None else _core.encoded("directory", _core.path_of("directory", directory))
        self._pointer = StorePointer()
        error = ErrorPointer()
        check(lib.store_new_file(path, byref(self._pointer), byref(error)), error)


class RedisStore(Store):
    """Shares a token between the processes of many machines, by Redis or Valkey."""

    def __init__(self, url: str, *, ca_file: str | os.PathLike[str] | None = None) -> None:
        """Sends nothing yet.

        url: `redis://[user:password@]host[:port][/database]`, or `rediss://` for TLS, user and password
            percent-encoded. A cluster is named by any of its nodes. Behind Sentinel:
            `redis+sentinel://[user:password@]host[:port],.../name[/database]`.
        ca_file: a PEM file of certificates that are trusted besides the system's.

        Raises InvalidArgumentError.
        """
        pem = None if ca_file is None else _core.encoded("ca_file", _core.path_of("ca_file", ca_file))
        self._pointer = StorePointer()
        error = ErrorPointer()
        check(lib.store_new_redis(_core.encoded("url", url), pem, byref(self._pointer), byref(error)), error)
