"""Turns: questions to a model, each of which ends exactly once."""

from collections.abc import Sequence
from dataclasses import dataclass

from shared.database.connection import Connection
from shared.database.deferred import Deferred
from shared.errors import NotFound
from shared.ids import lowest_id
from shared.pricing import Tokens
from shared.repos import rows


@dataclass(frozen=True)
class Turn:
    """`outcome` is JSON, see shared.money.outcome; `subject` is a user or a guest.

    `question`, `title`, `media_ids` and `price` are those of an open turn; a released one keeps
    all but the price. `title` is that of a new conversation. `is_truncated` says that the prompt
    had only the beginning of a document.
    """

    message_id: str
    subject: str
    user_id: str | None
    conversation_id: str | None
    question: str | None
    model: str
    payment: str
    day: str
    daily_limit: int
    reserved_fen: int
    price: str
    prompt_tokens: int
    lease_until_ms: int
    created_at_ms: int
    state: str = "open"
    stop_requested: int = 0
    ended_at_ms: int | None = None
    outcome: str | None = None
    title: str | None = None
    media_ids: str | None = None
    is_truncated: int = 0

    @property
    def media(self) -> list[str]:
        """The ids of the question's media."""
        return self.media_ids.split(",") if self.media_ids else []

    @property
    def opens_conversation(self) -> bool:
        """A conversation has the id of its first answer."""
        return self.conversation_id == self.message_id


@dataclass(frozen=True)
class OpenTurn:
    """The texts of a turn, and what is counted of its subject: guests have no wallet."""

    question: str | None
    title: str | None
    used: int | None
    balance_fen: int | None
    reserved_fen: int | None
    entries: int | None


@dataclass(frozen=True)
class Stopped:
    message_id: str
    state: str


def add(db: Connection, turn: Turn) -> None:
    db.defer(
        """
        INSERT INTO turns
            (message_id, subject, user_id, conversation_id, question, model, payment, day,
             daily_limit, reserved_fen, price, prompt_tokens, lease_until_ms, created_at_ms,
             state, stop_requested, ended_at_ms, outcome, title, media_ids, is_truncated)
        VALUES
            (:message_id, :subject, :user_id, :conversation_id, :question, :model, :payment, :day,
             :daily_limit, :reserved_fen, :price, :prompt_tokens, :lease_until_ms, :created_at_ms,
             :state, :stop_requested, :ended_at_ms, :outcome, :title, :media_ids, :is_truncated)
        """,
        **vars(turn),
    )


def find(db: Connection, message_id: str) -> Turn | None:
    return db.find(
        Turn,
        """
        SELECT message_id, subject, user_id, conversation_id, question, model, payment, day,
            daily_limit, reserved_fen, price, prompt_tokens, lease_until_ms, created_at_ms,
            state, stop_requested, ended_at_ms, outcome, title, media_ids, is_truncated
        FROM turns
        WHERE message_id = :message_id
        """,
        message_id=message_id,
    )


def get(db: Connection, message_id: str) -> Turn:
    """Raises: NotFound."""
    found = find(db, message_id)
    if found is None:
        raise NotFound
    return found


def lock_open(db: Connection, turn: Turn) -> Deferred:
    """Lock a turn if it is open, and the rows that count its subject's messages and money.

    The result is one `OpenTurn`, as these rows are now, or none if the turn has ended. On
    MySQL the join order is forced: it is the order of the locks.
    """
    return db.defer(
        """
        SELECT /*! STRAIGHT_JOIN */ t.question, t.title, d.used, w.balance_fen, w.reserved_fen,
            w.entries
        FROM turns AS t
        LEFT JOIN daily_messages AS d ON d.subject = :subject AND d.day = :day
        LEFT JOIN wallets AS w ON w.user_id = :user_id
        WHERE t.message_id = :message_id AND t.state = 'open'
        /*! FOR UPDATE */
        """,
        message_id=turn.message_id,
        subject=turn.subject,
        day=turn.day,
        user_id=turn.user_id,
    )


def end(
    db: Connection,
    message_id: str,
    state: str,
    outcome: str,
    *,
    tokens: Tokens,
    charged_fen: int,
    at_ms: int,
) -> None:
    """Move an open turn, which must be locked, to settled or released.

    Store the outcome, and its numbers in columns of their own for reports. What is stored
    elsewhere by now is removed: the question in the messages, the price in the outcome.
    """
    db.defer(
        """
        UPDATE turns
        SET state = :state,
            ended_at_ms = :at_ms,
            outcome = :outcome,
            counted_prompt_tokens = :prompt,
            cached_tokens = :cached,
            completion_tokens = :completion,
            charged_fen = :charged_fen,
            price = '',
            question = CASE WHEN :state = 'released' THEN question END,
            title = CASE WHEN :state = 'released' THEN title END,
            media_ids = CASE WHEN :state = 'released' THEN media_ids END
        WHERE message_id = :message_id AND state = 'open'
        """,
        message_id=message_id,
        state=state,
        at_ms=at_ms,
        outcome=outcome,
        prompt=tokens.prompt,
        cached=tokens.cached,
        completion=tokens.completion,
        charged_fen=charged_fen,
    )


