"""Running answers of a user's conversations: open turns whose question is kept."""

from dataclasses import dataclass

from shared.database.connection import Connection


@dataclass(frozen=True)
class RunningAnswer:
    """`title` is that of a new conversation, if one was given to it."""

    message_id: str
    conversation_id: str
    question: str
    title: str | None
    model: str
    created_at_ms: int
    media_ids: str | None = None

    @property
    def media(self) -> list[str]:
        """The ids of the question's media."""
        return self.media_ids.split(",") if self.media_ids else []

    @property
    def opens_conversation(self) -> bool:
        """A conversation has the id of its first answer."""
        return self.conversation_id == self.message_id


def list_of(db: Connection, user_id: str) -> list[RunningAnswer]:
    """The running answers of one user, the oldest first. There are few at a time.

    A turn whose conversation was deleted has no question, and is left out.
    """
    return db.find_all(
        RunningAnswer,
        """
        SELECT message_id, conversation_id, question, title, model, created_at_ms, media_ids
        FROM turns /*! FORCE INDEX (ix_turns_user_state) */
        WHERE user_id = :user_id AND state = 'open'
            AND question IS NOT NULL AND conversation_id IS NOT NULL
        ORDER BY message_id
        """,
        user_id=user_id,
    )


def rename_new(db: Connection, conversation_id: str, user_id: str, title: str) -> bool:
    """Rename a conversation whose first answer still runs; say whether there is one.

    Otherwise this waits for the end of that answer, if it is just being stored.
    """
    return bool(
        db.execute(
            """
            UPDATE turns
            SET title = :title
            WHERE message_id = :id AND conversation_id = :id AND user_id = :user_id
                AND state = 'open' AND question IS NOT NULL
            """,
            id=conversation_id,
            user_id=user_id,
            title=title,
        )
    )
