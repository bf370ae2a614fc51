"""Registration with an invite code: admission and rewards."""

from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from typing import Any

import pytest

from functions.credits.index import handler as credits
from shared.database.connection import Connection
from shared.database.transactions import disconnect, read, transaction
from shared.ids import new_id
from shared.repos import invites
from shared.repos.invites import Invite
from shared.repos.wallets import Wallet
from shared.times import now_ms
from tests.conftest import Configure
from tests.events import Reply, invoke
from tests.functions.wallets import books
from tests.people import add_user, customer, register

_PROCESSES, _EACH, _AT_ONCE = 4, 50, 30


def invite(**changes: object) -> Invite:
    """Store a valid invite."""
    made = Invite("SPRING-2026", None, 1000, 0, 500, "", True, None, new_id(), now_ms())
    made = replace(made, **changes)  # type: ignore[arg-type]  # fields of an invite
    assert transaction(invites.add, made)
    return made


def register_with(code: str | None = "SPRING-2026", name: str = "anna", **changes: Any) -> Reply:
    return register(name, invite_code=code, **changes)


def rows(connection: Connection) -> Mapping[str, int]:
    """The row counts of all tables that a registration changes."""
    tables = ("users", "sessions", "refresh_tokens", "wallets", "ledger", "invite_uses")
    counts = (f"SELECT COUNT(*) AS n FROM {table}" for table in tables)  # noqa: S608  # ours
    found = (connection.find(lambda n: int(n), count) or 0 for count in counts)
    return dict(zip(tables, found, strict=True))


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("spelled", ["SPRING-2026", " spring-2026 ", "ＳＰＲＩＮＧ-2026"])
def test_a_code_brings_what_it_promises(spelled: str) -> None:
    invite()

    session = register_with(spelled).data

    user_id = session["user"]["id"]
    assert books(user_id) == Wallet(500, 0, 1, 0)
    told = invoke(credits, "GET", "/api/credits/transactions", token=session["access_token"]).data[
        "items"
    ]
    assert [(one["kind"], one["amount_fen"], one["reason"]) for one in told] == [
        ("grant", 500, "invite code")
    ]
    assert read(invites.get, "SPRING-2026").used == 1


@pytest.mark.usefixtures("database")
def test_a_code_may_bring_nothing_but_the_account() -> None:
    invite(initial_fen=0)
    assert register_with().status == 201
    assert read(rows) == {**dict.fromkeys(read(rows), 1), "wallets": 0, "ledger": 0}


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("code", [None, "", "  "])
@pytest.mark.parametrize("setting", ["true", "false"])
def test_a_code_is_needed_only_where_the_setting_says_so(
    configure: Configure, setting: str, code: str | None
) -> None:
    configure(ENABLE_INVITE_CODES=setting)
    reply = register_with(code)
    if setting == "false":
        assert reply.status == 201
        return
    assert (reply.status, reply.error) == (422, "invite_code_required")
    assert set(read(rows).values()) == {0}


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("setting", ["true", "false"])
def test_every_code_that_admits_nobody_gets_one_answer_and_leaves_nothing(
    configure: Configure, setting: str
) -> None:
    configure(ENABLE_INVITE_CODES=setting)
    invite(code="USED-UP", max_uses=3, used=3)
    invite(code="EXPIRED", expires_at_ms=now_ms())
    invite(code="INACTIVE", is_active=False)

    answers = [register_with(code) for code in ("UNKNOWN", "USED-UP", "EXPIRED", "INACTIVE")]

    assert {(one.status, one.body, str(one.headers)) for one in answers} == {
        (422, answers[0].body, str(answers[0].headers))
    }
    assert answers[0].error == "invite_code_invalid"
    assert set(read(rows).values()) == {0}


@pytest.mark.usefixtures("database")
def test_a_code_survives_a_registration_that_is_refused() -> None:
    invite(max_uses=2)
    assert register_with().status == 201
    before = read(rows)

    refused = [register_with(), register_with(name="berta", password="short")]

    assert [(one.status, one.error) for one in refused] == [
        (409, "email_taken"),
        (422, "invalid_request"),
    ]
    assert read(rows) == before
    assert read(invites.get, "SPRING-2026").used == 1


@pytest.mark.usefixtures("database")
def test_without_a_good_code_nobody_learns_whose_email_is_taken(configure: Configure) -> None:
    configure(ENABLE_INVITE_CODES="true")
    invite(max_uses=1)
    register_with()
    answers = [
        register_with(code, name) for code in ("SPRING-2026", "X") for name in ("anna", "berta")
    ]
    assert [one.error for one in answers] == ["invite_code_invalid"] * 4


@pytest.mark.usefixtures("database")
def test_the_inviter_is_rewarded_for_each_who_comes(configure: Configure) -> None:
    inviter = customer()
    invite(owner_id=inviter)
    register_with(name="anna")
    configure(INVITE_REWARD_FEN="30")
    for name in ("berta", "clara"):
        assert register_with(name=name).status == 201
    assert books(inviter) == Wallet(60, 0, 2, 0)


@pytest.mark.usefixtures("database")
def test_an_inviter_who_is_disabled_gets_nothing_and_the_code_still_admits(
    configure: Configure,
) -> None:
    configure(INVITE_REWARD_FEN="30")
    inviter = customer()
    transaction(lambda db: db.execute("UPDATE users SET disabled_at_ms = 1"))
    invite(owner_id=inviter)
    assert register_with().status == 201
    assert books(inviter) == Wallet(0, 0, 0, 0)


def test_many_at_once_are_admitted_exactly_as_often_as_the_code_says(
    configure: Configure, database: str
) -> None:
    """200 registrations from four processes, mostly at the same time."""
    configure(INVITE_REWARD_FEN="30")
    inviter, uses = add_user().id, 73
    invite(owner_id=inviter, max_uses=uses)
    before = read(rows)

    with get_context("spawn").Pool(_PROCESSES) as pool:
        answers = pool.map(_sign_up_at_once, range(_PROCESSES))

    assert sum(answers, Counter[str]()) == {"201": uses, "invite_code_invalid": 200 - uses}
    assert read(invites.get, "SPRING-2026").used == uses
    added = {table: count - before[table] for table, count in read(rows).items()}
    assert added == {**dict.fromkeys(added, uses), "wallets": uses + 1, "ledger": 2 * uses}
    assert books(inviter) == Wallet(30 * uses, 0, uses, 0)
    for guest in read(_guests):
        assert books(guest) == Wallet(500, 0, 1, 0)


def _guests(connection: Connection) -> list[str]:
    return connection.find_all(lambda user_id: str(user_id), "SELECT user_id FROM invite_uses")


def _sign_up_at_once(process: int) -> Counter[str]:
    def one(number: int) -> str:
        reply = register_with(name=f"guest{process}-{number}")
        while reply.status == 503:  # a row that many wait for: a client tries again
            assert reply.error == "database_unavailable"
            reply = register_with(name=f"guest{process}-{number}")
        disconnect()
        return str(reply.status) if reply.status == 201 else reply.error

    with ThreadPoolExecutor(_AT_ONCE) as threads:
        return Counter(threads.map(one, range(_EACH)))
