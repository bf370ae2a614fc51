"""Administrators create and change accounts."""

from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from functions.credits.index import handler as credits
from shared.database import transactions
from shared.database.connection import CONNECT_SECONDS, QUERY_SECONDS
from shared.database.transactions import read, transaction
from shared.ids import new_id
from shared.repos import users
from shared.repos.users import User
from tests.conftest import Configure
from tests.events import invoke
from tests.functions.admin.administering import ask, at_once, audited
from tests.people import add_user, admin_token, log_in, token_of

BEN = {"email": "ben@example.com", "username": "ben", "password": "correct horse"}


def stored(user_id: str) -> User:
    user = read(users.find, user_id)
    assert user
    return user


def is_let_in(token: str) -> bool:
    return invoke(credits, "GET", "/api/credits", token=token).status == 200


@pytest.mark.usefixtures("database")
def test_an_account_is_opened_with_a_password_that_was_chosen() -> None:
    admin = add_user("admin")

    reply = ask(token_of(admin.id), "POST", "users", BEN)

    assert reply.status == 201
    opened = reply.data
    assert opened == {
        "id": opened["id"],
        "email": "ben@example.com",
        "username": "ben",
        "role": "user",
        "created_at": opened["created_at"],
        "disabled_at": None,
        "deleted_at": None,
        "balance_fen": 0,
        "reserved_fen": 0,
        "used_today": 0,
        "password": None,
    }
    assert audited() == [(admin.id, "user.create", {"user_id": opened["id"], "role": "user"})]
    assert log_in("ben", password="correct horse").data["user"]["id"] == opened["id"]


@pytest.mark.usefixtures("database")
def test_a_password_that_was_made_is_told_once_and_works() -> None:
    token, key = admin_token(), {"Idempotency-Key": "k"}
    form = {"username": "carl", "role": "admin"}

    first, again = (ask(token, "POST", "users", form, headers=key) for _ in range(2))

    assert (first.status, again.status) == (201, 201)
    assert again.data == {**first.data, "password": None}
    assert len(first.data["password"]) == 24
    assert log_in(password=first.data["password"], username="carl").data["user"]["role"] == "admin"
    kept = read(lambda db: db.find_all(dict[str, str], "SELECT answer FROM idempotency_keys"))
    assert first.data["password"] not in f"{kept}{audited()}"


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize(
    ("form", "status", "error", "fields"),
    [
        ({}, 422, "invalid_request", ["body"]),
        ({"email": "x"}, 422, "invalid_request", ["body.email"]),
        ({"username": "ben", "password": "short"}, 422, "invalid_request", ["body.password"]),
        ({"username": "ben", "role": "root"}, 422, "invalid_request", ["body.role"]),
        ({"username": "taken"}, 409, "username_taken", []),
        ({"email": "TAKEN@example.com"}, 409, "email_taken", []),
    ],
)
def test_what_cannot_be_opened_is_refused_and_leaves_nothing(
    form: dict[str, str], status: int, error: str, fields: list[str]
) -> None:
    token = admin_token()
    add_user(email="taken@example.com", username="taken")

    reply = ask(token, "POST", "users", form, headers={"Idempotency-Key": "k"})

    assert (reply.status, reply.error) == (status, error)
    assert [detail["field"] for detail in reply.json.get("details", [])] == fields
    assert audited() == []
    assert ask(token, "POST", "users", BEN, headers={"Idempotency-Key": "k"}).status == 201


@pytest.mark.usefixtures("database")
def test_only_the_fields_that_may_be_set_are_taken() -> None:
    """Mass assignment: unknown fields are refused."""
    token, anna = admin_token(), add_user()
    before = stored(anna.id)
    forbidden = {
        "id": "01CHOSEN",
        "user_id": "01CHOSEN",
        "balance": 10_000,
        "balance_fen": 10_000,
        "price": 0,
        "created_at_ms": 1,
        "created_at": "2020-01-01T00:00:00Z",
        "disabled_at_ms": 1,
        "erased_at_ms": 1,
        "password_hash": "sha384-x",
        "used_today": -5,
    }

    opened = ask(token, "POST", "users", {**forbidden, **BEN})
    changed = ask(token, "PATCH", f"users/{anna.id}", {**forbidden, "role": "user"})

    for reply in (opened, changed):
        fields = [detail["field"] for detail in reply.json["details"]]
        assert (reply.status, fields) == (422, [f"body.{name}" for name in forbidden])
    assert stored(anna.id) == before
    assert len(ask(token, "GET", "users").data["items"]) == 2


@pytest.mark.usefixtures("database")
def test_whoever_is_disabled_is_out_at_once_until_enabled_and_signed_in_again() -> None:
    admin, anna = add_user("admin"), add_user()
    token, session = token_of(admin.id), token_of(anna.id)
    assert is_let_in(session)

    disabled = ask(token, "PATCH", f"users/{anna.id}", {"disabled": True})
    again = ask(token, "PATCH", f"users/{anna.id}", {"disabled": True})
    was_let_in = is_let_in(session)
    enabled = ask(token, "PATCH", f"users/{anna.id}", {"disabled": False})

    assert disabled.data["disabled_at"] > "2026"
    assert again.data == disabled.data
    assert (was_let_in, is_let_in(session), is_let_in(token_of(anna.id))) == (False, False, True)
    assert enabled.data["disabled_at"] is None
    about = {"user_id": anna.id, "role": "user"}
    assert audited() == [
        (admin.id, "user.disable", about),
        (admin.id, "user.enable", about),
    ]


