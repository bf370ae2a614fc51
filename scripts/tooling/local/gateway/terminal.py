"""Terminal output of the gateway: request lines, the functions' own output, alarms in red."""

import json
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TextIO

_OF_EVERY = frozenset({"time", "level", "event", "request_id", "latency_ms"})
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
        if not (is_correlation(line) or _is_idle_timer(line)):
            note(f"{name:>8} | {line}")

    return show


def is_correlation(line: str) -> bool:
    """The two lines web functions write around an invocation for the platform's log search."""
    return line.startswith(("FC Invoke Start RequestId: ", "FC Invoke End RequestId: "))


def did_nothing(summary: bytes) -> bool:
    """Say whether a timer's function returned counts that are all zero: nobody asked for it, so
    only what it did is worth a line."""
    try:
        counts = json.loads(summary)
    except ValueError:
        return False
    return isinstance(counts, dict) and bool(counts) and not any(counts.values())


def _is_idle_timer(line: str) -> bool:
    """What shared/web/timers.py logs of such a run."""
    if '"event": "timer"' not in line:
        return False
    try:
        record = json.loads(line)
    except ValueError:
        return False
    if not isinstance(record, dict) or record.get("level") != "info":
        return False
    return did_nothing(json.dumps({k: v for k, v in record.items() if k not in _OF_EVERY}).encode())


def _write(stream: TextIO, text: str) -> None:
    with _lock, suppress(BrokenPipeError):  # `scripts/dev | head` must go on serving
        encoding = stream.encoding or "utf-8"
        stream.write(text.encode(encoding, "replace").decode(encoding) + "\n")
        stream.flush()
