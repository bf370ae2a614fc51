"""Deleting the content of an account: conversations, files, locations and medicines."""

from shared.database.connection import Connection
from shared.repos import (
    answer_chunks,
    conversations,
    daily_uploads,
    drugs,
    idempotency,
    locations,
    media,
    object_deletions,
    turns,
    uploads,
)
from shared.times import now_ms


def forget_content(db: Connection, user_id: str) -> None:
    """Delete what a user wrote, received and reported; the charges stay.

    Turns are updated first: see shared.repos.lock_order. Nothing is read before them,
    because MySQL takes the snapshot of a transaction at its first read. A question, a file
    or a location may arrive at the same moment, and a running answer is stored until it
    has stopped, so maintenance repeats this for a while after an account was deleted.
    """
    turns.forget_all_questions(db, user_id)
    forget_stored_content(db, user_id)


def forget_stored_content(db: Connection, user_id: str) -> None:
    """Delete all content but questions in turns, which are changed before."""
    conversations.remove_all(db, user_id)
    _forget_files(db, user_id)
    answer_chunks.remove_of_user(db, user_id)
    locations.remove_all(db, user_id)
    drugs.remove_all(db, user_id)
    idempotency.forget_all(db, user_id)


def _forget_files(db: Connection, user_id: str) -> None:
    """Delete the rows, and enter the objects to be deleted.

    Temporary objects are entered since their form was given; they are deleted when no form
    is valid any more, because a valid one can write them again.
    """
    now = now_ms()
    object_deletions.queue(db, media.list_keys(db, user_id), at_ms=now, next_at_ms=now)
    prefix = uploads.prefix_of(user_id)
    object_deletions.bring_forward(db, prefix, next_at_ms=now + uploads.WRITTEN_MS)
    media.remove_all(db, user_id)
    uploads.remove_all(db, user_id)
    daily_uploads.remove_all(db, user_id)
