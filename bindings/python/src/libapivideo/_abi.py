"""The C ABI that `include/apivideo.h` declares: types, numbers, prototypes, and the library.

Nothing here decides anything. A test compares every line with the header.
"""

from __future__ import annotations

import ctypes
import enum
import os
import sys
from ctypes import POINTER, c_bool, c_char_p, c_int32, c_int64, c_size_t, c_uint32, c_uint64, c_void_p

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

ABI_VERSION = 1


class Status(enum.IntEnum):
    """The result of a call. The numbers are those of the C library, and never change."""

    OK = 0
    INVALID_ARGUMENT = 1
    NULL_ARGUMENT = 2
    INVALID_UTF8 = 3
    KEY_REJECTED = 4
    REFRESH_REJECTED = 5
    NO_REFRESH_TOKEN = 6
    TOKEN_REJECTED = 7
    RATE_LIMITED = 8
    SERVER_ERROR = 9
    PROTOCOL_ERROR = 10
    NETWORK_ERROR = 11
    TLS_ERROR = 12
    TIMEOUT = 13
    PENDING = 14
    CANCELLED = 15
    CLOSED = 16
    SYSTEM_ERROR = 17
    INTERNAL = 18
    REQUEST_REJECTED = 19
    FILE_ERROR = 20


class Statistic(enum.IntEnum):
    AUTHENTICATE_REQUESTS = 0
    REFRESH_REQUESTS = 1
    TOKENS_GRANTED = 2
    REFRESH_REJECTIONS = 3
    KEY_REJECTIONS = 4
    FAILURES = 5
    INVALIDATIONS = 6
    TIMEOUTS = 7
    WAITERS = 8
    CONSECUTIVE_FAILURES = 9
    RETRY_IN_MS = 10
    EXCHANGES_IN_FLIGHT = 11
    TOKENS_ADOPTED = 12
    STORE_FAILURES = 13


class StoreResult(enum.IntEnum):
    OK = 0
    CONFLICT = 1
    FAILED = 2


class Environment(enum.IntEnum):
    PRODUCTION = 0
    SANDBOX = 1


class LogLevel(enum.IntEnum):
    OFF = 0
    ERROR = 1
    WARNING = 2
    INFO = 3
    DEBUG = 4


class TokenState(enum.IntEnum):
    """What a client can give, now."""

    NONE = 0
    """There has been no token yet."""
    VALID = 1
    """A valid token is at hand."""
    RENEWAL_FAILING = 2
    """A valid token is at hand, but renewing it fails."""
    EXPIRED = 3
    """The last token has expired; the next call gets another."""
    REJECTED = 4
    """The API rejected the token; the next call gets another."""
    UNAVAILABLE = 5
    """No valid token, and getting one fails."""


class Pointer(c_void_p):
    """An opaque pointer that belongs to its Python object, and is freed with it.

    A call holds a reference to its arguments, so nothing is freed while a call is using it.
    """

    _free: Callable[[int], None]

    def free(self) -> None:
        value, self.value = self.value, None
        if value:
            self._free(value)

    def __del__(self) -> None:
        self.free()


class ClientPointer(Pointer):
    pass


class ConfigPointer(Pointer):
    pass


class ErrorPointer(Pointer):
    pass


class OperationPointer(Pointer):
    pass


class ResponsePointer(Pointer):
    pass


class StatisticsPointer(Pointer):
    pass


class UploadPointer(Pointer):
    pass


class RecordPointer(c_void_p):
    """The library's own, and none to free."""


class StorePointer(Pointer):
    pass


class TokenPointer(Pointer):
    pass


LogCallback = ctypes.CFUNCTYPE(None, c_int32, c_char_p, c_void_p)
ReleaseCallback = ctypes.CFUNCTYPE(None, c_void_p)
StateCallback = ctypes.CFUNCTYPE(None, c_int32, c_void_p)
CompletionCallback = ctypes.CFUNCTYPE(None, c_void_p)
ProgressCallback = ctypes.CFUNCTYPE(None, c_uint64, c_uint64, c_uint64, c_void_p)
StoreLoadCallback = ctypes.CFUNCTYPE(c_int32, c_char_p, c_uint32, RecordPointer, c_void_p)
StoreSwapCallback = ctypes.CFUNCTYPE(
    c_int32, c_char_p, c_uint64, c_uint64, c_void_p, c_size_t, c_uint64, c_uint32, c_void_p
)

# Results: each class is what ctypes makes of it. A status stays a plain number, so that one of a
# later library does no harm.
_status = c_int32
_error_out = POINTER(ErrorPointer)
_token_out = POINTER(TokenPointer)
_response_out = POINTER(ResponsePointer)

