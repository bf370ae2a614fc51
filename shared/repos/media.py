"""Media: committed files of users, and the text of those that are documents."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from shared.cursor import END, Cursor
from shared.database.connection import Connection
from shared.errors import NotFound
from shared.repos import rows

Kind = Literal["picture", "document", "audio"]
_KINDS: Mapping[str, Kind] = {"image": "picture", "audio": "audio"}


@dataclass(frozen=True)
class Media:
    """`filename` is the name to show, cleaned of what cannot be seen."""

    id: str
    upload_id: str
    user_id: str
    object_key: str
    filename: str
    content_type: str
    size: int
    crc64: str
    created_at_ms: int
    purpose: str | None = None

    @property
    def kind(self) -> Kind:
        return _KINDS.get(self.content_type.partition("/")[0], "document")

    @property
    def cursor(self) -> Cursor:
        return Cursor(self.created_at_ms, self.id)


@dataclass(frozen=True)
class MediaText:
    """`pages` is None where there are none. A truncated text is the beginning of a longer one."""

    text: str
    pages: int | None
    is_truncated: bool


def add(db: Connection, media: Media, text: MediaText | None = None) -> None:
    """Raises: DuplicateKey: the upload has become media before."""
    db.execute(
        """
        INSERT INTO media
            (id, upload_id, user_id, object_key, filename, content_type, size, crc64, purpose,
             created_at_ms)
        VALUES
            (:id, :upload_id, :user_id, :object_key, :filename, :content_type, :size, :crc64,
             :purpose, :created_at_ms)
        """,
        **vars(media),
    )
    if text is not None:
        db.execute(
            """
            INSERT INTO media_texts (media_id, text, pages, is_truncated)
            VALUES (:media_id, :text, :pages, :is_truncated)
            """,
            media_id=media.id,
            **vars(text),
        )


def set_size(db: Connection, media_id: str, width: int, height: int) -> None:
    """Store the size of a picture in pixels."""
    db.defer(
        "UPDATE media SET width = :width, height = :height WHERE id = :id",
        id=media_id,
        width=width,
        height=height,
    )


def get_for(db: Connection, media_id: str, user_id: str) -> Media:
    """Raises: NotFound, also for media of another user."""
    return list_by_ids(db, [media_id], user_id)[0]


def list_by_ids(db: Connection, ids: Sequence[str], user_id: str) -> list[Media]:
    """The media in the order of the ids. Raises: NotFound: one is missing or another user's."""
    if not ids:
        return []
    placeholders, parameters = rows.in_list(ids)
    found = db.find_all(
        Media,
        f"""
        SELECT id, upload_id, user_id, object_key, filename, content_type, size, crc64, purpose,
            created_at_ms
        FROM media
        WHERE id IN ({placeholders}) AND user_id = :user_id
        """,  # noqa: S608  # names of parameters, made here
        user_id=user_id,
        **parameters,
    )
    by_id = {one.id: one for one in found}
    if not by_id.keys() >= set(ids):  # MySQL overlooks blanks at the end
        raise NotFound
    return [by_id[media_id] for media_id in ids]


def find_of_upload(db: Connection, upload_id: str, user_id: str) -> Media | None:
    """The media that an upload of this user has become."""
    found = db.find(
        Media,
        """
        SELECT id, upload_id, user_id, object_key, filename, content_type, size, crc64, purpose,
            created_at_ms
        FROM media
        WHERE upload_id = :upload_id AND user_id = :user_id
        """,
        upload_id=upload_id,
        user_id=user_id,
    )
    return found if found and found.upload_id == upload_id else None  # MySQL overlooks blanks


def list_of(db: Connection, user_id: str, *, after: Cursor | None, count: int) -> list[Media]:
    """The media of one user, the newest first."""
    return db.find_all(
        Media,
        """
        SELECT id, upload_id, user_id, object_key, filename, content_type, size, crc64, purpose,
            created_at_ms
        FROM media /*! FORCE INDEX (ix_media_user) */
        WHERE user_id = :user_id
            AND created_at_ms <= :at AND (created_at_ms < :at OR id < :id)
        ORDER BY created_at_ms DESC, id DESC
        LIMIT :count
        """,
        user_id=user_id,
        count=count,
        **vars(after or END),
    )


def text_of(db: Connection, media_id: str) -> MediaText | None:
    return list_texts(db, [media_id]).get(media_id)


def list_texts(db: Connection, ids: Sequence[str]) -> Mapping[str, MediaText]:
    """The texts of those media that have one."""
    if not ids:
        return {}
    placeholders, parameters = rows.in_list(ids)
    found = db.find_all(
        lambda media_id, text, pages, is_truncated: (
            str(media_id),
            MediaText(text, pages, bool(is_truncated)),
        ),
        f"""
        SELECT media_id, text, pages, is_truncated
        FROM media_texts
        WHERE media_id IN ({placeholders})
        """,  # noqa: S608  # names of parameters, made here
        **parameters,
    )
    return dict(found)


def remove(db: Connection, media: Media) -> bool:
    """Delete the row and its text; say whether it was there. The object is the caller's."""
    db.execute("DELETE FROM media_texts WHERE media_id = :id", id=media.id)
    return bool(db.execute("DELETE FROM media WHERE id = :id", id=media.id))


def list_keys(db: Connection, user_id: str) -> list[str]:
    """The objects of a user, with a lock on the rows until the end of the transaction."""
    return db.find_all(
        lambda object_key: str(object_key),
        "SELECT object_key FROM media WHERE user_id = :user_id /*! FOR UPDATE */",
        user_id=user_id,
    )


def remove_all(db: Connection, user_id: str) -> None:
    """Delete all media of a user, with their texts. The objects are the caller's."""
    db.execute(
        """
        DELETE FROM media_texts
        WHERE media_id IN (SELECT id FROM media WHERE user_id = :user_id)
        """,
        user_id=user_id,
    )
    db.execute("DELETE FROM media WHERE user_id = :user_id", user_id=user_id)
