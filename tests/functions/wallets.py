"""Guests, abandoned turns, and checks of wallets and turns."""

import secrets
from dataclasses import replace

from shared.database.connection import Connection
from shared.database.transactions import read, transaction
from shared.ids import new_id
from shared.money import charging
from shared.money.charging import ReservationTerms
from shared.pricing import Price
from shared.repos import answer_chunks, turns
from shared.repos.answer_chunks import AnswerChunk
from shared.repos.turns import Turn
from shared.repos.wallets import Wallet
from shared.times import now_ms, shanghai_day
from tests.ledger_checks import adds_up

PER_MESSAGE = Price("demo", 1, "message", message_fen=100)
PER_TOKEN = Price("demo", 2, "token", input_ufen=80_000_000, output_ufen=200_000_000)


def guest() -> str:
    subject = secrets.token_hex(32)
    transaction(charging.prepare, subject, None, today())
    return subject


def today() -> str:
    return shanghai_day(now_ms())


def abandoned(
    subject: str,
    *said: AnswerChunk,
    price: Price | None = None,
    is_guest: bool = False,
    **changes: object,
) -> Turn:
    """An open turn whose instance was just killed: free, or with a price."""
    message_id = str(changes.pop("message_id", new_id()))
    turn = Turn(
        message_id=message_id,
        subject=subject,
        user_id=None if is_guest else subject,
        conversation_id=None if is_guest else message_id,
        question=None if is_guest else "Why?",
        model="demo",
        payment="free",
        day=today(),
        daily_limit=0 if price else 1000,
        reserved_fen=0,
        price="",
        prompt_tokens=100,
        lease_until_ms=now_ms() - 1,
        created_at_ms=now_ms(),
    )
    turn = replace(turn, **changes)  # type: ignore[arg-type]  # fields of a turn
    opened = transaction(
        charging.reserve, turn, ReservationTerms(1000, lambda: price, max_tokens=1000)
    )
    for position, piece in enumerate(said):
        transaction(answer_chunks.add, opened.message_id, position, piece)
    return opened


def books(user_id: str) -> Wallet:
    return read(adds_up, user_id)


def state_of(turn: Turn) -> str:
    return read(turns.get, turn.message_id).state


def summed_up(turn: Turn) -> tuple[int, ...]:
    """Prompt, cached and completion tokens and the charge, as the usage report sums them up."""
    sql = """
        SELECT counted_prompt_tokens, cached_tokens, completion_tokens, charged_fen
        FROM turns
        WHERE message_id = :id
    """
    [row] = read(Connection.find_all, dict[str, int], sql, id=turn.message_id)
    return tuple(row.values())
