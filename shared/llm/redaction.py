"""What an upstream says about a failure, without our key and without the conversation.

Does no I/O.
"""

import re
from collections.abc import Iterator, Mapping, Sequence

from shared.config import Secret

_LONGEST = 200
_WITHHELD = "withheld: it quotes the conversation"
_BLANKS = re.compile(r"[\s\x00-\x1f\x7f]+")
_LIKE_A_KEY = re.compile(r"\b(?:sk-|Bearer )\S+")

# A run this long that is also in the conversation is a quotation: 5 Chinese characters or 15
# Latin letters. English prose meets that by chance now and then, and then a detail is lost.
_QUOTATION_BYTES = 15
_SHORTEST_MESSAGE_BYTES = 4
_SEARCHED_BYTES = 65536


def redacted(text: str, key: Secret, messages: Sequence[Mapping[str, object]]) -> str:
    """Return one short line fit for the log.

    Vendors quote what they complain about: a wrong key, a prompt their filter
    stopped. The tail of our log can be read by any caller of a function.
    """
    line = text
    if key:
        line = line.replace(key.reveal(), "[key]")
    line = _BLANKS.sub(" ", _LIKE_A_KEY.sub("[key]", line)).strip()[:_LONGEST]
    return _WITHHELD if line and _quotes(line.encode("utf-8", "replace"), messages) else line


def _quotes(line: bytes, messages: Sequence[Mapping[str, object]]) -> bool:
    """All of it is searched at once: a conversation may be of many thousand short parts."""
    said = list(_said(messages))
    if any(len(one) < _QUOTATION_BYTES and one in line for one in said):
        return True
    whole = b"\0".join(said)  # nothing that is looked for has one
    starts = range(len(line) - _QUOTATION_BYTES + 1)
    return any(line[at : at + _QUOTATION_BYTES] in whole for at in starts)


def _said(messages: Sequence[Mapping[str, object]]) -> Iterator[bytes]:
    """What the system says too: clients of OpenAI's API bring their own instructions."""
    for message in messages:
        for text in _strings(message.get("content")):
            said = _BLANKS.sub(" ", text[:_SEARCHED_BYTES]).strip().encode("utf-8", "replace")
            if len(said) >= _SHORTEST_MESSAGE_BYTES:
                yield said


def _strings(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for name, item in value.items():
            if name != "type":
                yield from _strings(item)
    elif isinstance(value, Sequence):
        for item in value:
            yield from _strings(item)
