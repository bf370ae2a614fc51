"""Removing rows that are older than their setting says, one by one.

Rows are found by the order of an index and removed by their primary key. Each statement
commits by itself, because in a transaction the gaps that MySQL locks around removed rows,
and in their child tables, could make a new message wait. A removal that is interrupted is
completed by the next run, and a row that another connection holds is passed over. Money and
the audit log have no age.
"""

import json
import time
from collections.abc import Callable, Sequence
from functools import partial

from functions.maintenance.chores import Chore, Counts, each
from shared import settings
from shared.config import load
from shared.database.connection import Connection
from shared.database.transactions import autocommit, read, transaction
from shared.money.outcome import stored_outcome
from shared.repos import (
    answer_chunks,
    conversations,
    daily_messages,
    daily_uploads,
    export_jobs,
    invites,
    locations,
    sessions,
    turns,
    upstream_calls,
    wallets,
)
from shared.repos.conversations import OldConversation
from shared.repos.turns import Turn
from shared.times import DAY_MS, day_start_ms, now_ms, shanghai_day

BATCH = 100
MESSAGES_AT_ONCE = 500
_SLICE_SECONDS = 3  # of one chore in one run, so that a backlog does not take the time of others

List = Callable[..., Sequence[str]]
Remove = Callable[[Connection, str], bool]


class _InUse(Exception):
    """The conversation was used since it was listed."""


def remove_turns(until: float, counts: Counts) -> None:
    """Whole days of Asia/Shanghai, because the usage report sums up days."""
    days = load(settings.Retention).turns_days
    before_ms = day_start_ms(shanghai_day(now_ms() - days * DAY_MS))
    if days:
        listed = partial(turns.list_ended, before_ms=before_ms)
        _remove_listed("old_turns", listed, _remove_turn, until, counts)


def remove_conversations(until: float, counts: Counts) -> None:
    """Each conversation by itself, and many messages in several transactions."""
    days = load(settings.Retention).conversations_days
    before_ms, until = _before_ms(days), _slice(until)
    while days and time.monotonic() < until:
        old = read(conversations.list_untouched, before_ms=before_ms, count=BATCH)
        done = counts.old_conversations
        each(old, until, lambda one: _remove_conversation(one, before_ms, until, counts))
        if len(old) < BATCH or counts.old_conversations == done:
            break


def remove_days(until: float, counts: Counts) -> None:
    days = load(settings.Retention).counts_days
    before_day = shanghai_day(now_ms() - days * DAY_MS)
    until = _slice(until)
    for remove in (daily_messages.remove_days, daily_uploads.remove_days):
        while days and time.monotonic() < until:
            done = transaction(remove, before_day, count=BATCH)
            counts.add("old_days", done)
            if done < BATCH:
                break


def remove_exports(until: float, counts: Counts) -> None:
    """The rows. The files are removed by a rule of the bucket: see scripts/README.md."""
    days = load(settings.Retention).finished_days
    if days:
        listed = partial(export_jobs.list_ended, before_ms=_before_ms(days))
        _remove_listed("old_exports", listed, export_jobs.remove, until, counts)


def remove_invites(until: float, counts: Counts) -> None:
    """Codes that opened no account and open none any more."""
    days = load(settings.Retention).finished_days
    for listing in (invites.list_deactivated, invites.list_expired) if days else ():
        listed = partial(listing, before_ms=_before_ms(days))
        _remove_listed("old_invites", listed, invites.remove_unused, until, counts)


def remove_outlived_sessions(until: float, counts: Counts) -> None:
    """Sessions past their maximum age, also those that never had a refresh token."""
    retention = load(settings.Retention)
    if not retention.sessions_days:
        return
    age_ms = load(settings.Sessions).longest_seconds * 1000 + retention.sessions_days * DAY_MS
    listed = partial(sessions.list_opened, before_ms=now_ms() - age_ms)
    _remove_listed("old_sessions", listed, sessions.remove, until, counts)


def remove_locations(until: float, counts: Counts) -> None:
    """So long after they were reported, whenever they were recorded."""
    days = load(settings.Retention).locations_days
    if days:
        listed = partial(locations.list_reported, before_ms=_before_ms(days))
        _remove_listed("old_locations", listed, locations.remove, until, counts)


CHORES: dict[str, Chore] = {
    "old_conversations": remove_conversations,
    "old_turns": remove_turns,
    "old_days": remove_days,
    "old_sessions": remove_outlived_sessions,
    "old_exports": remove_exports,
    "old_invites": remove_invites,
    "old_locations": remove_locations,
}


def _before_ms(days: int) -> int:
    return now_ms() - days * DAY_MS


def _slice(until: float) -> float:
    return min(until, time.monotonic() + _SLICE_SECONDS)


def _remove_listed(name: str, listed: List, remove: Remove, until: float, counts: Counts) -> None:
    """List keys and remove their rows until none is left or the time is over.

    A batch goes beyond its slice of the time where it had to wait for locks.
    """
    slice_end, after = _slice(until), ""
    while time.monotonic() < slice_end:
        keys = read(listed, after=after, count=BATCH)
        each(keys, until, lambda key: counts.add(name, autocommit(remove, key)))
        if len(keys) < BATCH:
            break
        after = keys[-1]


def _remove_turn(db: Connection, message_id: str) -> bool:
    """Remove a turn that has ended; its charge keeps the receipt in the ledger."""
    turn = turns.find(db, message_id)
    if turn is None:
        return False
    receipt = _receipt(turn)
    if receipt:
        wallets.keep_receipt(db, message_id, receipt)
    upstream_calls.remove(db, message_id)
    answer_chunks.remove_from(db, message_id, 0)
    return turns.remove(db, message_id)


def _receipt(turn: Turn) -> str:
    charge = stored_outcome(turn).get("charge") or {}
    return json.dumps(charge["receipt"], ensure_ascii=False) if charge.get("receipt") else ""


def _remove_conversation(
    old: OldConversation, before_ms: int, until: float, counts: Counts
) -> None:
    try:
        while not transaction(_remove_part, old, before_ms):
            if time.monotonic() > until:
                return
    except _InUse:
        return
    counts.add("old_conversations", 1)


def _remove_part(db: Connection, old: OldConversation, before_ms: int) -> bool:
    """Remove some messages, and with the last ones the conversation; return whether it is gone.

    Turns are changed first: see shared.repos.lock_order. Raises: _InUse, which undoes it.
    """
    turns.forget_questions(db, old.user_id, old.id)
    if turns.has_open(db, old.id) or not conversations.lock_untouched(db, old.id, before_ms):
        raise _InUse
    if conversations.remove_messages(db, old.id, count=MESSAGES_AT_ONCE) == MESSAGES_AT_ONCE:
        return False
    return conversations.remove(db, old.id, old.user_id)