PROTOTYPES: dict[str, tuple[Any, list[Any]]] = {
    "apivideo_client_new": (_status, [c_char_p, ConfigPointer, POINTER(ClientPointer), _error_out]),
    "apivideo_client_new_without_key": (_status, [ConfigPointer, POINTER(ClientPointer), _error_out]),
    "apivideo_client_free": (None, [ClientPointer]),
    "apivideo_get_token": (_status, [ClientPointer, _token_out, _error_out]),
    "apivideo_client_base_url": (c_char_p, [ClientPointer]),
    "apivideo_client_token_id": (c_uint64, [ClientPointer]),
    "apivideo_get_token_valid_for": (_status, [ClientPointer, c_uint64, _token_out, _error_out]),
    "apivideo_get_token_start": (_status, [ClientPointer, c_uint64, POINTER(OperationPointer), _error_out]),
    "apivideo_authenticate": (_status, [ClientPointer, _token_out, _error_out]),
    "apivideo_authenticate_start": (_status, [ClientPointer, POINTER(OperationPointer), _error_out]),
    "apivideo_refresh_start": (_status, [ClientPointer, POINTER(OperationPointer), _error_out]),
    "apivideo_refresh": (_status, [ClientPointer, _token_out, _error_out]),
    "apivideo_invalidate_token": (_status, [ClientPointer, TokenPointer, _error_out]),
    "apivideo_client_get_statistics": (_status, [ClientPointer, POINTER(StatisticsPointer), _error_out]),
    "apivideo_config_new": (_status, [POINTER(ConfigPointer), _error_out]),
    "apivideo_config_free": (None, [ConfigPointer]),
    "apivideo_config_set_environment": (_status, [ConfigPointer, c_int32, _error_out]),
    "apivideo_config_set_base_url": (_status, [ConfigPointer, c_char_p, _error_out]),
    "apivideo_config_set_app": (_status, [ConfigPointer, c_char_p, c_char_p, _error_out]),
    "apivideo_config_set_sdk": (_status, [ConfigPointer, c_char_p, c_char_p, _error_out]),
    "apivideo_config_set_connect_timeout_ms": (_status, [ConfigPointer, c_uint32, _error_out]),
    "apivideo_config_set_attempt_timeout_ms": (_status, [ConfigPointer, c_uint32, _error_out]),
    "apivideo_config_set_wait_timeout_ms": (_status, [ConfigPointer, c_uint32, _error_out]),
    "apivideo_config_set_wait_for_recovery": (_status, [ConfigPointer, c_int32, _error_out]),
    "apivideo_config_set_keep_fresh": (_status, [ConfigPointer, c_int32, _error_out]),
    "apivideo_config_set_max_reply_bytes": (_status, [ConfigPointer, c_uint64, _error_out]),
    "apivideo_config_set_proxy": (_status, [ConfigPointer, c_char_p, _error_out]),
    "apivideo_config_set_ca_file": (_status, [ConfigPointer, c_char_p, _error_out]),
    "apivideo_config_set_store": (_status, [ConfigPointer, StorePointer, _error_out]),
    "apivideo_config_set_store_timeout_ms": (_status, [ConfigPointer, c_uint32, _error_out]),
    "apivideo_config_set_log": (_status, [ConfigPointer, c_int32, LogCallback, c_void_p, ReleaseCallback, _error_out]),
    "apivideo_config_set_on_state": (_status, [ConfigPointer, StateCallback, c_void_p, ReleaseCallback, _error_out]),
    "apivideo_status_string": (c_char_p, [c_int32]),
    "apivideo_error_status": (_status, [ErrorPointer]),
    "apivideo_error_message": (c_char_p, [ErrorPointer]),
    "apivideo_error_http_status": (c_int32, [ErrorPointer]),
    "apivideo_error_problem_type": (c_char_p, [ErrorPointer]),
    "apivideo_error_title": (c_char_p, [ErrorPointer]),
    "apivideo_error_name": (c_char_p, [ErrorPointer]),
    "apivideo_error_detail": (c_char_p, [ErrorPointer]),
    "apivideo_error_problem_count": (c_size_t, [ErrorPointer]),
    "apivideo_error_problem_type_at": (c_char_p, [ErrorPointer, c_size_t]),
    "apivideo_error_title_at": (c_char_p, [ErrorPointer, c_size_t]),
    "apivideo_error_name_at": (c_char_p, [ErrorPointer, c_size_t]),
    "apivideo_error_detail_at": (c_char_p, [ErrorPointer, c_size_t]),
    "apivideo_error_is_retryable": (c_bool, [ErrorPointer]),
    "apivideo_error_retry_after_ms": (c_int64, [ErrorPointer]),
    "apivideo_error_free": (None, [ErrorPointer]),
    "apivideo_operation_wait": (_status, [OperationPointer, c_uint32, _token_out, _error_out]),
    "apivideo_operation_wait_response": (_status, [OperationPointer, c_uint32, _response_out, _error_out]),
    "apivideo_operation_on_complete": (_status, [OperationPointer, CompletionCallback, c_void_p, _error_out]),
    "apivideo_operation_cancel": (None, [OperationPointer]),
    "apivideo_operation_free": (None, [OperationPointer]),
    "apivideo_request": (_status, [ClientPointer, c_char_p, c_char_p, c_char_p, _response_out, _error_out]),
    "apivideo_request_start": (
        _status,
        [ClientPointer, c_char_p, c_char_p, c_char_p, POINTER(OperationPointer), _error_out],
    ),
    "apivideo_upload_file": (_status, [ClientPointer, c_char_p, c_char_p, _response_out, _error_out]),
    "apivideo_upload_new": (_status, [ClientPointer, POINTER(UploadPointer), _error_out]),
    "apivideo_upload_set_video_id": (_status, [UploadPointer, c_char_p, _error_out]),
    "apivideo_upload_set_token": (_status, [UploadPointer, c_char_p, _error_out]),
    "apivideo_upload_set_file": (_status, [UploadPointer, c_char_p, _error_out]),
    "apivideo_upload_set_file_name": (_status, [UploadPointer, c_char_p, _error_out]),
    "apivideo_upload_set_size": (_status, [UploadPointer, c_uint64, _error_out]),
    "apivideo_upload_set_chunk_size": (_status, [UploadPointer, c_uint64, _error_out]),
    "apivideo_upload_set_parallel": (_status, [UploadPointer, c_uint32, _error_out]),
    "apivideo_upload_set_resume": (_status, [UploadPointer, c_int32, _error_out]),
    "apivideo_upload_set_on_progress": (
        _status,
        [UploadPointer, ProgressCallback, c_void_p, ReleaseCallback, _error_out],
    ),
    "apivideo_upload_start": (_status, [UploadPointer, _error_out]),
    "apivideo_upload_write": (_status, [UploadPointer, c_void_p, c_size_t, _error_out]),
    "apivideo_upload_finish": (_status, [UploadPointer, _error_out]),
    "apivideo_upload_wait": (_status, [UploadPointer, c_uint32, _response_out, _error_out]),
    "apivideo_upload_on_complete": (_status, [UploadPointer, CompletionCallback, c_void_p, _error_out]),
    "apivideo_upload_progress": (
        None,
        [UploadPointer, POINTER(c_uint64), POINTER(c_uint64), POINTER(c_uint64)],
    ),
    "apivideo_upload_video_id": (c_char_p, [UploadPointer]),
    "apivideo_upload_cancel": (None, [UploadPointer]),
    "apivideo_upload_free": (None, [UploadPointer]),
    "apivideo_webhook_verify": (c_bool, [c_char_p, c_void_p, c_size_t, c_char_p]),
    "apivideo_response_http_status": (c_int32, [ResponsePointer]),
    # Bytes, which may have a NUL among them.
    "apivideo_response_body": (c_void_p, [ResponsePointer]),
    "apivideo_response_body_length": (c_size_t, [ResponsePointer]),
    "apivideo_response_header": (c_char_p, [ResponsePointer, c_char_p]),
    "apivideo_response_next_page": (c_char_p, [ResponsePointer]),
    "apivideo_response_free": (None, [ResponsePointer]),
    "apivideo_statistics_get": (_status, [StatisticsPointer, c_int32, POINTER(c_uint64), _error_out]),
    "apivideo_statistics_free": (None, [StatisticsPointer]),
    "apivideo_store_new_file": (_status, [c_char_p, POINTER(StorePointer), _error_out]),
    "apivideo_store_new_redis": (_status, [c_char_p, c_char_p, POINTER(StorePointer), _error_out]),
    "apivideo_store_new_named": (_status, [c_char_p, c_char_p, POINTER(StorePointer), _error_out]),
    "apivideo_store_new": (
        _status,
        [StoreLoadCallback, StoreSwapCallback, c_void_p, ReleaseCallback, POINTER(StorePointer), _error_out],
    ),
    "apivideo_store_free": (None, [StorePointer]),
    "apivideo_record_set": (_status, [RecordPointer, c_uint64, c_void_p, c_size_t, c_int64, _error_out]),
    "apivideo_token_authorization": (c_char_p, [TokenPointer]),
    "apivideo_token_access_token": (c_char_p, [TokenPointer]),
    "apivideo_token_token_type": (c_char_p, [TokenPointer]),
    "apivideo_token_refresh_token": (c_char_p, [TokenPointer]),
    "apivideo_token_id": (c_uint64, [TokenPointer]),
    "apivideo_token_expires_in_ms": (c_int64, [TokenPointer]),
    "apivideo_token_expires_at_ms": (c_int64, [TokenPointer]),
    "apivideo_token_lifetime_ms": (c_int64, [TokenPointer]),
    "apivideo_token_clone": (TokenPointer, [TokenPointer]),
    "apivideo_token_free": (None, [TokenPointer]),
    "apivideo_version": (c_char_p, []),
    "apivideo_version_number": (c_uint32, []),
    "apivideo_abi_version": (c_uint32, []),
}

