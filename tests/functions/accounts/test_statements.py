"""Login and refresh: how many statements they send, and that any of them may be the last.

BEGIN and COMMIT are counted like all statements: each is a round trip.
"""

import os
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing import get_context
from typing import Any

import pytest

from shared.accounts.tokens import refresh_after
from shared.database import transactions
from shared.database.connection import Connection
from shared.database.deferred import Deferred
from shared.database.transactions import transaction
from tests.conftest import WITHOUT_LIMITS, Configure
from tests.events import Reply
from tests.functions.accounts.devices import count, devices, outcome, renew
from tests.people import log_in, register
from tests.statements import sent_statements

DEFAULTS = dict.fromkeys(WITHOUT_LIMITS)
LOGIN_STATEMENTS, REFRESH_STATEMENTS = 5, 5
WINDOWS = "SELECT COUNT(*) AS n FROM rate_limits"
SESSIONS = "SELECT COUNT(*) AS n FROM sessions"
UNUSED = "SELECT COUNT(*) AS n FROM refresh_tokens WHERE used_at_ms IS NULL"


def forget_windows() -> None:
    transaction(lambda db: db.execute("DELETE FROM rate_limits"))


@pytest.mark.usefixtures("database")
def test_a_login_sends_five_statements_with_and_without_earlier_ones(configure: Configure) -> None:
    register()
    configure(**DEFAULTS)
    forget_windows()
    for windows in (3, 3):  # the first one opens them
        with sent_statements() as statements:
            assert log_in().status == 200
        assert len(statements) == LOGIN_STATEMENTS, statements
        assert count(WINDOWS) == windows


@pytest.mark.usefixtures("database")
def test_a_refresh_sends_five_statements_with_and_without_earlier_ones(
    configure: Configure,
) -> None:
    token = register().data["refresh_token"]
    configure(**DEFAULTS)
    forget_windows()
    for windows in (1, 1):
        with sent_statements() as statements:
            token = renew(token).data["refresh_token"]
        assert len(statements) == REFRESH_STATEMENTS, statements
        assert count(WINDOWS) == windows


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("before", range(2, REFRESH_STATEMENTS + 1))
def test_a_refresh_that_is_killed_between_two_statements_can_be_repeated(
    before: int, configure: Configure
) -> None:
    parent = register().data["refresh_token"]
    configure(REFRESH_LIMIT=None)

    die_before(before, renew, parent)

    again = renew(parent)
    assert (again.status, again.data["refresh_token"]) == (200, refresh_after(parent))
    assert count(UNUSED) == 1
    assert renew(again.data["refresh_token"]).status == 200


@pytest.mark.usefixtures("database")
def test_two_refreshes_after_one_that_was_killed_get_one_token() -> None:
    parent = register().data["refresh_token"]
    die_before(REFRESH_STATEMENTS - 2, renew, parent)  # without a limit there is one less
    assert count(UNUSED) == 2

    first, second = renew(parent), renew(parent)

    assert first.data["refresh_token"] == second.data["refresh_token"]
    assert count(UNUSED) == 1


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("before", range(2, LOGIN_STATEMENTS + 1))
def test_a_login_that_is_killed_between_two_statements_shows_no_session(
    before: int, configure: Configure
) -> None:
    first = register().data
    configure(**DEFAULTS)

    die_before(before, log_in)

    listed = devices(first["access_token"]).data["items"]
    assert [one["current"] for one in listed] == [True]
    assert count(SESSIONS) == (2 if before == LOGIN_STATEMENTS else 1)
    assert log_in().status == 200


@pytest.mark.usefixtures("database")
def test_a_login_at_a_limit_counts_as_a_call_and_as_no_other_failure(configure: Configure) -> None:
    register()
    configure(ANONYMOUS_LIMIT="9/15m", LOGIN_LIMIT="2/15m", LOGIN_ADDRESS_LIMIT="3/15m")
    answers = [log_in(password="wrong") for _ in range(4)]
    answers += [log_in("ben", password="wrong") for _ in range(2)]
    answers += [log_in("ben", email=7) for _ in range(2)]
    answers += [log_in() for _ in range(2)]

    wrong, limited, malformed = (401, "wrong_credentials"), (429, "rate_limited"), (422,)
    expected = [wrong] * 2 + [limited] * 2 + [wrong, limited]
    assert [outcome(one) for one in answers[:6]] == expected
    assert [outcome(one)[:1] for one in answers[6:8]] == [malformed] * 2
    assert [outcome(one) for one in answers[8:]] == [limited] * 2
    assert answers[9].headers["Retry-After"] == answers[0].headers.get("Retry-After", "900")
    used = "SELECT used AS n FROM rate_limits WHERE name = "
    assert [count(f"{used}'{name}'") for name in ("anonymous", "login_address")] == [9, 3]


def die_before(statement: int, work: Callable[..., Reply], *arguments: Any) -> None:
    """Run the work in another process that is killed before it sends this statement."""
    transactions.disconnect()
    process = get_context("spawn").Process(target=_die, args=(statement, work, arguments))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL


def _die(statement: int, work: Callable[..., Reply], arguments: tuple[Any, ...]) -> None:
    with _killed_before(statement):
        work(*arguments)


@contextmanager
def _killed_before(statement: int) -> Iterator[None]:
    send, sent = Connection._send, list[Deferred]()

    def counting(db: Connection, pending: Sequence[Deferred]) -> None:
        if "schema_migrations" not in pending[0].sql:  # asked once by a process
            sent.extend(pending)
        if len(sent) >= statement:
            os.kill(os.getpid(), signal.SIGKILL)
        send(db, pending)

    setattr(Connection, "_send", counting)  # noqa: B010  # in a process of its own
    yield