@pytest.mark.usefixtures("database")
def test_a_role_holds_from_the_next_request_on() -> None:
    admin, anna = add_user("admin"), add_user()
    token, session = token_of(admin.id), token_of(anna.id)

    raised = ask(token, "PATCH", f"users/{anna.id}", {"role": "admin"})
    seen = ask(session, "GET", "users").status
    lowered = ask(session, "PATCH", f"users/{admin.id}", {"role": "user", "disabled": True})

    assert (raised.data["role"], seen, lowered.data["role"]) == ("admin", 200, "user")
    assert ask(token, "GET", "users").status == 401
    assert sorted(audited(), key=lambda entry: (entry[0] != admin.id, entry[1])) == [
        (admin.id, "user.role", {"user_id": anna.id, "role": "admin"}),
        (anna.id, "user.disable", {"user_id": admin.id, "role": "user"}),
        (anna.id, "user.role", {"user_id": admin.id, "role": "user"}),
    ]


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("change", [{"role": "user"}, {"disabled": True}])
def test_the_last_active_administrator_stays_one(change: dict[str, object]) -> None:
    admin = add_user("admin")
    add_user("admin", disabled_at_ms=1)

    reply = ask(token_of(admin.id), "PATCH", f"users/{admin.id}", change)

    assert (reply.status, reply.error) == (409, "last_administrator")
    assert stored(admin.id) == admin
    assert audited() == []


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("change", [{"role": "user"}, {"disabled": True}])
def test_of_two_who_take_each_other_away_one_stays(change: dict[str, object]) -> None:
    for _ in range(6):
        one, other = add_user("admin"), add_user("admin")
        tokens = {one.id: token_of(one.id), other.id: token_of(other.id)}
        works = [
            partial(ask, tokens[one.id], "PATCH", f"users/{other.id}", change),
            partial(ask, tokens[other.id], "PATCH", f"users/{one.id}", change),
        ]
        replies = at_once(*works)

        assert [reply.status for reply in replies].count(200) == 1
        assert {reply.status for reply in replies} <= {200, 401, 403}
        left = [user for user in (one, other) if stored(user.id).is_admin]
        assert len(left) == 1
        transaction(lambda db: db.execute("UPDATE users SET role = 'user'"))


@pytest.mark.usefixtures("database")
def test_of_three_who_all_go_at_once_the_last_stays() -> None:
    people = [add_user("admin") for _ in range(3)]
    works = [
        partial(ask, token_of(one.id), "PATCH", f"users/{one.id}", {"role": "user"})
        for one in people
    ]

    statuses = sorted(reply.status for reply in at_once(*works))

    assert statuses == [200, 200, 409]
    assert [stored(one.id).is_admin for one in people].count(True) == 1


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("chosen", ["a new password", None])
def test_a_reset_password_ends_all_sessions(chosen: str | None) -> None:
    admin, anna = add_user("admin"), add_user()
    token, session = token_of(admin.id), token_of(anna.id)
    form = {"password": chosen} if chosen else {}

    reply = ask(token, "POST", f"users/{anna.id}/password", form)

    assert reply.status == 200
    password = chosen or reply.data["password"]
    assert reply.data == {"id": anna.id, "password": None if chosen else password}
    assert not is_let_in(session)
    assert log_in(password=password, email=anna.email or "").status == 200
    assert audited() == [(admin.id, "user.password", {"user_id": anna.id})]


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PATCH", "users/{id}", {"disabled": True}),
        ("POST", "users/{id}/password", {}),
    ],
)
def test_nobody_and_the_deleted_cannot_be_changed(method: str, path: str, body: Any) -> None:
    token, gone = admin_token(), add_user()
    transaction(
        lambda db: db.execute("UPDATE users SET erased_at_ms = 5 WHERE id = :id", id=gone.id)
    )

    for user_id in (new_id(), gone.id, f"{gone.id} ", "%"):
        reply = ask(token, method, path.format(id=user_id), body)
        assert (reply.status, reply.error) == (404, "not_found")
    assert audited() == []


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PATCH", "users/{id}", {"role": "admin"}),
        ("POST", "users/{id}/password", {"password": "correct horse"}),
    ],
)
def test_whoever_is_just_deleting_their_account_stays_deleted(
    method: str, path: str, body: Any
) -> None:
    """Otherwise a deleted account would count as the last administrator."""
    token, anna = admin_token(), add_user()
    deleting = transactions.connect(CONNECT_SECONDS, QUERY_SECONDS)
    deleting.begin()
    users.erase(deleting, anna, at_ms=5)

    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(ask, token, method, path.format(id=anna.id), body)
        assert not wait([asked], timeout=0.3).done
        deleting.commit()
        reply = asked.result()
        pool.submit(transactions.disconnect)
    deleting.close()

    assert (reply.status, reply.error) == (404, "not_found")
    assert stored(anna.id) == replace(
        anna, email=None, username=None, password_hash=None, disabled_at_ms=5
    )
    assert audited() == []


@pytest.mark.usefixtures("database")
def test_a_password_is_hashed_at_the_cost_that_is_set(configure: Configure) -> None:
    token = admin_token()
    configure(BCRYPT_COST="5")

    opened = ask(token, "POST", "users", BEN).data

    assert "$05$" in (stored(opened["id"]).password_hash or "")
