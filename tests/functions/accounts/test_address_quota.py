"""The free messages of a day, across the deletion of an account and its registration again."""

import re
from collections.abc import Callable, Iterator
from functools import partial

import pytest

from functions.account import erasure
from functions.account.index import handler as account
from functions.admin.index import handler as admin
from functions.credits.index import handler as credits
from functions.maintenance import retention
from functions.maintenance.chores import Counts
from scripts.tooling.database.mariadb import cursor_on
from shared.database.transactions import read, transaction
from shared.repos import daily_messages, users
from shared.repos.daily_messages import ADDRESS
from shared.times import now_ms, shanghai_day
from tests.conftest import Configure
from tests.events import invoke
from tests.fakes.upstream import Upstream
from tests.functions.accounts.devices import together
from tests.functions.chat.chatting import ask
from tests.functions.conftest import SignUp
from tests.locks import held, wait_for_lock, waiting_thread
from tests.patience import HANG_SECONDS
from tests.people import PASSWORD, Person, add_user, admin_token, log_in, register, token_of, use_up
from tests.web import WebFunction

DAY_MS = 24 * 3600 * 1000


def signed_up(name: str = "anna") -> Person:
    session = register(name).data
    return Person(session["user"]["id"], session["access_token"])


def delete(person: Person) -> int:
    body = {"password": PASSWORD}
    return invoke(account, "DELETE", "/api/account", token=person.token, json_body=body).status


def leave(person: Person) -> None:
    assert delete(person) == 200


def try_to_register() -> int:
    return register().status


def used_today(person: Person) -> int:
    reply = invoke(credits, "GET", "/api/credits", token=person.token)
    used: int = reply.data["used_today"]
    return used


def subjects() -> list[str]:
    sql = "SELECT subject FROM daily_messages ORDER BY subject"
    return read(lambda db: db.find_all(lambda subject: str(subject), sql))


def move_days(ms: int) -> None:
    """Move the counts of today to the day of this many milliseconds ago."""
    sql = "UPDATE daily_messages SET day = :day"
    transaction(lambda db: db.execute(sql, day=shanghai_day(now_ms() - ms)))


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("spelling", ["anna", " ANNA", "Ａnna"])
def test_an_account_registered_again_continues_the_day(spelling: str) -> None:
    anna = signed_up()
    use_up(anna, 7)
    leave(anna)

    again = signed_up(spelling)
    assert used_today(again) == 7
    use_up(again)
    leave(again)

    assert used_today(signed_up()) == 20
    assert used_today(signed_up("ben")) == 0


@pytest.mark.usefixtures("database")
def test_the_count_of_an_address_never_falls() -> None:
    """Another account takes over the address and is deleted with fewer messages."""
    anna, ben = signed_up(), signed_up("ben")
    use_up(anna, 7)
    use_up(ben, 2)
    leave(anna)
    body = {"email": "anna@example.com", "current_password": PASSWORD}
    changed = invoke(account, "PATCH", "/api/auth/me", token=ben.token, json_body=body)
    assert changed.status == 200
    leave(ben)

    assert used_today(signed_up()) == 7


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("opened", [False, True])
def test_of_an_account_that_used_nothing_no_count_is_kept(opened: bool) -> None:
    anna = add_user(password_hash=None)
    if opened:
        use_up(anna, 0)

    assert invoke(account, "DELETE", "/api/account", token=token_of(anna.id)).status == 200

    assert [one for one in subjects() if one.startswith(ADDRESS)] == []


@pytest.mark.usefixtures("database")
def test_a_username_stands_in_for_an_address() -> None:
    nameless = add_user(email=None, username="anna", password_hash=None)
    use_up(nameless, 5)
    token = token_of(nameless.id)
    assert invoke(account, "DELETE", "/api/account", token=token).status == 200

    body = {"username": "Anna", "password": PASSWORD}
    created = invoke(admin, "POST", "/api/admin/users", token=admin_token(), json_body=body)

    assert created.status == 201
    assert read(daily_messages.find_used, created.data["id"], shanghai_day(now_ms())) == 5


@pytest.mark.usefixtures("database")
def test_the_next_day_begins_anew_and_maintenance_removes_the_row() -> None:
    anna = signed_up()
    use_up(anna, 7)
    leave(anna)
    assert removed() == 0
    move_days(DAY_MS)
    again = signed_up()
    assert used_today(again) == 0

    gone = removed()

    assert gone == 1
    assert [one.startswith(ADDRESS) for one in subjects()] == [False, True]
    move_days(2 * DAY_MS)
    assert removed() == 1
    assert subjects() == [anna.id]


@pytest.mark.usefixtures("database")
def test_what_stays_is_a_hash_that_needs_the_secret(configure: Configure) -> None:
    anna = signed_up()
    use_up(anna, 7)
    leave(anna)
    [kept] = [one for one in subjects() if one.startswith(ADDRESS)]

    configure(JWT_SECRET="another secret of at least thirty-two bytes")

    assert re.fullmatch("address:[0-9a-f]{56}", kept)
    assert used_today(signed_up()) == 0


@pytest.mark.usefixtures("database")
def test_deleting_and_registering_at_once_never_resets_the_day() -> None:
    for _ in range(10):
        anna = signed_up()
        use_up(anna)

        calls: list[Callable[[], int]] = [partial(delete, anna), *[try_to_register] * 4]

        statuses = together(calls)

        assert statuses[0] == 200
        assert set(statuses[1:]) <= {201, 409}
        assert statuses[1:].count(201) <= 1
        anna = logged_in() if 201 in statuses else signed_up()
        assert used_today(anna) == 20
        leave(anna)


@pytest.fixture(params=["REPEATABLE READ", "READ COMMITTED"])
def isolation(request: pytest.FixtureRequest, mariadb_server: str) -> Iterator[None]:
    """The server's default isolation: that of MySQL, and that of managed servers."""
    with cursor_on(f"{mariadb_server}/mysql") as cursor:
        cursor.execute(f"SET GLOBAL TRANSACTION ISOLATION LEVEL {request.param}")
        yield
        cursor.execute("SET GLOBAL TRANSACTION ISOLATION LEVEL REPEATABLE READ")


@pytest.mark.usefixtures("isolation")
@pytest.mark.parametrize("database", ["mariadb"], indirect=True)
def test_a_registration_waits_for_the_deletion_whose_count_it_continues(database: str) -> None:
    """At READ COMMITTED, copying the count does not wait for the row of the address."""
    anna = signed_up()
    use_up(anna, 7)
    with held() as deleting, waiting_thread() as submit:
        erasure.erase(deleting, read(users.get, anna.id))
        registering = submit(try_to_register)
        wait_for_lock(database, registering)
        deleting.commit()

        assert registering.result(HANG_SECONDS) == 201

    assert used_today(logged_in()) == 7


def logged_in() -> Person:
    session = log_in().data
    return Person(session["user"]["id"], session["access_token"])


def test_registering_again_answers_no_message_beyond_the_limit(
    stored: WebFunction, sign_up: SignUp, fake: Upstream
) -> None:
    anna = sign_up()
    account_of_anna = read(users.get, anna.id)
    use_up(anna, 19)
    assert [ask(stored, token=anna.token).status for _ in range(2)] == [200, 402]
    leave(anna)

    again = signed_up(str(account_of_anna.email).partition("@")[0])

    assert ask(stored, token=again.token).status == 402
    assert len(fake.requests) == 1


def removed() -> int:
    counts = Counts()
    retention.remove_addresses(float("inf"), counts)
    return counts.addresses
