"""Conversations and their messages."""

from dataclasses import dataclass, fields

from shared.cursor import END, START, Cursor
from shared.database.connection import Connection
from shared.database.deferred import Deferred
from shared.errors import NotFound
from shared.repos import rows


@dataclass(frozen=True)
class Conversation:
    id: str
    user_id: str
    title: str
    created_at_ms: int


@dataclass(frozen=True)
class ConversationSummary:
    id: str
    title: str
    created_at_ms: int
    updated_at_ms: int

    @property
    def cursor(self) -> Cursor:
        return Cursor(self.updated_at_ms, self.id)


@dataclass(frozen=True)
class OldConversation:
    id: str
    user_id: str


@dataclass(frozen=True)
class Message:
    """`model`, `finish_reason` and the token counts are an assistant's."""

    id: str
    conversation_id: str
    role: str
    content: str
    created_at_ms: int
    model: str | None = None
    finish_reason: str | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None

    @property
    def cursor(self) -> Cursor:
        return Cursor(self.created_at_ms, self.id)


@dataclass(frozen=True)
class ContextMessage:
    conversation_id: str
    id: str | None
    role: str | None
    content: str | None
    media_count: int


def add(db: Connection, conversation: Conversation, *, updated_at_ms: int | None = None) -> None:
    db.defer(
        """
        INSERT INTO conversations (id, user_id, title, created_at_ms, updated_at_ms)
        VALUES (:id, :user_id, :title, :created_at_ms, :updated_at_ms)
        """,
        updated_at_ms=updated_at_ms or conversation.created_at_ms,
        **vars(conversation),
    )


def touch(db: Connection, conversation_id: str, *, at_ms: int) -> Deferred:
    """Record the time of a new message; it matches no row if the conversation was deleted.

    Call it before `append`. Two transactions at once then run one after the other; with
    the foreign key alone, both would get a shared lock and then deadlock.
    """
    return db.defer(
        "UPDATE conversations SET updated_at_ms = :at_ms WHERE id = :id",
        id=conversation_id,
        at_ms=at_ms,
    )


def append(db: Connection, *messages: Message) -> None:
    columns = [field.name for field in fields(Message)]
    placeholders, parameters = rows.values(columns, [vars(message) for message in messages])
    db.defer(
        f"""
        INSERT INTO messages ({", ".join(columns)})
        VALUES {placeholders}
        """,  # noqa: S608  # names of columns and parameters, made here
        **parameters,
    )


def replace_answer(db: Connection, answer: Message) -> bool:
    """Replace the text and the counts of a stored answer; return whether there is one.

    Call `touch` before, as for `append`.
    """
    return bool(
        db.execute(
            """
            UPDATE messages
            SET content = :content, finish_reason = :finish_reason,
                prompt_tokens = :prompt_tokens, completion_tokens = :completion_tokens
            WHERE id = :id
            """,
            id=answer.id,
            content=answer.content,
            finish_reason=answer.finish_reason,
            prompt_tokens=answer.prompt_tokens,
            completion_tokens=answer.completion_tokens,
        )
    )


def get_for(db: Connection, conversation_id: str, user_id: str) -> Conversation:
    """Raises: NotFound, also for a conversation of another user."""
    found = db.find(
        Conversation,
        """
        SELECT id, user_id, title, created_at_ms
        FROM conversations
        WHERE id = :id AND user_id = :user_id
        """,
        id=conversation_id,
        user_id=user_id,
    )
    if found is None or found.id != conversation_id:  # MySQL overlooks blanks at the end
        raise NotFound
    return found


def get_listed(db: Connection, conversation_id: str) -> ConversationSummary:
    """Raises: NotFound."""
    found = db.find(
        ConversationSummary,
        """
        SELECT id, title, created_at_ms, updated_at_ms
        FROM conversations
        WHERE id = :id
        """,
        id=conversation_id,
    )
    if found is None:
        raise NotFound
    return found


def list_of(
    db: Connection, user_id: str, *, after: Cursor | None, count: int
) -> list[ConversationSummary]:
    """The conversations of one user, the last changed first.

    Here and in other lists, the condition and the index are in a form that MariaDB plans as
    a range; otherwise it reads all rows before the page.
    """
    return db.find_all(
        ConversationSummary,
        """
        SELECT id, title, created_at_ms, updated_at_ms
        FROM conversations /*! FORCE INDEX (ix_conversations_user) */
        WHERE user_id = :user_id
            AND updated_at_ms <= :at AND (updated_at_ms < :at OR id < :id)
        ORDER BY updated_at_ms DESC, id DESC
        LIMIT :count
        """,
        user_id=user_id,
        count=count,
        **vars(after or END),
    )


def list_messages(
    db: Connection, conversation_id: str, *, after: Cursor | None, count: int
) -> list[Message]:
    """Oldest first."""
    return db.find_all(
        Message,
        """
        SELECT id, conversation_id, role, content, created_at_ms, model, finish_reason,
            prompt_tokens, completion_tokens
        FROM messages /*! FORCE INDEX (ix_messages_conversation) */
        WHERE conversation_id = :conversation_id
            AND created_at_ms >= :at AND (created_at_ms > :at OR id > :id)
        ORDER BY created_at_ms, id
        LIMIT :count
        """,
        conversation_id=conversation_id,
        count=count,
        **vars(after or START),
    )