def change_outcome(db: Connection, message_id: str, outcome: str, *, tokens: Tokens) -> None:
    """Replace the outcome and the token counts of an ended turn; its charge stays."""
    db.defer(
        """
        UPDATE turns
        SET outcome = :outcome,
            counted_prompt_tokens = :prompt,
            cached_tokens = :cached,
            completion_tokens = :completion
        WHERE message_id = :message_id AND state <> 'open'
        """,
        message_id=message_id,
        outcome=outcome,
        prompt=tokens.prompt,
        cached=tokens.cached,
        completion=tokens.completion,
    )


def lock(db: Connection, message_id: str) -> bool:
    """Lock a turn until the end of the transaction; say whether there is one.

    This waits for a transaction that has just inserted the turn and is not committed yet.
    The update changes nothing.
    """
    return bool(
        db.execute(
            "UPDATE turns SET lease_until_ms = lease_until_ms WHERE message_id = :message_id",
            message_id=message_id,
        )
    )


def renew(db: Connection, message_ids: Sequence[str], *, until_ms: int) -> None:
    """Extend the leases of open turns, which the sweeper then leaves alone."""
    names, values = rows.in_list(message_ids)
    db.defer(
        f"""
        UPDATE turns
        SET lease_until_ms = :until_ms
        WHERE message_id IN ({names}) AND state = 'open'
        """,  # noqa: S608  # names of parameters, made here
        until_ms=until_ms,
        **values,
    )


def list_to_stop(db: Connection, message_ids: Sequence[str]) -> list[Stopped]:
    """The turns to stop: at a request, of an account that is disabled, or ended by the sweeper.

    The account is looked up each time, and no flag is set when it is disabled: a question
    that was admitted just before may open its turn just after.
    """
    names, values = rows.in_list(message_ids)
    return db.find_all(
        Stopped,
        f"""
        SELECT t.message_id, t.state
        FROM turns AS t
        LEFT JOIN users AS u ON u.id = t.user_id
        WHERE t.message_id IN ({names})
            AND (t.stop_requested = 1 OR t.state <> 'open' OR u.disabled_at_ms IS NOT NULL)
        """,  # noqa: S608  # names of parameters, made here
        **values,
    )


def request_stop(db: Connection, message_id: str) -> None:
    """Set the flag that the generating instance polls with `list_to_stop`."""
    db.execute(
        "UPDATE turns SET stop_requested = 1 WHERE message_id = :message_id AND state = 'open'",
        message_id=message_id,
    )


def list_abandoned(db: Connection, *, before_ms: int, count: int) -> list[str]:
    """Open turns whose lease has expired: their instance is gone."""
    return db.find_all(
        lambda message_id: str(message_id),
        """
        SELECT message_id
        FROM turns
        WHERE state = 'open' AND lease_until_ms < :before_ms
        ORDER BY lease_until_ms
        LIMIT :count
        """,
        before_ms=before_ms,
        count=count,
    )


def lock_abandoned(db: Connection, message_id: str, *, before_ms: int) -> bool:
    """Lock a turn if it is open and still abandoned; say whether it is.

    Since list_abandoned read it, its producer may have renewed the lease, or
    another sweeper may have ended it. The update changes nothing: it only locks
    the row until the transaction ends.
    """
    return bool(
        db.execute(
            """
            UPDATE turns
            SET lease_until_ms = lease_until_ms
            WHERE message_id = :message_id AND state = 'open' AND lease_until_ms < :before_ms
            """,
            message_id=message_id,
            before_ms=before_ms,
        )
    )


def forget_questions(db: Connection, user_id: str, conversation_id: str) -> bool:
    """Remove the questions of a conversation; return whether there were any.

    Running turns are included: an answer without its question is not stored.
    """
    return bool(
        db.execute(
            """
            UPDATE turns
            SET question = NULL, title = NULL, media_ids = NULL
            WHERE user_id = :user_id AND conversation_id = :conversation_id
                AND question IS NOT NULL
            """,
            user_id=user_id,
            conversation_id=conversation_id,
        )
    )


def forget_all_questions(db: Connection, user_id: str) -> None:
    """Remove all questions of a user, and stop the answers that are still running."""
    db.execute(
        """
        UPDATE turns
        SET question = NULL,
            title = NULL,
            media_ids = NULL,
            stop_requested = 1
        WHERE user_id = :user_id AND (question IS NOT NULL OR state = 'open')
        """,
        user_id=user_id,
    )


def has_open(db: Connection, conversation_id: str) -> bool:
    """Say whether an answer of the conversation is being generated."""
    return db.exists(
        """
        SELECT message_id
        FROM turns
        WHERE conversation_id = :conversation_id AND state = 'open'
        LIMIT 1
        """,
        conversation_id=conversation_id,
    )


def list_ended(db: Connection, *, before_ms: int, after: str, count: int) -> list[str]:
    """Turns that began and ended before, by their ids, which are ordered by time."""
    return db.find_all(
        lambda message_id: str(message_id),
        """
        SELECT message_id
        FROM turns /*! FORCE INDEX (PRIMARY) */
        WHERE message_id > :after AND message_id < :lowest_id AND ended_at_ms < :before_ms
        ORDER BY message_id
        LIMIT :count
        """,
        after=after,
        lowest_id=lowest_id(before_ms),
        before_ms=before_ms,
        count=count,
    )


def remove(db: Connection, message_id: str) -> bool:
    """Delete a turn that has ended, whose calls and chunks are gone; say whether it was there."""
    return bool(
        db.execute(
            "DELETE FROM turns WHERE message_id = :id AND state <> 'open'",
            id=message_id,
        )
    )
