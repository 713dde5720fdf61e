"""How far an upload is, and a bar that shows it."""

from __future__ import annotations

import sys
import time
from typing import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TextIO

BAR_WIDTH = 24
"""How many characters a bar has."""

PARTS = " ▏▎▍▌▋▊▉█"


class UploadProgress(NamedTuple):
    """How far an upload is, in bytes. No number ever goes back.

    acknowledged: what api.video has said it has.
    sent: that, and what was sent since.
    total: all of it; None while that is not known.
    """

    acknowledged: int
    sent: int
    total: int | None


class Bar:
    """A line on a terminal that is written anew with each call."""

    def __init__(self, name: str, stream: TextIO) -> None:
        self._name = name
        self._stream = stream
        self._begun = time.monotonic()
        self._from: int | None = None
        """What was there when it began: a resumed upload is not as fast as that would make it."""
        self._length = 0

    def __call__(self, progress: UploadProgress) -> None:
        if self._from is None:
            self._from = progress.sent
        seconds = time.monotonic() - self._begun
        self._write(line(self._name, progress, progress.sent - self._from, seconds))

    def close(self) -> None:
        """Ends the line."""
        if self._length:
            self._stream.write("\n")
            self._stream.flush()

    def _write(self, text: str) -> None:
        # What is longer than before hides it; what is shorter is filled up.
        self._stream.write("\r" + text.ljust(self._length))
        self._stream.flush()
        self._length = len(text)


def line(name: str, progress: UploadProgress, sent: int, seconds: float) -> str:
    """Gives the text of a bar. `sent` bytes have taken so many seconds."""
    rate = sent / seconds if seconds > 0 else 0.0
    speed = f"{in_units(rate)}/s"
    total = progress.total
    if total is None:
        return f"{name}  {in_units(progress.sent)}  {speed}"
    share = progress.sent / total if total else 1.0
    left = f"{_clock((total - progress.sent) / rate)} left" if rate > 0 else "-:-- left"
    return f"{name} {share:4.0%} {_bar(share)} {in_units(progress.sent)} of {in_units(total)}  {speed}  {left}"


def _bar(share: float) -> str:
    eighths = round(share * BAR_WIDTH * 8)
    whole, rest = divmod(eighths, 8)
    part = PARTS[rest] if rest else ""
    return f"|{(PARTS[8] * whole + part).ljust(BAR_WIDTH)}|"


def in_units(count: float) -> str:
    """Gives a number of bytes as people read it."""
    for unit in ("B", "KiB", "MiB"):
        if count < 1024:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.2f} GiB"


def _clock(seconds: float) -> str:
    minutes, second = divmod(int(min(seconds, 359_999)), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"


def bar(name: str) -> Bar | None:
    """Makes a bar on stderr, if that is a terminal."""
    stream = sys.stderr
    return Bar(name, stream) if stream is not None and stream.isatty() else None
