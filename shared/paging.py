"""Cursors: where the page before ended, opaque so that nobody counts on what they are made of."""

import base64
import re


def cursor_of(place: str) -> str:
    return base64.urlsafe_b64encode(place.encode()).decode().rstrip("=")


def place_of(cursor: str, pattern: bytes) -> re.Match[bytes]:
    """Read a cursor of ours. Raises: ValueError: it is none, or not one of this path."""
    try:
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
    except ValueError:
        text = b""
    match = re.fullmatch(pattern, text)
    if match is None:
        raise ValueError("must be a next_cursor that this path gave")
    return match
