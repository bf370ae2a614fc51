"""JSON documents in one line, however their readers split lines. Does no I/O."""

import json

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
# JSON escapes control characters itself. Python's splitlines, JavaScript's and others' split
# lines at these three too.
_ESCAPES = tuple((character, f"\\u{ord(character):04x}") for character in "\x85\u2028\u2029")


def json_line(document: object) -> str:
    """The document without a character at which any reader ends a line."""
    text = _encode(document)
    for character, escape in _ESCAPES:
        text = text.replace(character, escape)
    return text
