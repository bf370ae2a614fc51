"""Decoder of multipart forms (RFC 7578) that holds no file in memory. Does no I/O."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from email.parser import BytesHeaderParser

from scripts.tooling.local.gateway.storage.errors import MalformedForm

_MOST_HEADER_BYTES = 8 * 1024


@dataclass(frozen=True)
class Part:
    """The start of a part; what follows as bytes is its content, until the next part or End."""

    name: str


@dataclass(frozen=True)
class End:
    """The end of the form."""


Event = Part | End | bytes


def boundary_of(content_type: str) -> bytes:
    """Raises: MalformedForm: it is not the content type of a form."""
    found = re.fullmatch(
        r'(?i)multipart/form-data\s*;.*?\bboundary="?([^";]{1,200})"?', content_type
    )
    if found is None:
        raise MalformedForm("the body is not multipart/form-data with a boundary")
    return found[1].strip().encode("utf-8", "replace")


class FormDecoder:
    def __init__(self, boundary: bytes) -> None:
        self._delimiter = b"\r\n--" + boundary
        self._buffer = b"\r\n"  # the first delimiter has no line before it
        self._step = self._preamble

    def feed(self, data: bytes) -> Iterator[Event]:
        """Raises: MalformedForm."""
        self._buffer += data
        while True:
            before = (self._step, len(self._buffer))
            yield from self._step()
            if before == (self._step, len(self._buffer)):
                return

    def _preamble(self) -> Iterator[Event]:
        for _ in self._content():
            pass
        yield from ()

    def _content(self) -> Iterator[Event]:
        """Pass on what cannot be the beginning of a delimiter."""
        at = self._buffer.find(self._delimiter)
        if at >= 0:
            end, rest, self._step = at, at + len(self._delimiter), self._after_delimiter
        else:
            end = rest = max(0, len(self._buffer) - len(self._delimiter) + 1)
        content, self._buffer = self._buffer[:end], self._buffer[rest:]
        if content:
            yield content

    def _after_delimiter(self) -> Iterator[Event]:
        mark = self._buffer[:2]
        if mark == b"--":
            self._step = self._epilogue
            yield End()
        elif mark == b"\r\n":
            self._step = self._headers
        elif len(mark) == 2:
            raise MalformedForm("a boundary is followed by neither a line nor the end")

    def _headers(self) -> Iterator[Event]:
        head, found, rest = self._buffer.partition(b"\r\n\r\n")
        if len(head) > _MOST_HEADER_BYTES:
            raise MalformedForm("the headers of a part are too long")
        if found:
            self._buffer, self._step = rest, self._content
            yield Part(_name(head))

    def _epilogue(self) -> Iterator[Event]:
        self._buffer = b""
        yield from ()


def _name(head: bytes) -> str:
    """The name of a field. Raises: MalformedForm."""
    headers = BytesHeaderParser().parsebytes(head.strip(b"\r\n") + b"\r\n\r\n")
    name = headers.get_param("name", header="content-disposition")
    if not isinstance(name, str) or not name:
        raise MalformedForm("a part has no name")
    return name.lower()
