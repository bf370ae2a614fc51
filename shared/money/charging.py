"""Charging of a turn: reserve before the model is called, then settle or release once.

`reserve` takes a free message of the day, or reserves part of the balance. Exactly one
of `settle` and `release` follows, when the turn has left `open`.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Literal

from shared.database.connection import Connection
from shared.database.deferred import Deferred
from shared.errors import DailyLimitReached, InsufficientBalance, TooManyStreams
from shared.money.outcome import usage_json
from shared.money.quota import quota_json
from shared.pricing import Price, Tokens, amount_fen, formula, most_fen, price_json
from shared.repos import daily_messages, turns, wallets
from shared.repos.turns import OpenTurn, Turn
from shared.times import seconds_left_of_day


class NotPrepared(Exception):
    """A row to count in is missing: call `prepare`, then `reserve` again."""


@dataclass(frozen=True)
class ReservationTerms:
    """Limits of a reservation, and the price of a message beyond the free ones.

    `price` returns None where only free messages are offered. `expects_payment` says that
    the free messages of the day are probably used up.
    """

    max_open_turns: int
    price: Callable[[], Price | None]
    max_tokens: int
    expects_payment: bool = False


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


@dataclass(frozen=True)
class Begun:
    """The first statements of a reservation: either of a free message, or of the locked day."""

    taken: Deferred | None = None
    started: Deferred | None = None
    used: Deferred | None = None


def begin(db: Connection, turn: Turn, terms: ReservationTerms) -> Begun:
    """Defer the first statements of `reserve`, which then needs fewer round trips.

    A free message is taken, or the day is locked if its free messages are expected to be
    used up. `reserve` does not trust the expectation.
    """
    if terms.expects_payment:
        return Begun(used=daily_messages.lock(db, turn.subject, turn.day))
    taken = daily_messages.take(db, turn.subject, turn.day, limit=turn.daily_limit)
    started = _start(db, turn, terms) if turn.user_id else None
    return Begun(taken, started)


def reserve(
    db: Connection, turn: Turn, terms: ReservationTerms, begun: Begun | None = None
) -> Turn:
    """Open the turn and reserve its highest cost; return it with its payment filled in.

    Raises: NotPrepared, DailyLimitReached, InsufficientBalance, TooManyStreams.
    """
    begun = begun or begin(db, turn, terms)
    reserved = turn if _is_free(db, turn, begun) else _paid_from_balance(turn, terms)
    if turn.user_id and not _holds(db, reserved, terms, begun.started):
        raise _refusal(db, turn.user_id, terms, begun.started)
    turns.add(db, reserved)
    return reserved


def _is_free(db: Connection, turn: Turn, begun: Begun) -> bool:
    """Raises: NotPrepared. Where no message was taken, the day is read as it is now."""
    if begun.taken:
        return True
    locked = begun.used or daily_messages.lock(db, turn.subject, turn.day)
    used = locked.first(lambda used: int(used))
    if used is None:
        raise NotPrepared
    if used >= turn.daily_limit:
        return False
    return bool(daily_messages.take(db, turn.subject, turn.day, limit=turn.daily_limit))


def _start(db: Connection, turn: Turn, terms: ReservationTerms) -> Deferred:
    hold_fen, limit = turn.reserved_fen, terms.max_open_turns
    return wallets.start_turn(db, str(turn.user_id), hold_fen=hold_fen, most_open=limit)


def _holds(db: Connection, turn: Turn, terms: ReservationTerms, started: Deferred | None) -> bool:
    """Whether the turn is counted and its cost reserved; `started` has counted it already."""
    if started is None:
        return bool(_start(db, turn, terms))
    if not started or not turn.reserved_fen:
        return bool(started)
    return bool(wallets.hold(db, str(turn.user_id), hold_fen=turn.reserved_fen))


def _refusal(
    db: Connection, user_id: str, terms: ReservationTerms, started: Deferred | None
) -> Exception:
    """The reason, as the wallet is now; its count includes a turn that was started."""
    wallet = wallets.lock(db, user_id)
    if wallet is None:
        return NotPrepared()
    if not started and wallet.open_turns >= terms.max_open_turns:
        return TooManyStreams()
    return InsufficientBalance()


def _paid_from_balance(turn: Turn, terms: ReservationTerms) -> Turn:
    price = terms.price() if turn.user_id else None
    if price is None:
        raise DailyLimitReached(retry_after_seconds=seconds_left_of_day(turn.created_at_ms))
    hold_fen = most_fen(price, turn.prompt_tokens, terms.max_tokens)
    price_text = json.dumps(asdict(price))
    return replace(turn, payment="balance", reserved_fen=hold_fen, price=price_text)


def most_output(turn: Turn, max_tokens: int) -> int:
    """Tokens of output, as we estimate them, that the reservation of a turn covers.

    A message has the same price at any length, so there the limit only guards against
    upstreams that ignore `max_tokens`. It is twice as high, because our estimate may be
    twice the upstream's count.
    """
    is_by_token = turn.price and Price(**json.loads(turn.price)).unit == "token"
    return max_tokens if is_by_token else 2 * max_tokens


def settle(db: Connection, turn: Turn, known: OpenTurn, tokens: Tokens) -> Charge:
    """End the reservation of an answered turn and book its charge. The wallet is locked."""
    charge = charge_for(turn, tokens)
    amount = charge.amount_fen
    if turn.user_id:
        wallets.end_turn(db, turn.user_id, held_fen=turn.reserved_fen, charged_fen=amount)
    if turn.user_id and amount:
        wallets.add_charge(
            db,
            turn.user_id,
            amount,
            key=f"charge:{turn.message_id}",
            balance_fen=known.balance_fen or 0,
            entries=known.entries or 0,
        )
    return charge


def release(db: Connection, turn: Turn) -> Charge:
    """End the reservation of an unanswered turn and give back its free message."""
    if turn.payment == "free":  # days before wallets: see shared.repos.lock_order
        daily_messages.give_back(db, turn.subject, turn.day)
    if turn.user_id:
        wallets.end_turn(db, turn.user_id, held_fen=turn.reserved_fen)
    return Charge("none")


def quota_after(turn: Turn, known: OpenTurn, charge: Charge) -> dict[str, object]:
    """The quota when the turn has ended, from the locked rows as they were before."""
    used = known.used or 0
    if charge.kind == "none" and turn.payment == "free":
        used = max(used - 1, 0)
    if known.balance_fen is None or known.reserved_fen is None:
        return quota_json(turn.daily_limit, used, None)
    reserved = known.reserved_fen - turn.reserved_fen
    return quota_json(turn.daily_limit, used, known.balance_fen - charge.amount_fen - reserved)


def charge_for(turn: Turn, tokens: Tokens) -> Charge:
    """The charge, never above the reservation: no token count can make a balance negative."""
    if turn.payment == "free":
        return Charge("free")
    price = Price(**json.loads(turn.price))
    receipt = {
        **usage_json(tokens),
        "reserved_fen": turn.reserved_fen,
        "price": price_json(price),
        "formula": formula(price.unit),
    }
    return Charge("balance", min(amount_fen(price, tokens), turn.reserved_fen), receipt)