# These only look something up: they keep the GIL, which is faster than to give it back and wait for
# it. Every other call releases it. (`apivideo_client_token_id` never waits, but may call the log: a
# callback takes the GIL it already has.)
KEEP_GIL = (
    "apivideo_client_token_id",
    "apivideo_error_",
    "apivideo_response_",
    "apivideo_statistics_",
    "apivideo_token_",
    "apivideo_upload_progress",
    "apivideo_upload_video_id",
    "apivideo_version",
)

FILE_NAME = {"darwin": "libapivideo.dylib", "win32": "apivideo.dll"}.get(sys.platform, "libapivideo.so")


def library_path() -> str:
    """Finds the library: `LIBAPIVIDEO_PATH` (the file or its folder), or beside this code."""
    chosen = os.environ.get("LIBAPIVIDEO_PATH")
    if not chosen:
        return os.path.join(os.path.dirname(os.path.abspath(__file__)), FILE_NAME)
    # Absolute: the system's loader would look for a bare name elsewhere.
    return os.path.abspath(os.path.join(chosen, FILE_NAME) if os.path.isdir(chosen) else chosen)


def for_freezers() -> None:
    """Is never called. Nuitka and others read it, and pack the file as an extension module."""
    from . import libapivideo as libapivideo  # type: ignore[attr-defined] # pyright: ignore


