"""Deleting the content of an account: questions, answers and conversations."""

from shared.database.connection import Connection
from shared.repos import answer_chunks, conversations, idempotency, turns


def forget_content(db: Connection, user_id: str) -> None:
    """Delete the questions and answers of a user; the charges stay.

    Turns are updated first: see shared.repos.lock_order. Nothing is read before them,
    because MySQL takes the snapshot of a transaction at its first read. A question may
    arrive at the same moment, and a running answer is stored until it has stopped, so
    maintenance repeats this for a while after an account was deleted.
    """
    turns.forget_all_questions(db, user_id)
    forget_stored_text(db, user_id)


def forget_stored_text(db: Connection, user_id: str) -> None:
    """Delete conversations, stored answers and idempotency keys; turns are changed before."""
    conversations.remove_all(db, user_id)
    answer_chunks.remove_of_user(db, user_id)
    idempotency.forget_all(db, user_id)
