"""One JSON line per thing worth knowing, without a token, password, prompt or key in it."""

import hashlib
import json
import sys
import traceback

from shared.config import is_production
from shared.times import iso_utc, now_ms

_LONGEST_RECORD = 30_000  # Function Compute cuts a record at 32 KB


def write(level: str, event: str, **fields: object) -> None:
    record = {"time": iso_utc(now_ms()), "level": level, "event": event, **fields}
    line = json.dumps(record, ensure_ascii=False, default=str)
    sys.stdout.write(line[:_LONGEST_RECORD].encode("utf-8", "replace").decode() + "\n")
    sys.stdout.flush()


def crash(error: BaseException, *, request_id: str) -> None:
    """Log an exception nobody foresaw, with the way it took.

    Messages of exceptions quote data (a duplicate e-mail, a row, a URL), so
    production logs have the frames and the type alone.
    """
    frames = [
        f"{frame.filename}:{frame.lineno} {frame.name}"
        for frame in traceback.extract_tb(error.__traceback__)
    ]
    detail = {} if is_production() else {"detail": str(error)}
    kind = type(error).__name__
    write("error", "crash", request_id=request_id, error=kind, frames=frames, **detail)


def hashed(identifier: str) -> str:
    """Tell users apart in the log without naming them."""
    return hashlib.sha256(identifier.encode()).hexdigest()[:12]
