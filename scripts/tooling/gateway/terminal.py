"""What the gateway shows: a line per request, the functions' own output, and alarms in red."""

import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TextIO

_RED, _PLAIN = "\033[31m", "\033[0m"
_lock = threading.Lock()  # lines of several functions must not mix


def note(text: str) -> None:
    _write(sys.stdout, text)


def alarm(text: str) -> None:
    """Something Function Compute would not forgive, on stderr."""
    coloured = sys.stderr.isatty()
    _write(sys.stderr, f"{_RED}!! {text}{_PLAIN}" if coloured else f"!! {text}")


def labelled(name: str) -> Callable[[str], None]:
    """Return what shows the output of one function."""

    def show(line: str) -> None:
        if not is_correlation(line):
            note(f"{name:>8} | {line}")

    return show


def is_correlation(line: str) -> bool:
    """The two lines web functions write around an invocation for the platform's log search."""
    return line.startswith(("FC Invoke Start RequestId: ", "FC Invoke End RequestId: "))


def _write(stream: TextIO, text: str) -> None:
    with _lock, suppress(BrokenPipeError):  # `scripts/dev | head` must go on serving
        encoding = stream.encoding or "utf-8"
        stream.write(text.encode(encoding, "replace").decode(encoding) + "\n")
        stream.flush()
