"""Sessions: renewal, logout, list, and concurrent requests."""

import os
import signal
from collections.abc import Sequence
from functools import partial
from multiprocessing import get_context
from typing import Any

import pytest

from functions.credits.index import handler as credits
from functions.session import rotation
from functions.session.index import handler as session
from shared.accounts import tokens
from shared.accounts.tokens import refresh_after, refresh_hash
from shared.database import transactions
from shared.database.connection import Connection
from shared.database.deferred import Deferred
from shared.database.transactions import transaction
from shared.ids import new_id
from shared.repos import sessions
from shared.times import iso_utc, now_ms
from tests.conftest import Configure
from tests.events import invoke
from tests.functions.accounts.devices import (
    count,
    devices,
    leave,
    let_pass,
    outcome,
    renew,
    revoke,
    together,
)
from tests.functions.conftest import SignUp
from tests.people import log_in, register
from tests.web import WebFunction

DAY_MS = 24 * 3600 * 1000
INVALID = (401, "invalid_refresh_token")
REUSED = (401, "refresh_token_reused")
LIVE = "SELECT COUNT(*) AS n FROM sessions WHERE ended_at_ms IS NULL"
UNUSED = "SELECT COUNT(*) AS n FROM refresh_tokens WHERE used_at_ms IS NULL"


def is_let_in(signed_in: Any) -> bool:
    """Whether the session's access token is accepted."""
    reply = invoke(credits, "GET", "/api/credits", token=signed_in["access_token"])
    assert reply.status in {200, 401}
    return reply.status == 200


@pytest.mark.usefixtures("database")
def test_a_renewal_is_the_same_session_with_new_tokens() -> None:
    first = register().data

    reply = renew(first["refresh_token"])

    renewed = reply.data
    assert (reply.status, set(renewed)) == (200, set(first))
    assert (renewed["user"], renewed["expires_in"]) == (first["user"], 1800)
    assert renewed["refresh_token"] != first["refresh_token"]
    old, new = (tokens.read_access(one["access_token"]) for one in (first, renewed))
    assert old == new
    assert is_let_in(renewed)
    assert renew(renewed["refresh_token"]).status == 200


@pytest.mark.usefixtures("database")
def test_only_hashes_of_refresh_tokens_are_stored() -> None:
    first = register().data
    second = renew(first["refresh_token"]).data

    sql = "SELECT token_hash FROM refresh_tokens"
    stored = transactions.read(lambda db: db.find_all(lambda token_hash: str(token_hash), sql))
    assert sorted(stored) == sorted(refresh_hash(one["refresh_token"]) for one in (first, second))


@pytest.mark.usefixtures("database")
def test_fifty_renewals_at_once_leave_one_family_with_one_child() -> None:
    parent = register().data["refresh_token"]

    replies = together([partial(renew, parent)] * 50)

    assert {reply.status for reply in replies} == {200}
    assert len({reply.data["refresh_token"] for reply in replies}) == 1
    assert (count(LIVE), count(UNUSED)) == (1, 1)
    assert count("SELECT COUNT(*) AS n FROM refresh_tokens") == 2
    assert renew(replies[0].data["refresh_token"]).status == 200


@pytest.mark.usefixtures("database")
def test_whoever_is_late_within_the_window_gets_a_token_nobody_has_used() -> None:
    parent = register().data["refresh_token"]
    child = renew(parent).data["refresh_token"]
    grandchild = renew(child).data["refresh_token"]

    let_pass(9)

    assert renew(parent).data["refresh_token"] == grandchild
    assert renew(grandchild).status == 200


@pytest.mark.usefixtures("database")
def test_whoever_is_late_costs_the_same_however_often_the_session_was_renewed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    parent = register().data["refresh_token"]
    newest = renew(parent).data["refresh_token"]
    after_one = statements_of_renewal(parent, newest, monkeypatch)
    for _ in range(300):
        newest = renew(newest).data["refresh_token"]
    _use_now(parent)

    assert statements_of_renewal(parent, newest, monkeypatch) == after_one
    assert renew(newest).status == 200


