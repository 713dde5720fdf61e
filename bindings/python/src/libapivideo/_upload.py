"""Uploads: a video's source on its way, from a file or from what a program reads."""

from __future__ import annotations

import io
import os
import threading
from ctypes import byref
from typing import NamedTuple, cast

from ._abi import ErrorPointer, ProgressCallback, ResponsePointer, Status, UploadPointer, lib
from ._core import callback, encoded, new_user_data, path_of, release, size_of, tell_when_complete
from ._errors import InvalidArgumentError, check
from ._progress import UploadProgress, bar
from ._response import Response
from ._waiting import call_elsewhere, run_callback

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Protocol, Union

    class Readable(Protocol):
        """A file that was opened for reading bytes, or anything that reads like one."""

        def read(self, size: int, /) -> bytes: ...

    Source = Union[str, "os.PathLike[str]", Readable]
    Progress = Callable[[UploadProgress], object]

BLOCK = 1024 * 1024
"""How many bytes are read at once."""

LAST_READ = 0.05
"""So many seconds the end of an upload waits for a read: an event loop may stand still."""


_tellers: dict[int, Progress] = {}


@callback(ProgressCallback)
def _on_progress(acknowledged: int, sent: int, total: int, number: int) -> None:
    tell = _tellers.get(number)
    if tell is not None:
        progress = UploadProgress(acknowledged, sent, total or None)
        run_callback(lambda: tell(progress))


class Settings(NamedTuple):
    """What was asked for, checked by the library."""

    video_id: str | None
    token: str | None
    file_name: str | None
    size: int | None
    chunk_size: int | None
    parallel: int | None
    resume: bool
    progress: Progress | bool | None


class Upload(UploadPointer):
    """An upload under way. It has no thread of its own but the one that reads a source."""

    # By identity; ctypes takes it away.
    __hash__ = object.__hash__

    def __init__(self, source: Source, settings: Settings) -> None:
        super().__init__()
        self._source = source
        self._settings = settings
        self._failure: BaseException | None = None
        self._is_over = False
        self._feeder: threading.Thread | None = None
        self._bar = bar(_name_of(source, settings)) if settings.progress is True else None
        self._number = 0

    def begin(self, client: Any, out: Any, error: Any) -> int:
        """Makes the upload, gives it its settings and starts it. Gives a status, as C does."""
        status: int = lib.upload_new(client, out, error)
        for setting, value in self._values():
            status = status or getattr(lib, f"upload_set_{setting}")(self, value, error)
        status = status or self._set_progress(error) or lib.upload_start(self, error)
        if not status and not _is_path(self._source):
            self._feeder = threading.Thread(target=self._feed, name="libapivideo-upload", daemon=True)
            self._feeder.start()
        return status

    def _values(self) -> list[tuple[str, object]]:
        settings, source = self._settings, self._source
        texts = {"video_id": settings.video_id, "token": settings.token, "file_name": settings.file_name}
        values: list[tuple[str, object]] = [
            (name, encoded(name, value)) for name, value in texts.items() if value is not None
        ]
        size = settings.size
        if _is_path(source):
            values.append(("file", encoded("source", path_of("source", source))))  # type: ignore[arg-type]
        elif size is None:
            size = _size_of(source)
        numbers = {"size": size, "chunk_size": settings.chunk_size, "parallel": settings.parallel}
        for name, number in numbers.items():
            if number is not None:
                # What does not fit is out of the range too.
                most = 2**32 - 1 if name == "parallel" else 2**64 - 1
                values.append((name, min(size_of(name, number), most)))
        if settings.resume:
            values.append(("resume", 1))
        return values

    def _set_progress(self, error: Any) -> int:
        tell = self._bar or self._settings.progress
        if not tell or tell is True:
            return 0
        if not callable(tell):
            raise TypeError(f"`progress` must be a function or True, not {type(tell).__name__}")
        self._number = new_user_data()
        _tellers[self._number] = tell
        status: int = lib.upload_set_on_progress(self, _on_progress, self._number, release, error)
        return status

    # --- The source ---

    def _feed(self) -> None:
        """Hands over what the source gives. Whatever it raises is raised where one waits."""
        try:
            while not self._is_over:
                block = _bytes(self._source.read(BLOCK))  # type: ignore[union-attr]
                if self._is_over:
                    return
                if not block:
                    self._call(lib.upload_finish)
                    return
                self._call(lib.upload_write, block, len(block))
        except BaseException as failure:
            self._failure = failure
            lib.upload_cancel(self)

    def _call(self, function: Any, *arguments: object) -> None:
        error = ErrorPointer()
        check(call_elsewhere(function, self, *arguments, byref(error)), error)

    # --- As a call of the client's ---

    def wait(self, timeout_ms: int) -> Response | None:
        response, error = ResponsePointer(), ErrorPointer()
        status = lib.upload_wait(self, timeout_ms, byref(response), byref(error))
        if status == Status.PENDING:
            return None
        if status and self._failure is not None:
            raise self._failure
        check(status, error)
        return Response(response)

    def on_complete(self, wake: Callable[[], object]) -> None:
        """Calls `wake` once, from any thread, when the upload is over, however it ends."""
        tell_when_complete(lib.upload_on_complete, self, wake)

    def cancel(self) -> None:
        lib.upload_cancel(self)

    def end(self) -> None:
        """Tells no more progress, and reads no more of the source."""
        self._is_over = True
        if self._feeder is not None and self._feeder is not threading.current_thread():
            # At once, unless a read takes its time: that one is not waited for.
            self._feeder.join(LAST_READ)
        _tellers.pop(self._number, None)
        if self._bar is not None:
            self._bar.close()


def _bytes(block: object) -> bytes:
    # bytes() would take a number too.
    if not isinstance(block, (bytes, bytearray, memoryview)):
        raise TypeError(f"the source must give bytes, not {type(block).__name__}: open it with mode 'rb'")
    return bytes(cast("bytes", block))


def _is_path(source: Source) -> bool:
    return isinstance(source, (str, os.PathLike))


def _name_of(source: Source, settings: Settings) -> str:
    path: Any = source if _is_path(source) else getattr(source, "name", None)
    name = os.path.basename(path) if _is_path(path) else None
    return str(settings.file_name or name or settings.video_id or "video")


def _size_of(source: Source) -> int | None:
    """How much there is to read, where that is certain: of a file or of bytes in memory."""
    if isinstance(source, io.BytesIO):
        size = len(source.getbuffer())
    elif isinstance(source, io.FileIO) or (
        isinstance(source, io.BufferedReader) and isinstance(source.raw, io.FileIO)
    ):
        if not source.seekable():
            return None
        size = os.fstat(source.fileno()).st_size
    else:
        return None
    left = size - source.tell()
    if left <= 0:
        raise InvalidArgumentError("There is nothing left to read in `source`: api.video takes no empty video.")
    return left
