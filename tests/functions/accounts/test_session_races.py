"""Renewals at the same moment as the end of their session: nothing usable is left.

In the first tests one side holds its transaction open while the other one waits for its
locks. SQLite has one writer at a time, so there the one simply follows the other.
"""

from collections.abc import Callable
from functools import partial
from multiprocessing import get_context
from typing import Any

import pytest

from functions.account.index import handler as account
from functions.credits.index import handler as credits
from functions.session import rotation
from shared.accounts import tokens
from shared.accounts.tokens import Claims, refresh_after
from shared.database import transactions
from shared.database.connection import Connection
from shared.repos import sessions
from shared.times import now_ms
from tests.events import Reply, invoke
from tests.functions.accounts.devices import count, leave, outcome, renew, revoke
from tests.locks import held, wait_for_lock, waiting_thread
from tests.patience import HANG_SECONDS
from tests.people import PASSWORD, log_in, register

INVALID = (401, "invalid_refresh_token")
REFUSED = (401, "invalid_token")
LIVE = "SELECT COUNT(*) AS n FROM sessions WHERE ended_at_ms IS NULL"
STORED = "SELECT COUNT(*) AS n FROM refresh_tokens"

Session = dict[str, Any]
SqlOfAnEnd = Callable[[Connection, Claims, Claims], object]
RequestForAnEnd = Callable[[Session, Session], Reply]

# The statements of requests that end the first session; the second one is of the same user.
STATEMENTS: dict[str, SqlOfAnEnd] = {
    "logout": lambda db, mine, _: sessions.end(db, mine.session_id, mine.user_id, at_ms=now_ms()),
    "logout everywhere": lambda db, mine, _: sessions.end_all(db, mine.user_id, at_ms=now_ms()),
    "password change": lambda db, mine, other: sessions.end_all(
        db, mine.user_id, at_ms=now_ms(), but=other.session_id
    ),
    "deletion": lambda db, mine, _: sessions.remove_all(db, mine.user_id),
}


def change_password(by: Session) -> Reply:
    body = {"current_password": PASSWORD, "new_password": "another horse battery"}
    return invoke(account, "PUT", "/api/auth/password", token=by["access_token"], json_body=body)


def delete_account(by: Session) -> Reply:
    body = {"password": PASSWORD}
    return invoke(account, "DELETE", "/api/account", token=by["access_token"], json_body=body)


REQUESTS: dict[str, RequestForAnEnd] = {
    "logout by access token": lambda mine, _: leave(mine["access_token"]),
    "logout by refresh token": lambda mine, _: leave(refresh_token=mine["refresh_token"]),
    "logout everywhere": lambda _, other: leave(other["access_token"], everywhere=True),
    "logout everywhere by refresh token": lambda _, other: leave(
        refresh_token=other["refresh_token"], everywhere=True
    ),
    "sign-out of the device": lambda mine, other: revoke(
        other["access_token"], claims(mine).session_id
    ),
    "password change": lambda _, other: change_password(other),
    "deletion": lambda _, other: delete_account(other),
}


@pytest.mark.parametrize("end", STATEMENTS.values(), ids=STATEMENTS)
def test_a_renewal_that_an_end_overtakes_is_refused_and_stores_nothing(
    database: str, end: SqlOfAnEnd
) -> None:
    """The renewal has found the session live before the end of the session is committed."""
    mine, other = register().data, log_in().data
    with held() as ending, waiting_thread() as submit:
        end(ending, claims(mine), claims(other))
        renewing = submit(partial(renew, mine["refresh_token"]))
        wait_for_lock(database, renewing)
        ending.commit()

        assert outcome(renewing.result(HANG_SECONDS)) == INVALID

    assert_nothing_is_left_of(mine, refresh_after(mine["refresh_token"]))
    assert count(STORED) <= 2


@pytest.mark.parametrize("end", REQUESTS.values(), ids=REQUESTS)
def test_an_end_that_waits_for_a_renewal_ends_what_was_renewed(
    database: str, end: RequestForAnEnd
) -> None:
    mine, other = register().data, log_in().data
    with held() as renewing, waiting_thread() as submit:
        parent = mine["refresh_token"]
        renewal = sessions.find_renewal(renewing, tokens.refresh_hash(parent))
        assert renewal
        renewed: Any = rotation.rotate(renewing, renewal, parent, None)
        ending = submit(partial(end, mine, other))
        wait_for_lock(database, ending)
        renewing.commit()

        assert ending.result(HANG_SECONDS).status == 200

    assert_nothing_is_left_of(renewed, renewed["refresh_token"])


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize(
    "name", ["logout by refresh token", "logout everywhere", "password change"]
)
def test_processes_that_renew_and_end_a_session_at_once_leave_nothing_of_it(name: str) -> None:
    with get_context("spawn").Pool(4) as pool:
        for number in range(10):
            mine, other = register(f"anna{number}").data, log_in(f"anna{number}").data
            renewing = [pool.apply_async(renew_in_a_process, [mine]) for _ in range(2)]
            ending = pool.apply_async(end_in_a_process, [name, mine, other])
            renewing.append(pool.apply_async(renew_in_a_process, [mine]))
            replies = [one.get(HANG_SECONDS) for one in renewing]

            assert ending.get(HANG_SECONDS) == (200, "")
            assert {outcome(reply) for reply in replies} <= {(200, ""), INVALID}
            for renewed in (reply.data for reply in replies if reply.status == 200):
                assert_nothing_is_left_of(renewed, renewed["refresh_token"])
            assert_nothing_is_left_of(mine, refresh_after(mine["refresh_token"]))


def renew_in_a_process(session: Session) -> Reply:
    try:
        return renew(session["refresh_token"])
    finally:
        transactions.disconnect()


def end_in_a_process(name: str, mine: Session, other: Session) -> tuple[int, str]:
    try:
        return outcome(REQUESTS[name](mine, other))
    finally:
        transactions.disconnect()


def claims(session: Session) -> Claims:
    return tokens.read_access(session["access_token"])


def assert_nothing_is_left_of(session: Session, newest: str) -> None:
    """Neither an access token nor a refresh token of it is accepted, nor is it live."""
    asked = invoke(credits, "GET", "/api/credits", token=session["access_token"])
    assert outcome(asked) == REFUSED
    assert [outcome(renew(one)) for one in (session["refresh_token"], newest)] == [INVALID] * 2
    assert count(f"{LIVE} AND id = '{claims(session).session_id}'") == 0
