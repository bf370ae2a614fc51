"""Checks of the database after a proof."""

from collections.abc import Iterator
from typing import Any

from scripts.tooling.proofs.model import answer_to
from shared.accounts import tokens
from shared.accounts.tokens import Claims
from shared.database.connection import Connection
from shared.database.transactions import transaction
from shared.ids import new_id
from shared.repos import answer_chunks, sessions, turns, users, wallets
from shared.repos.sessions import Session
from shared.repos.turns import Turn
from shared.repos.users import User
from shared.times import now_ms

PRICE_FEN = 7
BALANCE_FEN = 100_000


def add_payer() -> tuple[str, str]:
    """The id and the access token of a new user with money."""
    return transaction(_add_payer)


def _add_payer(db: Connection) -> tuple[str, str]:
    user = User(new_id(), None, new_id().lower(), None, "user", now_ms(), None)
    users.add(db, user)
    session = Session(new_id(), user.id, None, now_ms(), now_ms())
    sessions.add(db, session)
    wallets.open_wallet(db, user.id)
    wallets.book(db, user.id, "grant", BALANCE_FEN, key=f"grant:{user.id}")
    return user.id, tokens.issue_access(Claims(user.id, session.id, "user"))


def open_turns(db: Connection) -> int:
    return len(db.find_all(dict, "SELECT message_id FROM turns WHERE state = 'open'"))


def released_turns(db: Connection) -> int:
    return len(db.find_all(dict, "SELECT message_id FROM turns WHERE state = 'released'"))


def violations(db: Connection, user_id: str, questions: list[tuple[str, str]]) -> Iterator[str]:
    """Each way in which this user's money or answers are wrong.

    `questions` are (question, door); OpenAI's door stores no conversation.
    """
    settled = [turn for turn in _turns(db, user_id) if turn.state == "settled"]
    if len(settled) != len(questions):
        yield f"{len(settled)} settled turns for {len(questions)} answers"
    texts = [_stored_text(db, turn) for turn in settled]
    for question, door in questions:
        if texts.count(answer_to(question)) != 1:
            yield f"{question}: not stored whole, once"
        if door == "chat" and _history(db, user_id, question) != [answer_to(question)]:
            yield f"{question}: not whole, once, in the history"
    yield from _wrong_money(db, user_id, len(questions))


def _wrong_money(db: Connection, user_id: str, answers: int) -> Iterator[str]:
    wallet = wallets.find(db, user_id)
    expected = wallets.Wallet(BALANCE_FEN - PRICE_FEN * answers, 0, answers + 1, 0)
    if wallet != expected:
        yield f"{wallet}, not {expected}"
    balance = 0
    for entry in _ledger(db, user_id):
        balance += entry["amount_fen"]
        if entry["balance_after_fen"] != balance:
            yield f"the ledger does not add up at {entry['business_key']}"
    charged = {entry["business_key"] for entry in _ledger(db, user_id)[1:]}
    settled = {
        f"charge:{turn.message_id}" for turn in _turns(db, user_id) if turn.state == "settled"
    }
    if charged != settled:
        yield f"charges {charged ^ settled} without their turn, or turns without their charge"


def _turns(db: Connection, user_id: str) -> list[Turn]:
    ids = db.find_all(
        lambda message_id: str(message_id),
        "SELECT message_id FROM turns WHERE user_id = :id",
        id=user_id,
    )
    return [turns.get(db, message_id) for message_id in ids]


def _stored_text(db: Connection, turn: Turn) -> str:
    chunks = answer_chunks.list_from(db, turn.message_id, 0)
    return "".join(chunk.text for chunk in chunks)


def _history(db: Connection, user_id: str, question: str) -> list[str]:
    """The complete answers to a question in the user's conversations."""
    return db.find_all(
        lambda content: str(content),
        """
        SELECT answer.content
        FROM messages AS question
        JOIN conversations ON conversations.id = question.conversation_id
        JOIN messages AS answer ON answer.conversation_id = question.conversation_id
        WHERE conversations.user_id = :user_id AND question.content = :question
            AND question.role = 'user' AND answer.role = 'assistant'
            AND answer.finish_reason = 'stop'
        """,
        user_id=user_id,
        question=question,
    )


def _ledger(db: Connection, user_id: str) -> list[dict[str, Any]]:
    return db.find_all(
        dict[str, Any],
        """
        SELECT amount_fen, balance_after_fen, business_key
        FROM ledger
        WHERE user_id = :id
        ORDER BY entry_number
        """,
        id=user_id,
    )
