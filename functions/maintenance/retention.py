"""Removing rows that are past their retention time, in batches."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from shared.accounts.erasure import forget_content
from shared.database.transactions import read, transaction
from shared.repos import (
    answer_chunks,
    daily_messages,
    idempotency,
    rate_limits,
    sessions,
    users,
)
from shared.times import now_ms, shanghai_day

KEPT_MS = 24 * 3600 * 1000
BATCH = 100
ERASED_MS = 3600 * 1000  # longer than any answer runs


@dataclass(frozen=True)
class RetentionResult:
    """How many of each were removed. `answers` lost their chunks; the messages are kept.

    `addresses` are the daily counts of addresses: see shared.accounts.address_quota.
    """

    keys: int
    answers: int
    limits: int
    refresh_tokens: int
    sessions: int
    addresses: int


def run(until: float) -> RetentionResult:
    """Remove a batch of each kind at a time. Keys go first, because they lead to answers.

    Raises: DatabaseUnavailable.
    """
    before_ms = now_ms() - KEPT_MS
    keys = _batches(until, lambda: transaction(idempotency.forget_before, before_ms, count=BATCH))
    answers = _batches(
        until, lambda: transaction(answer_chunks.remove_ended, before_ms, count=BATCH)
    )
    limits = _batches(until, lambda: transaction(rate_limits.forget_ended, now_ms(), count=BATCH))
    refresh_tokens = _batches(
        until, lambda: transaction(sessions.remove_expired_tokens, before_ms, count=BATCH)
    )
    ended = _batches(until, lambda: transaction(sessions.remove_ended, before_ms, count=BATCH))
    today = shanghai_day(now_ms())
    addresses = _batches(
        until, lambda: transaction(daily_messages.remove_addresses, today, count=BATCH)
    )
    _remove_late_content(until)
    return RetentionResult(keys, answers, limits, refresh_tokens, ended, addresses)


def _remove_late_content(until: float) -> None:
    """Remove what running answers stored of accounts that were deleted a short time ago."""
    for user_id in read(users.list_erased, since_ms=now_ms() - ERASED_MS):
        if time.monotonic() > until:
            break
        transaction(forget_content, user_id)


def _batches(until: float, work: Callable[[], int]) -> int:
    """Work until a batch is not full or the time is over; return the total count."""
    total = 0
    while time.monotonic() < until:
        done = work()
        total += done
        if done < BATCH:
            break
    return total
