"""A message of a prompt with its pictures and documents, cut to the tokens that are left.

Does no I/O.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from shared.llm.estimate import estimate_prompt_tokens, estimate_tokens
from shared.llm.pictures import Rule, StoredPicture
from shared.media.content_types import DOCUMENT, PICTURE, kind_of
from shared.media.picture_size import Size
from shared.media.prompt_text import Document, prompt_text
from shared.repos.message_media import PromptMedia

Message = dict[str, Any]

_BLANK_LINE = 1  # its tokens


@dataclass(frozen=True)
class PromptMessage:
    """A message of the conversation, with the media of a question."""

    role: str
    text: str
    media: Sequence[PromptMedia] = ()


@dataclass(frozen=True)
class Fitted:
    """A message for the model, and its tokens. `is_cut`: a document of it is not whole."""

    message: Message
    tokens: int
    is_cut: bool = False


def fitted(
    message: PromptMessage, left: int, rule: Rule, *, keeps_pictures: bool = False
) -> Fitted:
    """The message with its media in as many tokens as are left; its own text is never cut.

    Documents stand before the text, and get the tokens that pictures leave.
    """
    plain = {"role": message.role, "content": message.text}
    tokens = estimate_prompt_tokens([plain])
    if not message.media:
        return Fitted(plain, tokens)
    pictures = list[Message]()
    for picture in map(_picture, of_kind(message.media, PICTURE)):
        if keeps_pictures or tokens + rule(picture) <= left:
            pictures.append({"type": "image_url", "image_url": picture})
            tokens += rule(picture)
    documents = [_document(one) for one in of_kind(message.media, DOCUMENT)]
    labelled = prompt_text(documents, left - tokens - _BLANK_LINE, estimate_tokens)
    text = "\n\n".join(filter(None, [labelled.text, message.text]))
    content = [{"type": "text", "text": text}, *pictures] if pictures else text
    whole = {"role": message.role, "content": content}
    return Fitted(whole, estimate_prompt_tokens([whole], rule=rule), labelled.is_truncated)


def of_kind(media: Sequence[PromptMedia], kind: str) -> list[PromptMedia]:
    return [one for one in media if kind_of(one.content_type) == kind]


def _picture(media: PromptMedia) -> StoredPicture:
    size = Size(media.width, media.height) if media.width and media.height else None
    return StoredPicture(media.object_key, media.content_type, media.size, size)


def _document(media: PromptMedia) -> Document:
    return Document(media.filename, media.text or "", bool(media.is_truncated))
