"""What a deleted account leaves behind: money and counts, and not a word that was said."""

from shared.database.connection import Connection
from shared.repos import answer_chunks, conversations, idempotency, turns


def forget_content(db: Connection, user_id: str) -> None:
    """Forget what somebody asked and was answered; what was charged for it stays.

    Turns come first, as where an answer is concluded, and before anything is read:
    MySQL reads what there was at the first read. Whoever was just about to ask may
    still come after us, and an answer being given is stored until it has stopped,
    so this is repeated for a while after an account was deleted.
    """
    turns.forget_all_questions(db, user_id)
    conversations.remove_all(db, user_id)
    answer_chunks.remove_of_user(db, user_id)
    idempotency.forget_all(db, user_id)