def list_newest_messages(
    db: Connection, conversation_id: str, *, after: Cursor | None, count: int
) -> list[Message]:
    """Newest first."""
    return db.find_all(
        Message,
        """
        SELECT id, conversation_id, role, content, created_at_ms, model, finish_reason,
            prompt_tokens, completion_tokens
        FROM messages /*! FORCE INDEX (ix_messages_conversation) */
        WHERE conversation_id = :conversation_id
            AND created_at_ms <= :at AND (created_at_ms < :at OR id < :id)
        ORDER BY created_at_ms DESC, id DESC
        LIMIT :count
        """,
        conversation_id=conversation_id,
        count=count,
        **vars(after or END),
    )


def rename(db: Connection, conversation_id: str, title: str) -> None:
    """Raises: NotFound."""
    found = db.execute(
        "UPDATE conversations SET title = :title WHERE id = :id", id=conversation_id, title=title
    )
    if not found:
        raise NotFound


def remove(db: Connection, conversation_id: str, user_id: str) -> bool:
    """Delete a conversation of this user with its messages; return whether there was one.

    The UPDATE locks the row against transactions that append messages. The row is
    deleted last, because its messages refer to it.
    """
    if not _lock(db, conversation_id, user_id):
        return False
    db.execute("DELETE FROM messages WHERE conversation_id = :id", id=conversation_id)
    db.execute("DELETE FROM conversations WHERE id = :id", id=conversation_id)
    return True


def _lock(db: Connection, conversation_id: str, user_id: str) -> bool:
    """Lock a conversation of this user; say whether there is one.

    The update changes nothing: it only locks the row until the transaction ends.
    """
    return bool(
        db.execute(
            "UPDATE conversations SET title = title WHERE id = :id AND user_id = :user_id",
            id=conversation_id,
            user_id=user_id,
        )
    )


def remove_all(db: Connection, user_id: str) -> None:
    """Delete all conversations of one user, with their messages."""
    of_user = db.find_all(
        lambda id: str(id), "SELECT id FROM conversations WHERE user_id = :user_id", user_id=user_id
    )
    for conversation_id in of_user:
        remove(db, conversation_id, user_id)


def find_answer(db: Connection, message_id: str) -> str | None:
    """The text of an answer that a conversation holds."""
    return db.find(
        lambda content: str(content),
        "SELECT content FROM messages WHERE id = :id",
        id=message_id,
    )


def list_last(db: Connection, conversation_id: str, user_id: str, *, count: int) -> Deferred:
    """The last messages of a conversation of this user, newest first.

    The result has a `ContextMessage` for each, one without a role for an empty conversation,
    and none for a conversation that is not the user's. The inner LIMIT reads the index from
    its end; MariaDB would sort the messages of a plain join.
    """
    return db.defer(
        """
        SELECT c.id AS conversation_id, m.id, m.role, m.content,
            (SELECT COUNT(*) FROM message_media WHERE message_id = m.id) AS media_count
        FROM conversations AS c
        LEFT JOIN (
            SELECT conversation_id, role, content, created_at_ms, id
            FROM messages
            WHERE conversation_id = :conversation_id
            ORDER BY created_at_ms DESC, id DESC
            LIMIT :count
        ) AS m ON m.conversation_id = c.id
        WHERE c.id = :conversation_id AND c.user_id = :user_id
        ORDER BY m.created_at_ms DESC, m.id DESC
        """,
        conversation_id=conversation_id,
        user_id=user_id,
        count=count,
    )


def list_untouched(db: Connection, *, before_ms: int, count: int) -> list[OldConversation]:
    """Conversations whose last message is older, the oldest first."""
    return db.find_all(
        OldConversation,
        """
        SELECT id, user_id
        FROM conversations /*! FORCE INDEX (ix_conversations_updated) */
        WHERE updated_at_ms < :before_ms
        ORDER BY updated_at_ms, id
        LIMIT :count
        """,
        before_ms=before_ms,
        count=count,
    )


def lock_untouched(db: Connection, conversation_id: str, before_ms: int) -> bool:
    """Lock a conversation if its last message is still older; say whether it is.

    The update changes nothing: it only locks the row until the transaction ends.
    """
    return bool(
        db.execute(
            "UPDATE conversations SET title = title WHERE id = :id AND updated_at_ms < :before_ms",
            id=conversation_id,
            before_ms=before_ms,
        )
    )


def remove_messages(db: Connection, conversation_id: str, *, count: int) -> int:
    """Delete up to `count` messages of a conversation, the oldest first; return how many."""
    oldest = db.find_all(
        lambda id: str(id),
        """
        SELECT id
        FROM messages
        WHERE conversation_id = :conversation_id
        ORDER BY created_at_ms, id
        LIMIT :count
        """,
        conversation_id=conversation_id,
        count=count,
    )
    for message_id in oldest:
        db.execute("DELETE FROM messages WHERE id = :id", id=message_id)
    return len(oldest)
