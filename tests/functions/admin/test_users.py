"""Administrators search for users."""

import pytest

from shared.database.transactions import transaction
from shared.money import charging
from shared.repos import wallets
from tests.functions.admin.administering import ask
from tests.functions.wallets import PER_MESSAGE, abandoned, today
from tests.people import add_user, admin_token


def found(token: str, **query: str) -> list[str]:
    reply = ask(token, "GET", "users", query=query)
    assert reply.status == 200, reply.body
    return [user["id"] for user in reply.data["items"]]


@pytest.mark.usefixtures("database")
def test_an_account_is_told_with_what_it_has_and_used_today() -> None:
    token, anna = admin_token(), add_user(username="anna")
    transaction(charging.prepare, anna.id, anna.id, today())
    transaction(wallets.book, anna.id, "grant", 1000, key="grant")
    abandoned(anna.id)
    abandoned(anna.id, price=PER_MESSAGE)

    told = ask(token, "GET", f"users/{anna.id}")

    assert told.status == 200
    assert told.data == {
        "id": anna.id,
        "email": anna.email,
        "username": "anna",
        "role": "user",
        "created_at": told.data["created_at"],
        "disabled_at": None,
        "deleted_at": None,
        "balance_fen": 900,
        "reserved_fen": 100,
        "used_today": 1,
    }
    assert told.data == ask(token, "GET", "users").data["items"][0]
    assert "canary" not in told.body.decode()


@pytest.mark.usefixtures("database")
def test_the_newest_come_first_and_pages_follow_each_other() -> None:
    token = admin_token()
    people = [add_user(created_at_ms=1_900_000_000_000 + n // 3).id for n in range(8)]
    expected = sorted(people, key=lambda one: (people.index(one) // 3, one), reverse=True)
    seen, cursor = list[str](), dict[str, str]()
    while True:
        reply = ask(token, "GET", "users", query={"limit": "3", **cursor})
        seen += [user["id"] for user in reply.data["items"]]
        if reply.data["next_cursor"] is None:
            break
        cursor = {"cursor": reply.data["next_cursor"]}

    assert seen[:-1] == expected
    assert len(seen) == 9


@pytest.mark.usefixtures("database")
def test_people_are_found_by_how_an_address_a_name_or_an_id_begins() -> None:
    token = admin_token()
    anna = add_user(email="anna.lee@example.org", username="grasshopper").id
    ben = add_user(email="ben@example.com").id

    assert found(token, q="Anna.LEE@example.o") == [anna]
    assert found(token, q="ａnna") == [anna]
    assert found(token, q="grass") == [anna]
    assert found(token, q=ben[:24].lower()) in ([ben], [ben, anna])
    assert found(token, q=ben) == [ben]
    assert found(token, q=ben[1:]) == []
    assert set(found(token, q=" ")) == set(found(token)) >= {anna, ben}


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("wild", ["%", "_", "!", "%%", "a_b", "\\", "'", "\\%", "!%"])
def test_what_means_something_to_the_database_is_searched_for_as_it_stands(wild: str) -> None:
    token = admin_token()
    add_user(email="a.b@example.com", username="plain")
    exact = add_user(email=f"{wild}.b@example.com").id

    assert found(token, q=wild) == [exact]
    assert found(token, q=f"{wild}.b@") == [exact]
    assert found(token, q=f"{wild}{wild}") == []


@pytest.mark.usefixtures("database")
def test_filters_are_taken_together() -> None:
    token = admin_token()
    anna, ben = add_user(disabled_at_ms=5).id, add_user("admin", disabled_at_ms=5).id
    carl = add_user().id

    assert found(token, disabled="true") == [ben, anna]
    assert found(token, disabled="true", role="user") == [anna]
    assert found(token, disabled="false", role="user") == [carl]
    assert found(token, disabled="true", role="admin", q=ben) == [ben]


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize(
    "query",
    [
        {"role": "root"},
        {"disabled": "maybe"},
        {"limit": "101"},
        {"cursor": "YWJj"},
        {"q": "a" * 255},
    ],
)
def test_what_means_nothing_is_refused(query: dict[str, str]) -> None:
    reply = ask(admin_token(), "GET", "users", query=query)

    assert (reply.status, reply.error) == (422, "invalid_request")
    assert [detail["field"] for detail in reply.json["details"]] == [f"query.{min(query)}"]


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("user_id", ["nobody", "01ANNA", "%", "_" * 26])
def test_an_id_of_nobody_is_not_found(user_id: str) -> None:
    reply = ask(admin_token(), "GET", f"users/{user_id}")

    assert (reply.status, reply.error) == (404, "not_found")
