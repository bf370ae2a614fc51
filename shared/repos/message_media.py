"""Media of questions: the pictures and documents that a question was asked about."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from shared.database.connection import Connection
from shared.errors import NotFound
from shared.repos import rows


@dataclass(frozen=True)
class PromptMedia:
    """A picture or a document for a prompt; `text` is the beginning of a document's text.

    `message_id` is empty for media of a new question.
    """

    message_id: str
    id: str
    object_key: str
    filename: str
    content_type: str
    size: int
    width: int | None
    height: int | None
    text: str | None
    is_truncated: int | None


@dataclass(frozen=True)
class ListedMedia:
    """The media of a message in a list; `message_id` is that of the question."""

    message_id: str
    id: str
    filename: str
    content_type: str


def add(db: Connection, message_id: str, media_ids: Iterable[str]) -> None:
    """Store the media of a message, without those that were deleted meanwhile.

    The statements read the newest version of `media` and lock it, so a deletion comes before
    or after them.
    """
    for position, media_id in enumerate(media_ids):
        db.defer(
            """
            INSERT INTO message_media (message_id, position, media_id)
            SELECT :message_id, :position, id
            FROM media
            WHERE id = :media_id
            """,
            message_id=message_id,
            position=position,
            media_id=media_id,
        )


def list_by_ids(
    db: Connection, ids: Sequence[str], user_id: str, *, characters: int
) -> list[PromptMedia]:
    """The media in the order of the ids, with so many characters of their texts.

    Raises: NotFound: one is missing or another user's.
    """
    placeholders, parameters = rows.in_list(ids)
    found = db.find_all(
        PromptMedia,
        f"""
        SELECT '' AS message_id, m.id, m.object_key, m.filename, m.content_type, m.size, m.width,
            m.height, SUBSTR(t.text, 1, :characters) AS text, t.is_truncated
        FROM media AS m
        LEFT JOIN media_texts AS t ON t.media_id = m.id
        WHERE m.id IN ({placeholders}) AND m.user_id = :user_id
        """,  # noqa: S608  # names of parameters, made here
        user_id=user_id,
        characters=characters,
        **parameters,
    )
    by_id = {one.id: one for one in found}
    if not by_id.keys() >= set(ids):  # MySQL overlooks blanks at the end
        raise NotFound
    return [by_id[media_id] for media_id in ids]


def list_of_messages(
    db: Connection, message_ids: Sequence[str], *, characters: int, count: int
) -> list[PromptMedia]:
    """The last media of the messages, in the order of each message, with the same texts."""
    placeholders, parameters = rows.in_list(message_ids)
    newest_first = db.find_all(
        PromptMedia,
        f"""
        SELECT a.message_id, m.id, m.object_key, m.filename, m.content_type, m.size, m.width,
            m.height, SUBSTR(t.text, 1, :characters) AS text, t.is_truncated
        FROM message_media AS a
        JOIN media AS m ON m.id = a.media_id
        LEFT JOIN media_texts AS t ON t.media_id = m.id
        WHERE a.message_id IN ({placeholders})
        ORDER BY a.message_id DESC, a.position DESC
        LIMIT :count
        """,  # noqa: S608  # names of parameters, made here
        characters=characters,
        count=count,
        **parameters,
    )
    return newest_first[::-1]


def list_shown(db: Connection, message_ids: Sequence[str]) -> list[ListedMedia]:
    """The media of messages that are shown in a list, in the order of each message."""
    if not message_ids:
        return []
    placeholders, parameters = rows.in_list(message_ids)
    return db.find_all(
        ListedMedia,
        f"""
        SELECT a.message_id, m.id, m.filename, m.content_type
        FROM message_media AS a
        JOIN media AS m ON m.id = a.media_id
        WHERE a.message_id IN ({placeholders})
        ORDER BY a.message_id, a.position
        """,  # noqa: S608  # names of parameters, made here
        **parameters,
    )


def list_running(db: Connection, message_id: str, media_ids: Sequence[str]) -> list[ListedMedia]:
    """The media of a question whose answer still runs, without deleted ones."""
    if not media_ids:
        return []
    placeholders, parameters = rows.in_list(media_ids)
    found = db.find_all(
        ListedMedia,
        f"""
        SELECT :message_id AS message_id, id, filename, content_type
        FROM media
        WHERE id IN ({placeholders})
        """,  # noqa: S608  # names of parameters, made here
        message_id=message_id,
        **parameters,
    )
    return sorted(found, key=lambda one: media_ids.index(one.id))
