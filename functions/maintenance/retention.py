"""Removing rows that are past their retention time, in batches."""

import time
from collections.abc import Callable

from functions.maintenance.chores import Chore, Counts, each
from shared import settings
from shared.accounts.erasure import forget_content
from shared.config import load
from shared.database.transactions import autocommit, read, transaction
from shared.repos import (
    answer_chunks,
    daily_messages,
    idempotency,
    rate_limits,
    sessions,
    uploads,
    users,
)
from shared.times import DAY_MS, now_ms, shanghai_day

KEPT_MS = DAY_MS  # what the API promises for a day
BATCH = 100
ERASED_MS = 3600 * 1000  # longer than any answer runs


def remove_keys(until: float, counts: Counts) -> None:
    _batches("keys", idempotency.forget_before, _limit_ms(), until, counts)


def remove_answers(until: float, counts: Counts) -> None:
    _batches("answers", answer_chunks.remove_ended, _limit_ms(), until, counts)


def remove_limits(until: float, counts: Counts) -> None:
    _batches("limits", rate_limits.forget_ended, now_ms(), until, counts)


def remove_refresh_tokens(until: float, counts: Counts) -> None:
    if before_ms := _session_limit_ms():
        _batches("refresh_tokens", sessions.remove_expired_tokens, before_ms, until, counts)


def remove_sessions(until: float, counts: Counts) -> None:
    if before_ms := _session_limit_ms():
        _batches("sessions", sessions.remove_ended, before_ms, until, counts)


def remove_addresses(until: float, counts: Counts) -> None:
    _batches("addresses", daily_messages.remove_addresses, shanghai_day(now_ms()), until, counts)


def remove_uploads(until: float, counts: Counts) -> None:
    """The rows. Their temporary objects are in the queue of objects from the beginning."""
    while time.monotonic() < until:
        ids = read(uploads.list_created, before_ms=_limit_ms(), after="", count=BATCH)
        each(ids, until, lambda one: counts.add("uploads", autocommit(uploads.remove, one)))
        if len(ids) < BATCH:
            break


def remove_late_content(until: float, counts: Counts) -> None:
    """Remove what running answers stored of accounts that were deleted a short time ago."""
    erased = read(users.list_erased, since_ms=now_ms() - ERASED_MS)
    each(erased, until, lambda user_id: transaction(forget_content, user_id))


# Keys go first, because they lead to answers. Sessions that lose their last token go a run later.
CHORES: dict[str, Chore] = {
    "keys": remove_keys,
    "answers": remove_answers,
    "limits": remove_limits,
    "sessions": remove_sessions,
    "refresh_tokens": remove_refresh_tokens,
    "addresses": remove_addresses,
    "uploads": remove_uploads,
    "late_content": remove_late_content,
}


def _limit_ms() -> int:
    return now_ms() - KEPT_MS


def _session_limit_ms() -> int | None:
    days = load(settings.Retention).sessions_days
    return now_ms() - days * DAY_MS if days else None


def _batches(
    name: str, remove: Callable[..., int], before: object, until: float, counts: Counts
) -> None:
    """Remove and count until a batch is not full or the time is over."""
    while time.monotonic() < until:
        done = transaction(remove, before, count=BATCH)
        counts.add(name, done)
        if done < BATCH:
            break
