"""Guests: people without an account, counted by the address they come from."""

import hashlib
import hmac
from dataclasses import dataclass

from shared import db_async, settings
from shared.client import network
from shared.config import load
from shared.errors import DailyLimitReached, Unauthorized
from shared.repos import daily_messages
from shared.times import now_ms, seconds_left_of_day, shanghai_day


@dataclass(frozen=True)
class Pass:
    """One message of a guest, counted."""

    subject: str
    day: str
    used_today: int
    daily_limit: int

    @property
    def quota(self) -> dict[str, int]:
        return {
            "daily_limit": self.daily_limit,
            "used_today": self.used_today,
            "remaining": self.daily_limit - self.used_today,
        }


async def admit(client_ip: str) -> Pass:
    """Count one message of this guest.

    Raises:
        Unauthorized: this deployment does not talk to guests.
        DailyLimitReached: not today any more.
    """
    limit = load(settings.Chat).guest_daily_messages
    if limit == 0:
        raise Unauthorized
    now = now_ms()
    subject, day = _subject(client_ip), shanghai_day(now)
    used = await _take(subject, day, limit)
    if used is None:
        await db_async.transaction(daily_messages.open_day, subject, day)
        used = await _take(subject, day, limit)
    if used is None:
        raise DailyLimitReached(retry_after_seconds=seconds_left_of_day(now))
    return Pass(subject, day, used, limit)


async def refund(given: Pass) -> None:
    """The model gave no answer, so the message does not count."""
    await db_async.transaction(daily_messages.give_back, given.subject, given.day)


async def _take(subject: str, day: str, limit: int) -> int | None:
    return await db_async.transaction(daily_messages.take, subject, day, limit=limit)


def _subject(ip: str) -> str:
    """Keyed, because a plain hash of an address is soon undone by trying them all."""
    secret = load(settings.Tokens).secret.reveal().encode()
    return hmac.new(secret, b"guest:" + network(ip).encode(), hashlib.sha256).hexdigest()
