"""Redaction of upstreams' error texts: without our key and without the conversation.

Does no I/O.
"""

import base64
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from html import unescape
from urllib.parse import unquote

from shared.config import Secret

_LONGEST = 200
_READ_CHARACTERS = 2_000
_QUOTES_KEY = "withheld: it quotes the key"
_QUOTES_CONVERSATION = "withheld: it quotes the conversation"
_UNCHECKED = "withheld: the conversation is too long to be searched"
_NAME = re.compile(r"[A-Za-z0-9][\w.:/-]{0,63}", re.ASCII)
_BLANKS = re.compile(r"[\s\x00-\x1f\x7f]+")
_LIKE_A_KEY = re.compile(r"\b(?:sk-|Bearer )\S+")

# A run this long that is also in the conversation counts as a quotation: 5 Chinese characters
# or 15 Latin letters. English prose matches by chance at times; then a detail is lost.
_QUOTATION_BYTES = 15
_ENCODED_QUOTATION_BYTES = 8  # by chance, encodings hold nothing that was said
_SHORTEST_MESSAGE_BYTES = 4
_KEY_CHARACTERS = 8
_NOT_SAID = {"type", "id", "detail"}  # fields of parts and calls

# No other answer moves on meanwhile, so this much is searched and no more.
_SEARCHED_BYTES = 4_000
_BYTES_PER_TEXT = 16  # for the work that even an empty part costs

_UNICODE_ESCAPE = re.compile(r"\\u([0-9a-fA-F]{4})")
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{8,}")
_HEX = re.compile(r"(?:[0-9a-fA-F]{2}){4,}")

Forms = tuple[bytes, bytes]  # a line, and its decodings


class Redaction:
    """Makes the words of an upstream fit for the log.

    Vendors quote the wrong key, or the prompt that their filter stopped. Any caller of
    a function can read the end of our log. So the prose of a vendor is logged only if
    `logs_text` says so; its names (an error code, a request id) are logged as they are,
    unless they hold the key or a part of the conversation. Both are found in upper
    case, in escapes of JSON, URLs and HTML, in base64 and in hexadecimal.
    """

    def __init__(
        self, key: Secret, messages: Sequence[Mapping[str, object]], *, logs_text: bool
    ) -> None:
        self.logs_text = logs_text
        self._key = key.reveal()
        self._messages = messages

    def name(self, text: str) -> str:
        """The text, or nothing if it is no name of 64 characters, or holds what it must not."""
        if not _NAME.fullmatch(text):
            return ""
        forms = _forms(text)
        return "" if self._quotes_key(forms) or self._quotes_conversation(forms) else text

    def prose(self, text: str) -> str:
        """One short line, or the reason why there is none."""
        line = text[:_READ_CHARACTERS]
        if self._key:
            line = line.replace(self._key, "[key]")
        line = _one_line(_LIKE_A_KEY.sub("[key]", line))[:_LONGEST]
        forms = _forms(line)
        if self._quotes_key(forms):
            return _QUOTES_KEY
        if self._quotes_conversation(forms):
            return _QUOTES_CONVERSATION
        return line if self._searched[1] else _UNCHECKED

    def quotes_conversation(self, text: str) -> bool:
        """Whether the text may quote the conversation, or is too long to be searched for it."""
        return self._quotes_conversation(_forms(_one_line(text))) or not self._searched[1]

    def _quotes_key(self, forms: Forms) -> bool:
        key, found = self._key.casefold().encode(), b"\0".join(forms)
        starts = range(max(len(key) - _KEY_CHARACTERS, 0) + 1) if key else ()
        return any(key[at : at + _KEY_CHARACTERS] in found for at in starts)

    def _quotes_conversation(self, forms: Forms) -> bool:
        (literal, decoded), (texts, _) = forms, self._searched
        if any(len(text) < _QUOTATION_BYTES and text in literal + decoded for text in texts):
            return True
        whole = b"\0".join(texts)
        return _share_a_run(literal, whole, _QUOTATION_BYTES) or _share_a_run(
            decoded, whole, _ENCODED_QUOTATION_BYTES
        )

    @cached_property
    def _searched(self) -> tuple[list[bytes], bool]:
        """The newest texts, as many as may be searched, and whether those are all."""
        texts, left = list[bytes](), _SEARCHED_BYTES
        for text in _strings([_said(message) for message in self._messages[::-1]]):
            if left <= 0:
                return texts, False
            line = _bytes_of(_one_line(text[:left]))[:left]
            left -= max(len(line), len(text)) + _BYTES_PER_TEXT
            if len(line) >= _SHORTEST_MESSAGE_BYTES:
                texts.append(line)
        return texts, left >= 0


def _share_a_run(some: bytes, whole: bytes, length: int) -> bool:
    """Whether both hold the same run of bytes. Takes as long whatever they hold."""
    runs = {some[at : at + length] for at in range(len(some) - length + 1)}
    return bool(runs) and not runs.isdisjoint(
        whole[at : at + length] for at in range(len(whole) - length + 1)
    )


def _forms(line: str) -> Forms:
    """The line in lower case, and all that it may be an encoding of."""
    plain = _unescaped(line)
    decoded = [*_decoded(plain), *([plain] if plain != line else [])]
    return _bytes_of(line), _bytes_of("\0".join(decoded))


def _bytes_of(text: str) -> bytes:
    return text.casefold().encode("utf-8", "replace")


def _unescaped(text: str) -> str:
    """Twice, because a vendor may quote a request that was escaped already."""
    for _ in range(2):
        text = unescape(unquote(_UNICODE_ESCAPE.sub(lambda found: chr(int(found[1], 16)), text)))
    return text


def _decoded(text: str) -> Iterator[str]:
    for run in _BASE64.findall(text):
        for skipped in range(4):  # the beginning may belong to another word
            part = run[skipped:].replace("-", "+").replace("_", "/")
            yield _unescaped(_text_of(base64.b64decode(part[: len(part) // 4 * 4])))
    for run in _HEX.findall(text):
        yield _text_of(bytes.fromhex(run))


def _text_of(decoded: bytes) -> str:
    return decoded.decode("utf-8", "ignore")


def _one_line(text: str) -> str:
    return _BLANKS.sub(" ", text).strip()


def _said(message: Mapping[str, object]) -> list[object]:
    return [message.get(field) for field in ("content", "tool_calls", "reasoning_content")]


def _strings(value: object) -> Iterator[str]:
    """All texts, system messages included: clients of OpenAI's API write their own.

    Without pictures: they would take the room of all that can be searched.
    """
    if isinstance(value, str):
        yield "" if value.startswith("data:image/") else value
    elif isinstance(value, Mapping):
        for name, item in value.items():
            if name not in _NOT_SAID:
                yield from _strings(item)
    elif isinstance(value, Sequence):
        for item in value:
            yield from _strings(item)
    else:
        yield ""
