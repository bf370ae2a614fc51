"""Terminal output of the gateway: request lines, output of functions, and errors in red."""

import json
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TextIO

_COMMON_FIELDS = frozenset({"time", "level", "event", "request_id", "latency_ms"})
_RED, _PLAIN = "\033[31m", "\033[0m"
_lock = threading.Lock()  # keeps lines of several functions apart


def note(text: str) -> None:
    _write(sys.stdout, text)


def alarm(text: str) -> None:
    """Print an error on stderr, in red on a terminal."""
    coloured = sys.stderr.isatty()
    _write(sys.stderr, f"{_RED}!! {text}{_PLAIN}" if coloured else f"!! {text}")


def labelled(name: str) -> Callable[[str], None]:
    """Return a function that prints lines with this label."""

    def show(line: str) -> None:
        if not (is_correlation(line) or _is_idle_timer(line)):
            note(f"{name:>8} | {line}")

    return show


def is_correlation(line: str) -> bool:
    """Whether a line is one of the two that mark an invocation for the platform's log search."""
    return line.startswith(("FC Invoke Start RequestId: ", "FC Invoke End RequestId: "))


def did_nothing(summary: bytes) -> bool:
    """Whether a timer's function returned only zero counts; such runs are not printed."""
    try:
        counts = json.loads(summary)
    except ValueError:
        return False
    return isinstance(counts, dict) and bool(counts) and not any(counts.values())


def _is_idle_timer(line: str) -> bool:
    """Whether a line is the log record of a timer run that did nothing."""
    if '"event": "timer"' not in line:
        return False
    try:
        record = json.loads(line)
    except ValueError:
        return False
    if not isinstance(record, dict) or record.get("level") != "info":
        return False
    return did_nothing(
        json.dumps({k: v for k, v in record.items() if k not in _COMMON_FIELDS}).encode()
    )


def _write(stream: TextIO, text: str) -> None:
    with _lock, suppress(BrokenPipeError):  # keeps serving in `scripts/dev | head`
        encoding = stream.encoding or "utf-8"
        stream.write(text.encode(encoding, "replace").decode(encoding) + "\n")
        stream.flush()