def statements_of_renewal(parent: str, newest: str, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The statements of a renewal with `parent` that returns `newest`."""
    statements, send = list[str](), Connection._send

    def recording(db: Connection, pending: Sequence[Deferred]) -> None:
        statements.extend(one.sql for one in pending)
        send(db, pending)

    with monkeypatch.context() as patch:
        patch.setattr(Connection, "_send", recording)
        reply = renew(parent)
    assert (reply.status, reply.data["refresh_token"]) == (200, newest)
    assert statements
    return statements


def _use_now(refresh_token: str) -> None:
    sql = "UPDATE refresh_tokens SET used_at_ms = :now WHERE token_hash = :hash"
    transaction(lambda db: db.execute(sql, now=now_ms(), hash=refresh_hash(refresh_token)))


@pytest.mark.usefixtures("database")
def test_a_use_after_the_window_ends_this_session_and_no_other() -> None:
    stolen, other = register().data, log_in().data
    child = renew(stolen["refresh_token"]).data
    let_pass(10)

    assert outcome(renew(stolen["refresh_token"])) == REUSED

    assert not is_let_in(child)
    assert outcome(renew(child["refresh_token"])) == INVALID
    assert outcome(renew(stolen["refresh_token"])) == INVALID
    assert is_let_in(other)
    assert renew(other["refresh_token"]).status == 200


def test_theft_is_felt_in_another_process_at_once(stored: WebFunction, sign_up: SignUp) -> None:
    """`sign_up` lets this process use the database of the other one."""
    signed_in = register(new_id().lower()).data
    child = renew(signed_in["refresh_token"]).data
    headers = {"Authorization": f"Bearer {child['access_token']}"}
    ask = partial(stored.client.post, "/api/chat", json={"message": "Hi"}, headers=headers)
    assert ask().status_code == 200
    let_pass(11)

    assert outcome(renew(signed_in["refresh_token"])) == REUSED
    refused = ask()

    assert (refused.status_code, refused.json()["error"]) == (401, "invalid_token")


def _renew_and_die(refresh_token: str) -> None:
    renew(refresh_token)
    os.kill(os.getpid(), signal.SIGKILL)


def _rotate_and_die(refresh_token: str) -> None:
    def work(db: Connection) -> None:
        renewal = sessions.find_renewal(db, refresh_hash(refresh_token))
        assert renewal is not None
        rotation.rotate(db, renewal, refresh_token, None)
        os.kill(os.getpid(), signal.SIGKILL)

    transaction(work)


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("die", [_renew_and_die, _rotate_and_die])
def test_an_instance_killed_before_it_answers_costs_nobody_the_session(die: Any) -> None:
    parent = register().data["refresh_token"]
    transactions.disconnect()
    dying = get_context("spawn").Process(target=die, args=(parent,))

    dying.start()
    dying.join()

    assert dying.exitcode == -signal.SIGKILL
    again = renew(parent)
    assert (again.status, again.data["refresh_token"]) == (200, refresh_after(parent))
    assert renew(again.data["refresh_token"]).status == 200


@pytest.mark.usefixtures("database")
def test_renewing_leaving_and_entering_at_once_locks_nobody_out() -> None:
    held = [register().data, *(log_in().data for _ in range(5))]

    def keep_renewing(signed_in: Any) -> list[int]:
        replies = [renew(signed_in["refresh_token"])]
        while replies[-1].status == 200 and len(replies) < 6:
            replies.append(renew(replies[-1].data["refresh_token"]))
        return [reply.status for reply in replies]

    def leave_everywhere(signed_in: Any) -> list[int]:
        return [leave(signed_in["access_token"], everywhere=True).status for _ in range(3)]

    def enter() -> list[int]:
        return [log_in().status for _ in range(4)]

    statuses = together(
        [partial(keep_renewing, one) for one in held]
        + [partial(leave_everywhere, one) for one in held[:3]]
        + [enter] * 4
    )

    assert {status for one in statuses for status in one} <= {200, 401}
    assert statuses[-4:] == [[200] * 4] * 4
    assert not any(is_let_in(one) for one in held)
    fresh = log_in().data
    assert renew(fresh["refresh_token"]).status == 200


@pytest.mark.usefixtures("database")
def test_a_disabled_account_renews_nothing() -> None:
    first = register().data
    transaction(lambda db: db.execute("UPDATE users SET disabled_at_ms = 1"))

    assert outcome(renew(first["refresh_token"])) == INVALID
    assert count(UNUSED) == 1


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("given", ["x", "' OR 1=1 --", "密" * 500, "\0", "access"])
def test_what_is_no_refresh_token_renews_nothing(given: str) -> None:
    first = register().data
    unknown = first["access_token"] if given == "access" else given

    assert outcome(renew(unknown)) == INVALID
    assert outcome(leave(refresh_token=unknown)) == INVALID
    assert count(LIVE) == 1


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("given", [None, "", 7, ["x"], "x" * 2049])
def test_a_refresh_token_missing_or_malformed_is_named(given: object) -> None:
    reply = renew(given)

    assert (reply.status, reply.error) == (422, "invalid_request")
    assert [detail["field"] for detail in reply.json["details"]] == ["body.refresh_token"]


@pytest.mark.usefixtures("database")
def test_an_expired_refresh_token_is_refused_and_harms_nothing() -> None:
    first = register().data
    transaction(lambda db: db.execute("UPDATE refresh_tokens SET expires_at_ms = 1"))

    assert outcome(renew(first["refresh_token"])) == INVALID
    assert is_let_in(first)


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize(
    ("settings", "days"),
    [
        ({}, 30),
        ({"REFRESH_EXPIRES_IN": "7d"}, 7),
        ({"SESSION_EXPIRES_IN": "40d"}, 10),
        ({"SESSION_EXPIRES_IN": "7d", "REFRESH_EXPIRES_IN": "90d"}, -23),
    ],
)
def test_each_renewal_lasts_as_long_but_no_session_outgrows_its_age(
    configure: Configure, settings: dict[str, str], days: int
) -> None:
    """The session is thirty days old."""
    first = register().data
    sql, month_ms = "UPDATE sessions SET created_at_ms = created_at_ms - :ms", 30 * DAY_MS
    transaction(lambda db: db.execute(sql, ms=month_ms))
    configure(**settings)

    child = renew(first["refresh_token"])

    lasts = "SELECT expires_at_ms - issued_at_ms AS n FROM refresh_tokens WHERE used_at_ms IS NULL"
    assert count(lasts) == pytest.approx(days * DAY_MS, abs=60_000)
    assert (renew(child.data["refresh_token"]).status == 200) == (days > 0)


@pytest.mark.usefixtures("database")
def test_leaving_ends_the_session_that_is_named_and_twice_is_no_error() -> None:
    first, second, third = register().data, log_in().data, log_in().data

    by_access = leave(first["access_token"])
    by_refresh = leave("stale nonsense", refresh_token=second["refresh_token"])

    assert (by_access.status, by_access.data) == (200, {"sessions_ended": 1})
    assert (by_refresh.status, by_refresh.data) == (200, {"sessions_ended": 1})
    assert leave(first["access_token"]).data == {"sessions_ended": 0}
    assert leave(refresh_token=second["refresh_token"]).data == {"sessions_ended": 0}
    assert [is_let_in(one) for one in (first, second, third)] == [False, False, True]
    assert outcome(renew(first["refresh_token"])) == INVALID


@pytest.mark.usefixtures("database")
def test_leaving_needs_no_body() -> None:
    first = register().data

    reply = invoke(session, "POST", "/api/auth/logout", token=first["access_token"])

    assert (reply.status, is_let_in(first)) == (200, False)
    assert outcome(invoke(session, "POST", "/api/auth/logout")) == (401, "unauthorized")


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("kind", ["access_token", "refresh_token"])
def test_leaving_everywhere_ends_all_of_ones_own_sessions(kind: str) -> None:
    first, second, other = register().data, log_in().data, register("ben").data
    given = {"refresh_token": first[kind]} if kind == "refresh_token" else {"token": first[kind]}

    reply = leave(**given, everywhere=True)

    assert reply.data == {"sessions_ended": 2}
    assert [is_let_in(one) for one in (first, second, other)] == [False, False, True]


@pytest.mark.usefixtures("database")
def test_only_who_is_still_signed_in_can_end_the_other_sessions() -> None:
    gone, old, other = register().data, log_in().data, log_in().data
    renew(old["refresh_token"])
    let_pass(11)
    leave(gone["access_token"])

    refused = [
        leave(gone["access_token"], everywhere=True),
        leave(refresh_token=gone["refresh_token"], everywhere=True),
        leave(refresh_token=old["refresh_token"], everywhere=True),
    ]

    assert [outcome(one) for one in refused] == [(401, "invalid_token"), INVALID, INVALID]
    assert is_let_in(other)


@pytest.mark.usefixtures("database")
def test_devices_are_listed_the_last_used_first_and_the_current_one_is_marked() -> None:
    phone, laptop = register(device="phone").data, log_in(device="laptop").data
    ended, expired = log_in(device="ended").data, log_in(device="expired").data
    register("ben", device="ben's")
    leave(ended["access_token"])
    _expire(expired)
    for one, at_ms in ((phone, 1_000), (laptop, 2_000), (expired, 3_000)):
        _use_at(at_ms, one)
    listed = devices(phone["access_token"]).data["items"]
    created = {one["id"]: one["created_at"] for one in listed}

    reply = devices(phone["access_token"])

    assert reply.status == 200
    assert reply.data == {
        "next_cursor": None,
        "items": [
            {
                "id": _id(one),
                "device": device,
                "created_at": created[_id(one)],
                "used_at": iso_utc(at_ms),
                "current": one is phone,
            }
            for one, device, at_ms in ((laptop, "laptop", 2_000), (phone, "phone", 1_000))
        ],
    }
    assert [one["device"] for one in devices(expired["access_token"]).data["items"]] == [
        "expired",
        "laptop",
        "phone",
    ]
    renew(phone["refresh_token"], device="phone, updated")
    assert devices(phone["access_token"]).data["items"][0]["device"] == "phone, updated"


def _id(signed_in: Any) -> str:
    return tokens.read_access(signed_in["access_token"]).session_id


def _use_at(at_ms: int, signed_in: Any) -> None:
    sql = "UPDATE sessions SET used_at_ms = :at WHERE id = :id"
    transaction(lambda db: db.execute(sql, at=at_ms, id=_id(signed_in)))


def _expire(signed_in: Any) -> None:
    sql = "UPDATE refresh_tokens SET expires_at_ms = 1 WHERE session_id = :id"
    transaction(lambda db: db.execute(sql, id=_id(signed_in)))


@pytest.mark.usefixtures("database")
def test_a_session_opened_before_it_was_watched_is_listed_since_it_was_opened() -> None:
    first = register().data
    transaction(lambda db: db.execute("UPDATE sessions SET used_at_ms = NULL, device = NULL"))

    [listed] = devices(first["access_token"]).data["items"]

    assert (listed["device"], listed["used_at"]) == (None, listed["created_at"])


@pytest.mark.usefixtures("database")
def test_a_device_is_signed_out_from_another_one_and_nobody_elses_is() -> None:
    lost, mine, other = register().data, log_in().data, register("ben").data

    reply = revoke(mine["access_token"], _id(lost))

    assert (reply.status, reply.data) == (200, {"id": _id(lost)})
    assert [is_let_in(one) for one in (lost, mine)] == [False, True]
    for unknown in (_id(lost), _id(other), "x", "' OR 1=1 --"):
        assert outcome(revoke(mine["access_token"], unknown)) == (404, "not_found")
    assert is_let_in(other)
    assert outcome(revoke(lost["access_token"], _id(mine))) == (401, "invalid_token")


@pytest.mark.parametrize(
    ("url", "error"),
    [
        (None, "database_not_configured"),
        ("mysql://me:secret@127.0.0.1:1/shop", "database_unavailable"),
    ],
)
def test_without_a_database_it_is_503(configure: Configure, url: str | None, error: str) -> None:
    configure(DATABASE_URL=url)
    token = tokens.issue_access(tokens.Claims("anna", "session", "user"))

    told = {
        outcome(renew("x")),
        outcome(leave(token)),
        outcome(leave(refresh_token="x")),
        outcome(devices(token)),
        outcome(revoke(token, "x")),
    }

    assert told == {(503, error)}