class Library:
    """The C functions, without `apivideo_` before their names."""

    def __init__(self, path: str) -> None:
        """Raises ImportError, in words, if there is no library at `path` or it does not fit."""
        who = "LIBAPIVIDEO_PATH names" if os.environ.get("LIBAPIVIDEO_PATH") else "This package needs"
        if not os.path.isfile(path):
            raise ImportError(
                f"{who} the shared library {path!r}, and there is no such file. A wheel has it inside, and 'pip install' from"
                " source builds it with Rust's cargo; LIBAPIVIDEO_PATH can name one that is elsewhere.",
                path=path,
            )
        try:
            releases_gil = ctypes.CDLL(path)
        except OSError as why:
            raise ImportError(
                f"{who} the shared library {path!r}, and the system cannot load it: {why}. It may be broken, or made for"
                " another system or processor; LIBAPIVIDEO_PATH can name another one.",
                path=path,
            ) from None
        keeps_gil = ctypes.PyDLL(path, handle=releases_gil._handle)
        # First of all, so that a library of another ABI is called just that.
        for name in ("apivideo_version", "apivideo_abi_version", *PROTOTYPES):
            try:
                function = (keeps_gil if name.startswith(KEEP_GIL) else releases_gil)[name]
            except AttributeError:
                raise ImportError(
                    f"{path!r} has no function {name}: it is not libapivideo, or an older one than this package needs.",
                    path=path,
                ) from None
            function.restype, function.argtypes = PROTOTYPES[name]
            if name == "apivideo_abi_version" and function() != ABI_VERSION:
                raise ImportError(
                    f"{path!r} is libapivideo {self.version().decode()} with ABI {function()}, and this package needs ABI"
                    f" {ABI_VERSION}. Install a library and a package that belong together, or unset LIBAPIVIDEO_PATH.",
                    path=path,
                )
            setattr(self, name[len("apivideo_") :], function)

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any: ...


lib = Library(library_path())
ClientPointer._free = lib.client_free
ConfigPointer._free = lib.config_free
ErrorPointer._free = lib.error_free
OperationPointer._free = lib.operation_free
ResponsePointer._free = lib.response_free
StatisticsPointer._free = lib.statistics_free
StorePointer._free = lib.store_free
TokenPointer._free = lib.token_free
UploadPointer._free = lib.upload_free
