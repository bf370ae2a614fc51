"""The log: one JSON line per event, without tokens, passwords, prompts or keys."""

import hashlib
import json
import sys
import traceback

from shared.config import is_production
from shared.times import iso_utc, now_ms

_LONGEST_RECORD = 30_000  # Function Compute cuts a record at 32 KB
_LONGEST_FIELD = 200
_MOST_FRAMES = 50


def write(level: str, event: str, **fields: object) -> None:
    """Write one line, in ASCII, because the encoding of the standard output is not certain."""
    record = {"time": iso_utc(now_ms()), "level": level, "event": event, **fields}
    line = json.dumps(record, default=str)
    if len(line) > _LONGEST_RECORD:
        line = json.dumps({name: str(value)[:_LONGEST_FIELD] for name, value in record.items()})
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def crash(error: BaseException, **fields: object) -> None:
    """Log an unexpected exception with its stack frames.

    Messages of exceptions quote data (a duplicate e-mail, a row, a URL), so logs in
    production hold only the frames and the type.
    """
    frames = [
        f"{frame.filename}:{frame.lineno} {frame.name}"
        for frame in traceback.extract_tb(error.__traceback__, limit=-_MOST_FRAMES)
    ]
    detail = {} if is_production() else {"detail": str(error)}
    kind = type(error).__name__
    write("error", "crash", error=kind, frames=frames, **fields, **detail)


def hashed(identifier: str) -> str:
    """A short hash that identifies a user in the log without naming them."""
    return hashlib.sha256(identifier.encode()).hexdigest()[:12]
