"""Rate limits, counted in the database for all instances together."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Literal

from shared import settings
from shared.accounts import guests
from shared.config import Rate, load
from shared.database import transactions
from shared.database.connection import Connection
from shared.errors import TooManyRequests, Unauthorized
from shared.repos import rate_limits
from shared.repos.rate_limits import Counter, Window
from shared.times import now_ms
from shared.web.requests import Request

# The names of the fields of settings.Limits.
Name = Literal[
    "anonymous",
    "register",
    "register_daily",
    "login",
    "login_address",
    "refresh",
    "chat",
    "unpaid",
    "upload",
    "location",
]
_UNLIMITED = 2**31 - 1
_ATTEMPTS = 3


@dataclass(frozen=True)
class Count:
    """One request of a subject to be counted against a limit; `rate` None means no limit."""

    name: Name
    subject: str
    rate: Rate | None


def of_address(name: Name, request: Request, *more: str) -> Count:
    """A count for the client's address, or for the address and `more`, such as a login."""
    rate = _rate(name)
    return Count(name, guests.of_address(name, request, *more) if rate else "", rate)


def of_user(name: Name, user_id: str) -> Count:
    return Count(name, user_id, _rate(name))


def of_unpaid(subject: str) -> Count:
    """A count for a message that was free: of a user's id, or of a guest's counting key."""
    return Count("unpaid", subject, _rate("unpaid"))


def of_session(name: Name, session_id: str) -> Count:
    return Count(name, session_id, _rate(name))


def by_address(*names: Name) -> Callable[[Request], None]:
    """For `@endpoint(limit=...)`: count every request, whatever its result."""
    return lambda request: take(*(of_address(name, request) for name in names))


def by_address_of_guests(name: Name) -> Callable[[Request], None]:
    """For `@endpoint(limit=...)`: count only requests without a valid access token."""

    def limit(request: Request) -> None:
        if not _is_signed_in(request):
            take(of_address(name, request))

    return limit


def _is_signed_in(request: Request) -> bool:
    if "authorization" not in request.headers:
        return False
    from shared.accounts import auth  # jwt is imported only for requests with a token

    try:
        return auth.claims_of(request) is not None
    except Unauthorized:
        return False


def take(*counts: Count) -> None:
    """Raises: TooManyRequests, DatabaseUnavailable."""
    _take_at(counts, now_ms())


def _take_at(counts: Sequence[Count], at_ms: int) -> None:
    if due := due_of(counts):
        transactions.autocommit(spend, due, at_ms=at_ms)


@contextmanager
def failures(*counts: Count, calls: Sequence[Count] = ()) -> Iterator[None]:
    """Count the block only if it raises; count `calls` in any case.

    It is counted before and subtracted after a success. Counting only after a failure
    would let many concurrent attempts start before the first failure is counted.
    """
    at_ms = now_ms()
    try:
        _take_at([*calls, *counts], at_ms)
    except TooManyRequests:
        take(*calls)
        raise
    yield
    if due := due_of(counts):
        transactions.autocommit(_give_back, due, at_ms=at_ms)


def due_of(counts: Sequence[Count]) -> list[Count]:
    """The counts that have a limit."""
    return [count for count in counts if count.rate]


def spend(connection: Connection, counts: Sequence[Count], *, at_ms: int) -> None:
    """Count all of them, or none, in one statement at most. Raises: TooManyRequests."""
    for _ in range(_ATTEMPTS):
        if not counts or rate_limits.take_all(connection, _counters(counts), at_ms=at_ms):
            return
        refuse_used_up(connection, counts, at_ms=at_ms)
    raise _refusal(counts[0], at_ms, at_ms)  # each time another request had left room by then


def refuse_used_up(connection: Connection, counts: Sequence[Count], *, at_ms: int) -> None:
    """Count nothing. Raises: TooManyRequests: one of the limits is reached."""
    for count in counts:
        window = rate_limits.find(connection, count.name, count.subject)
        refuse_full(count, window, at_ms=at_ms)


def refuse_full(count: Count, window: Window | None, *, at_ms: int) -> None:
    """Raises: TooManyRequests: the limit is reached in this window."""
    is_over = window and count.rate and window.used >= count.rate.most
    if window and is_over and window.ends_ms > at_ms:
        raise _refusal(count, window.ends_ms, at_ms)


def record(connection: Connection, counts: Sequence[Count], *, at_ms: int) -> None:
    """Count all of them, also beyond their limits."""
    counters = [replace(counter, most=_UNLIMITED) for counter in _counters(counts)]
    rate_limits.take_all(connection, counters, at_ms=at_ms)


def _refusal(count: Count, ends_ms: int, at_ms: int) -> TooManyRequests:
    wait = max(-(-(ends_ms - at_ms) // 1000), 1)
    return TooManyRequests(retry_after_seconds=wait, limit=count.name)


def _give_back(connection: Connection, counts: Sequence[Count], *, at_ms: int) -> None:
    rate_limits.give_back(connection, _counters(counts), taken_ms=at_ms)


def _counters(counts: Sequence[Count]) -> list[Counter]:
    return [
        Counter(count.name, count.subject, count.rate.most, count.rate.seconds * 1000)
        for count in counts
        if count.rate
    ]


def _rate(name: Name) -> Rate | None:
    """The configured rate; None also without a database to count in."""
    if not transactions.is_configured():
        return None
    rate: Rate | None = getattr(load(settings.Limits), name)
    return rate
