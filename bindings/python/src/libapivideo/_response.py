"""The response that callers get."""

from __future__ import annotations

import ctypes

from ._abi import ResponsePointer, lib

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn


class Response:
    """The answer to a request that succeeded. It never changes, and may outlive its client.

    Any thread may read it. Its `repr` does not show the body.
    """

    __slots__ = {
        "_pointer": None,
        "body": "The body as it came, as `bytes`. Empty if there is none.",
        "http_status": "The status of the HTTP reply, from 200 to 299.",
    }

    _pointer: ResponsePointer
    body: bytes
    http_status: int

    def __init__(self, pointer: ResponsePointer) -> None:
        self._pointer = pointer
        self.http_status = lib.response_http_status(pointer)
        self.body = ctypes.string_at(lib.response_body(pointer), lib.response_body_length(pointer))

    def json(self) -> Any:
        """Reads the body as JSON. Raises ValueError if it is none."""
        import json  # Who wants only tokens does without.

        return json.loads(self.body)

    def header(self, name: str) -> str | None:
        """Gives the value of a header, such as "X-RateLimit-Remaining".

        Upper and lower case are the same. What came several times is joined with ", ". None if
        there is no such header.
        """
        return str(lib.response_header(self._pointer, name.encode()), "utf-8", "replace") or None

    @property
    def next_page(self) -> str | None:
        """The path of the next page of a list; None on the last page, and without pages."""
        return str(lib.response_next_page(self._pointer), "utf-8", "replace") or None

    def __repr__(self) -> str:
        return f"<libapivideo.Response, HTTP {self.http_status}, {len(self.body)} bytes>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Response cannot be pickled or copied; its body can")
