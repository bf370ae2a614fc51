"""Charging of a turn: reserve before the model is called, then settle or release once.

`reserve` takes a free message of the day, or reserves part of the balance. Exactly one
of `settle` and `release` follows, when the turn has left `open`.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Literal

from shared.database.connection import Connection
from shared.errors import DailyLimitReached, InsufficientBalance, TooManyStreams
from shared.money.outcome import usage_json
from shared.pricing import Price, Tokens, amount_fen, formula, most_fen, price_json
from shared.repos import daily_messages, turns, wallets
from shared.repos.turns import Turn
from shared.times import seconds_left_of_day


class NotPrepared(Exception):
    """A row to count in is missing: call `prepare`, then `reserve` again."""


@dataclass(frozen=True)
class ReservationTerms:
    """Limits of a reservation, and the price of a message beyond the free ones.

    `price` returns None where only free messages are offered.
    """

    max_open_turns: int
    price: Callable[[], Price | None]
    max_tokens: int


@dataclass(frozen=True)
class Charge:
    """Amount charged for a turn, with a receipt to compute it again from."""

    kind: Literal["free", "balance", "none"]
    amount_fen: int = 0
    receipt: Mapping[str, object] | None = None


def prepare(db: Connection, subject: str, user_id: str | None, day: str) -> None:
    """Insert the rows that `reserve` counts in: once a day, in a transaction of its own."""
    daily_messages.open_day(db, subject, day)
    if user_id:
        wallets.open_wallet(db, user_id)


def reserve(db: Connection, turn: Turn, terms: ReservationTerms) -> Turn:
    """Open the turn and reserve its highest cost; return it with its payment filled in.

    Raises: NotPrepared, DailyLimitReached, InsufficientBalance, TooManyStreams.
    """
    is_free = daily_messages.take(db, turn.subject, turn.day, limit=turn.daily_limit)
    if not is_free and not daily_messages.lock(db, turn.subject, turn.day):
        raise NotPrepared
    reserved = turn if is_free else _paid_from_balance(turn, terms)
    if turn.user_id:
        _hold(db, turn.user_id, reserved, terms)
    turns.add(db, reserved)
    return reserved


def _paid_from_balance(turn: Turn, terms: ReservationTerms) -> Turn:
    price = terms.price() if turn.user_id else None
    if price is None:
        raise DailyLimitReached(retry_after_seconds=seconds_left_of_day(turn.created_at_ms))
    hold_fen = most_fen(price, turn.prompt_tokens, terms.max_tokens)
    price_text = json.dumps(asdict(price))
    return replace(turn, payment="balance", reserved_fen=hold_fen, price=price_text)


def _hold(db: Connection, user_id: str, turn: Turn, terms: ReservationTerms) -> None:
    limit = terms.max_open_turns
    if wallets.start_turn(db, user_id, hold_fen=turn.reserved_fen, most_open=limit):
        return
    wallet = wallets.lock(db, user_id)
    if wallet is None:
        raise NotPrepared
    if wallet.open_turns >= limit:
        raise TooManyStreams
    raise InsufficientBalance


def most_output(turn: Turn, max_tokens: int) -> int:
    """Tokens of output, as we estimate them, that the reservation of a turn covers.

    A message has the same price at any length, so there the limit only guards against
    upstreams that ignore `max_tokens`. It is twice as high, because our estimate may be
    twice the upstream's count.
    """
    is_by_token = turn.price and Price(**json.loads(turn.price)).unit == "token"
    return max_tokens if is_by_token else 2 * max_tokens


def settle(db: Connection, turn: Turn, tokens: Tokens) -> Charge:
    """End the reservation of an answered turn and book its charge."""
    charge = charge_for(turn, tokens)
    if turn.user_id:
        wallets.end_turn(db, turn.user_id, held_fen=turn.reserved_fen)
        if charge.amount_fen:
            key = f"charge:{turn.message_id}"
            wallets.book(db, turn.user_id, "charge", -charge.amount_fen, key=key)
    return charge


def release(db: Connection, turn: Turn) -> Charge:
    """End the reservation of an unanswered turn and give back its free message."""
    if turn.payment == "free":  # days before wallets: see shared.repos.lock_order
        daily_messages.give_back(db, turn.subject, turn.day)
    if turn.user_id:
        wallets.end_turn(db, turn.user_id, held_fen=turn.reserved_fen)
    return Charge("none")


def charge_for(turn: Turn, tokens: Tokens) -> Charge:
    """The charge, never above the reservation: no token count can make a balance negative."""
    if turn.payment == "free":
        return Charge("free")
    price = Price(**json.loads(turn.price))
    receipt = {
        **usage_json(tokens),
        "reserved_fen": turn.reserved_fen,
        "price": price_json(price),
        "formula": formula(price),
    }
    return Charge("balance", min(amount_fen(price, tokens), turn.reserved_fen), receipt)
