"""Reserve, then conclude: what a message costs, taken once.

Before the model is asked, `reserve` takes a free message of the day or promises
part of the balance. Afterwards `conclude` ends the turn, and only the first call
has an effect, whoever makes it: the instance that gave the answer, or the
sweeper where that instance was killed. The published rule: a turn that produced
any answer text is settled, one that produced none is released.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Literal

from shared.database.connection import Connection
from shared.errors import DailyLimitReached, InsufficientBalance, TooManyStreams
from shared.ids import new_id
from shared.pricing import Price, Tokens, amount_fen, formula, most_fen
from shared.repos import conversations, daily_messages, idempotency, turns, wallets
from shared.repos.conversations import Conversation, Message
from shared.repos.turns import Turn
from shared.times import now_ms, seconds_left_of_day

_TITLE_CHARACTERS = 40


class NotPrepared(Exception):
    """There is no row yet to count in: call `prepare`, then reserve again."""


@dataclass(frozen=True)
class Terms:
    """What this caller may have, and what more than the free messages costs."""

    most_open: int
    price: Callable[[], Price | None]  # None: there is nothing beyond the free messages
    max_tokens: int


@dataclass(frozen=True)
class Ending:
    """How an answer ended. `error` is a stable name, where it ended in a failure."""

    text: str
    finish_reason: str
    tokens: Tokens
    error: str = ""


@dataclass(frozen=True)
class Charge:
    """What a turn came to, and how that follows from what was counted."""

    kind: Literal["free", "balance", "none"]
    amount_fen: int = 0
    receipt: Mapping[str, object] | None = None


def prepare(db: Connection, subject: str, user_id: str | None, day: str) -> None:
    """Have the rows that reserve counts in: once a day, in a transaction of its own."""
    daily_messages.open_day(db, subject, day)
    if user_id:
        wallets.open_wallet(db, user_id)


def reserve(db: Connection, turn: Turn, terms: Terms) -> Turn:
    """Open the turn and take what it may cost; return it with its payment filled in.

    Raises: NotPrepared, DailyLimitReached, InsufficientBalance, TooManyStreams.
    """
    taken = daily_messages.take(db, turn.subject, turn.day, limit=turn.daily_limit)
    if not taken and daily_messages.find_used(db, turn.subject, turn.day) is None:
        raise NotPrepared
    reserved = turn if taken else _on_balance(turn, terms)
    if turn.user_id:
        _hold(db, turn.user_id, reserved, terms)
    turns.add(db, reserved)
    return reserved


def _on_balance(turn: Turn, terms: Terms) -> Turn:
    price = terms.price() if turn.user_id else None
    if price is None:
        raise DailyLimitReached(retry_after_seconds=seconds_left_of_day(turn.created_at_ms))
    hold_fen = most_fen(price, turn.prompt_tokens, terms.max_tokens)
    told = json.dumps(asdict(price))
    return replace(turn, payment="balance", reserved_fen=hold_fen, price=told)


def _hold(db: Connection, user_id: str, turn: Turn, terms: Terms) -> None:
    if wallets.start_turn(db, user_id, hold_fen=turn.reserved_fen, most_open=terms.most_open):
        return
    wallet = wallets.find(db, user_id)
    if wallet is None:
        raise NotPrepared
    if wallet.open_turns >= terms.most_open:
        raise TooManyStreams
    raise InsufficientBalance


def conclude(db: Connection, turn: Turn, ending: Ending) -> dict[str, object] | None:
    """End the turn; return its outcome, or None, with no effect, if it is ended already."""
    state, ended_at_ms = "settled" if ending.text else "released", now_ms()
    if not turns.mark_ended(db, turn.message_id, state, at_ms=ended_at_ms):
        return None
    charge = _settle(db, turn, ending) if ending.text else _release(db, turn)
    outcome: dict[str, object] = {
        "finish_reason": ending.finish_reason,
        "usage": usage(ending.tokens),
        "charge": vars(charge),
        "quota": quota(db, turn),
        "latency_ms": max(ended_at_ms - turn.created_at_ms, 0),
    }
    if ending.error:
        outcome["error"] = ending.error
    turns.record_outcome(
        db,
        turn.message_id,
        json.dumps(outcome, ensure_ascii=False),
        tokens=ending.tokens,
        charged_fen=charge.amount_fen,
    )
    return outcome


def outcome_of(turn: Turn) -> dict[str, object]:
    """What the first conclusion of an ended turn told."""
    outcome: dict[str, object] = json.loads(turn.outcome) if turn.outcome else {}
    return outcome


def _settle(db: Connection, turn: Turn, ending: Ending) -> Charge:
    charge = charge_for(turn, ending.tokens)
    if turn.user_id:
        wallets.end_turn(db, turn.user_id, held_fen=turn.reserved_fen)
        if charge.amount_fen:
            key = f"charge:{turn.message_id}"
            wallets.book(db, turn.user_id, "charge", -charge.amount_fen, key=key)
        _keep(db, turn, turn.user_id, ending)
    return charge


def _release(db: Connection, turn: Turn) -> Charge:
    """Days before wallets: see shared.repos.lock_order."""
    if turn.payment == "free":
        daily_messages.give_back(db, turn.subject, turn.day)
    if turn.user_id:
        wallets.end_turn(db, turn.user_id, held_fen=turn.reserved_fen)
    idempotency.forget(db, turn.message_id)
    return Charge("none")


def charge_for(turn: Turn, tokens: Tokens) -> Charge:
    """Never more than was reserved: what the upstream claims cannot make a balance negative."""
    if turn.payment == "free":
        return Charge("free")
    price = Price(**json.loads(turn.price))
    receipt = {
        **usage(tokens),
        "reserved_fen": turn.reserved_fen,
        "price": asdict(price),
        "formula": formula(price),
    }
    return Charge("balance", min(amount_fen(price, tokens), turn.reserved_fen), receipt)


def quota(db: Connection, turn: Turn) -> dict[str, object]:
    allowance = wallets.find_allowance(db, turn.subject, turn.day) or wallets.Allowance(0, None)
    counted: dict[str, object] = {
        "daily_limit": turn.daily_limit,
        "used_today": allowance.used,
        "remaining": max(turn.daily_limit - allowance.used, 0),
    }
    if allowance.spendable_fen is not None:
        counted["balance_fen"] = allowance.spendable_fen
    return counted


def usage(tokens: Tokens) -> dict[str, object]:
    return {
        "prompt_tokens": tokens.prompt,
        "cached_tokens": tokens.cached,
        "completion_tokens": tokens.completion,
        "source": tokens.source,
    }


def _keep(db: Connection, turn: Turn, user_id: str, ending: Ending) -> None:
    """Question and answer become part of the conversation, unless it was deleted meanwhile.

    Only its first question opens one. A later question that finds none has lost
    it to a deletion, and whoever deletes before the first is answered takes the
    question away; the locks on both rows let one of the two come after the other.
    """
    conversation_id, question = turn.conversation_id, turns.get(db, turn.message_id).question
    if conversation_id is None or question is None:
        return
    answer = Message(
        id=turn.message_id,
        conversation_id=conversation_id,
        role="assistant",
        content=ending.text,
        created_at_ms=max(now_ms(), turn.created_at_ms + 1),
        model=turn.model,
        finish_reason=ending.finish_reason,
        prompt_tokens=ending.tokens.prompt,
        completion_tokens=ending.tokens.completion,
    )
    if turn.opens_conversation:
        title = question[:_TITLE_CHARACTERS]
        opened = Conversation(conversation_id, user_id, title, turn.created_at_ms)
        conversations.add(db, opened, updated_at_ms=answer.created_at_ms)
    elif not conversations.touch(db, conversation_id, at_ms=answer.created_at_ms):
        turns.forget_question(db, turn.message_id)
        return
    asked = Message(new_id(), conversation_id, "user", question, turn.created_at_ms)
    conversations.append(db, asked, answer)
