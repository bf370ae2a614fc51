"""Media of a question and of the messages before it: which of them the model is given."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from functions.chat.opening.caller import Caller
from functions.chat.prompt.message import PromptMessage, of_kind
from functions.chat.turn import AnswerRequest
from shared.database.connection import Connection
from shared.errors import InvalidRequest, ModelCannotSee, Unauthorized
from shared.llm.picture_delivery import PictureTerms
from shared.media.content_types import AUDIO, DOCUMENT, PICTURE, kind_of
from shared.problems import Problem, detail
from shared.repos import message_media
from shared.repos.message_media import PromptMedia

_FIELD = "body.media_ids"


def require_owner(caller: Caller | None, body: AnswerRequest) -> None:
    """Raises: Unauthorized: the caller is a guest; InvalidRequest: there is no database."""
    if body.media_ids and caller is None:
        raise _refusal(
            "this deployment has no accounts, and so no media", "此部署没有账号，因此没有媒体文件"
        )
    if body.media_ids and caller and caller.user_id is None:
        raise Unauthorized


def question_media(
    db: Connection, ids: Sequence[str], user_id: str, terms: PictureTerms, *, characters: int
) -> list[PromptMedia]:
    """The media of the question, with so many characters of each text.

    Raises: NotFound: one is missing or another user's; ModelCannotSee; InvalidRequest: a file
        is one that no model is given, or the pictures are too large together.
    """
    if not ids:
        return []
    media = message_media.list_by_ids(db, ids, user_id, characters=characters)
    pictures = of_kind(media, PICTURE)
    if pictures and not terms.are_seen:
        raise ModelCannotSee
    if of_kind(media, AUDIO):
        raise _refusal("audio is not taken", "不支持音频")
    for one in media:
        if kind_of(one.content_type) == DOCUMENT and one.text is None:
            raise _refusal("a document has no text", "文档没有文本")
    terms.require_deliverable(pictures)
    return media


def with_usable_media(
    history: Sequence[PromptMessage], question: Sequence[PromptMedia], terms: PictureTerms
) -> list[PromptMessage]:
    """The earlier messages without what the model cannot be given, the latest pictures first."""
    used = _bytes(of_kind(question, PICTURE))
    shown = list[PromptMessage]()
    for message in reversed(history):
        kept = list[PromptMedia]()
        for one in message.media:
            is_picture = kind_of(one.content_type) == PICTURE
            if is_picture and not _fits(one, used, terms):
                continue
            used += one.size if is_picture else 0
            kept.append(one)
        shown.append(replace(message, media=kept))
    return shown[::-1]


def _fits(picture: PromptMedia, used_bytes: int, terms: PictureTerms) -> bool:
    has_room = terms.are_seen and terms.have_room(used_bytes + picture.size)
    return has_room and terms.can_deliver(picture.content_type)


def _bytes(pictures: Iterable[PromptMedia]) -> int:
    return sum(one.size for one in pictures)


def _refusal(en: str, zh: str) -> InvalidRequest:
    return InvalidRequest(details=[detail(_FIELD, Problem(en, zh))])
