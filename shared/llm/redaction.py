"""Redaction of upstreams' error texts: without our key and without the conversation.

Does no I/O.
"""

import re
from collections.abc import Iterator, Mapping, Sequence

from shared.config import Secret

_LONGEST = 200
_WITHHELD = "withheld: it quotes the conversation"
_BLANKS = re.compile(r"[\s\x00-\x1f\x7f]+")
_LIKE_A_KEY = re.compile(r"\b(?:sk-|Bearer )\S+")

# A run this long that is also in the conversation counts as a quotation: 5 Chinese characters
# or 15 Latin letters. English prose matches by chance at times; then a detail is lost.
_QUOTATION_BYTES = 15
_SHORTEST_MESSAGE_BYTES = 4
_SEARCHED_BYTES = 65536


def redacted(text: str, key: Secret, messages: Sequence[Mapping[str, object]]) -> str:
    """Return one short line fit for the log.

    Vendors quote the wrong key, or the prompt that their filter stopped. Any caller of
    a function can read the end of our log.
    """
    line = text
    if key:
        line = line.replace(key.reveal(), "[key]")
    line = _BLANKS.sub(" ", _LIKE_A_KEY.sub("[key]", line)).strip()[:_LONGEST]
    return _WITHHELD if line and _quotes(line.encode("utf-8", "replace"), messages) else line


def _quotes(line: bytes, messages: Sequence[Mapping[str, object]]) -> bool:
    """Search all messages joined, because a conversation may have thousands of short parts."""
    texts = list(_texts(messages))
    if any(len(text) < _QUOTATION_BYTES and text in line for text in texts):
        return True
    whole = b"\0".join(texts)  # no searched text contains a zero byte
    starts = range(len(line) - _QUOTATION_BYTES + 1)
    return any(line[at : at + _QUOTATION_BYTES] in whole for at in starts)


def _texts(messages: Sequence[Mapping[str, object]]) -> Iterator[bytes]:
    """All texts, system messages included: clients of OpenAI's API write their own."""
    for message in messages:
        for text in _strings(message.get("content")):
            line = _BLANKS.sub(" ", text[:_SEARCHED_BYTES]).strip().encode("utf-8", "replace")
            if len(line) >= _SHORTEST_MESSAGE_BYTES:
                yield line


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
