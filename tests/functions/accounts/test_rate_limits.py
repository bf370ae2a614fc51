"""Rate limits of login, registration and anonymous calls."""

import re
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from multiprocessing import get_context

import pytest

from functions.account.index import handler as account
from functions.health.index import handler as health
from functions.login.index import handler as login
from functions.maintenance import retention
from functions.maintenance.chores import Counts
from functions.models.index import handler as models
from functions.session.index import handler as session
from shared.config import Rate
from shared.database.connection import Connection
from shared.database.transactions import read, transaction
from shared.errors import TooManyRequests, WrongCredentials
from shared.limits import rate_limits
from shared.limits.rate_limits import Count
from shared.repos import invites
from shared.repos.invites import Invite
from shared.times import now_ms
from tests.conftest import WITHOUT_LIMITS, Configure
from tests.events import Reply, invoke
from tests.functions.accounts.devices import together
from tests.people import log_in, register
from tests.web import eventually

HOME, ELSEWHERE = "203.0.113.7", "198.51.100.1"
DEFAULTS = dict.fromkeys(WITHOUT_LIMITS)
TWICE_RATE = Rate(2, 900)
TWICE = Count("login", "subject", TWICE_RATE)
_EACH, _AT_ONCE = 500, 20


def renew(refresh_token: str) -> Reply:
    form = {"refresh_token": refresh_token}
    return invoke(session, "POST", "/api/auth/refresh", json_body=form)


def statuses(replies: Iterable[Reply]) -> list[int]:
    return [reply.status for reply in replies]


def accounts(connection: Connection) -> int:
    return connection.find(lambda n: int(n), "SELECT COUNT(*) AS n FROM users") or 0


def limits(connection: Connection) -> list[tuple[str, str, int]]:
    return connection.find_all(
        lambda name, subject, used: (str(name), str(subject), int(used)),
        "SELECT name, subject, used FROM rate_limits ORDER BY name, used",
    )


def pass_by(seconds: int) -> None:
    """Move all rate limit windows this far into the past."""
    transaction(
        lambda db: db.execute(
            "UPDATE rate_limits SET started_ms = started_ms - :ms, ends_ms = ends_ms - :ms",
            ms=seconds * 1000,
        )
    )


@pytest.mark.usefixtures("database")
def test_after_ten_failures_an_account_is_closed_to_that_address_and_to_no_other(
    configure: Configure,
) -> None:
    register()
    register("berta")
    configure(**DEFAULTS)

    failures = statuses(log_in(password="wrong") for _ in range(10))
    refused = log_in()

    assert failures == [401] * 10
    assert (refused.status, refused.error) == (429, "rate_limited")
    assert 890 <= int(refused.headers["Retry-After"]) <= 900
    assert statuses([log_in(ip=ELSEWHERE), log_in(name="berta")]) == [200, 200]


@pytest.mark.usefixtures("database")
def test_a_success_that_began_in_the_window_before_gives_nothing_back_to_this_one() -> None:
    """The first login takes longer than its window."""
    began_ms = now_ms()
    with rate_limits.failures(TWICE):
        eventually(lambda: now_ms() > began_ms)
        pass_by(TWICE_RATE.seconds)
        fail_once()

    fail_once()
    with pytest.raises(TooManyRequests):
        fail_once()
    assert read(limits) == [(TWICE.name, TWICE.subject, 2)]


@pytest.mark.usefixtures("database")
def test_a_success_whose_count_is_gone_leaves_no_negative_one() -> None:
    with rate_limits.failures(TWICE):
        transaction(lambda db: db.execute("UPDATE rate_limits SET used = 0"))
    assert read(limits) == [(TWICE.name, TWICE.subject, 0)]

    with rate_limits.failures(TWICE):
        transaction(lambda db: db.execute("DELETE FROM rate_limits"))
    assert read(limits) == []


def fail_once() -> None:
    with suppress(WrongCredentials), rate_limits.failures(TWICE):
        raise WrongCredentials


@pytest.mark.usefixtures("database")
def test_an_account_that_nobody_has_is_closed_alike(configure: Configure) -> None:
    configure(LOGIN_LIMIT="3/15m")
    answers = [log_in(name="nobody") for _ in range(4)]
    assert [one.error for one in answers] == ["wrong_credentials"] * 3 + ["rate_limited"]


@pytest.mark.usefixtures("database")
def test_logins_that_succeed_do_not_count(configure: Configure) -> None:
    register()
    configure(LOGIN_LIMIT="3/15m", LOGIN_ADDRESS_LIMIT="4/15m")
    assert statuses(log_in() for _ in range(10)) == [200] * 10
    assert statuses(log_in(password="wrong") for _ in range(4)) == [401] * 3 + [429]


@pytest.mark.usefixtures("database")
def test_an_address_has_so_many_failures_at_all_accounts_together(configure: Configure) -> None:
    register()
    configure(LOGIN_LIMIT="2/15m", LOGIN_ADDRESS_LIMIT="5/15m")

    at_one = statuses(log_in(password="wrong") for _ in range(9))
    at_others = statuses(log_in(f"guess{number}", password="wrong") for number in range(4))

    assert at_one == [401] * 2 + [429] * 7
    assert at_others == [401] * 3 + [429]
    assert statuses([log_in(name="anna", ip=ELSEWHERE)]) == [200]


@pytest.mark.usefixtures("database")
def test_an_address_opens_so_many_accounts_a_minute(configure: Configure) -> None:
    configure(**DEFAULTS)

    answers = [register(f"guest{number}") for number in range(6)]

    assert statuses(answers) == [201] * 5 + [429]
    assert 55 <= int(answers[5].headers["Retry-After"]) <= 60
    assert read(accounts) == 5
    assert register("guest5", ip=ELSEWHERE).status == 201


@pytest.mark.usefixtures("database")
def test_an_address_opens_so_many_accounts_a_day(configure: Configure) -> None:
    configure(REGISTER_LIMIT="5/1m")
    configure(REGISTER_DAILY_LIMIT=None)
    answers = []
    for minute in range(5):
        answers += [register(f"guest{minute}-{number}") for number in range(6)]
        pass_by(61)

    assert statuses(answers) == ([201] * 5 + [429]) * 4 + [429] * 6
    assert 86_000 <= int(answers[-1].headers["Retry-After"]) <= 86_400 - 4 * 61
    assert read(accounts) == 20
    assert register("elsewhere", ip=ELSEWHERE).status == 201
    pass_by(86_400)
    assert register("next-day").status == 201


@pytest.mark.usefixtures("database")
def test_of_a_day_every_attempt_to_register_counts_and_nothing_else(
    configure: Configure,
) -> None:
    token = register("renamed").data["access_token"]
    code = "CODE-OF-TESTS"
    transaction(invites.add, Invite(code, None, 9, 0, 0, "", True, None, "admin", now_ms()))
    configure(REGISTER_DAILY_LIMIT="4/1d")

    renamed = [
        invoke(account, "PATCH", "/api/auth/me", token=token, json_body={"username": f"name{n}"})
        for n in range(5)
    ]
    attempts = [
        register("renamed"),
        register(password="short"),
        register("a", invite_code="unknown"),
        register("b", invite_code=code),
        register("c", invite_code=code),
        register("d"),
    ]

    assert statuses(renamed) == [200] * 5
    assert statuses(attempts) == [409, 422, 422, 201, 429, 429]


@pytest.mark.usefixtures("database")
def test_a_window_begins_with_the_first_and_then_ends(configure: Configure) -> None:
    configure(REGISTER_LIMIT="2/1m")
    register("a")
    pass_by(50)
    assert statuses([register("b"), register("c")]) == [201, 429]
    assert 5 <= int(register("c").headers["Retry-After"]) <= 10
    pass_by(11)
    assert statuses(register(name) for name in ("c", "d", "e")) == [201, 201, 429]
    assert 55 <= int(register("e").headers["Retry-After"]) <= 60


@pytest.mark.usefixtures("database")
def test_the_shortest_wait_is_one_second(configure: Configure) -> None:
    configure(ANONYMOUS_LIMIT="1/1s")

    def refused() -> str | None:
        return log_in().headers.get("Retry-After")

    assert eventually(refused) == "1"


@pytest.mark.usefixtures("database")
def test_calls_without_an_account_count_together_whatever_comes_of_them(
    configure: Configure,
) -> None:
    configure(ANONYMOUS_LIMIT="4/15m")
    answers = [register(), register(), log_in(), invoke(login, "POST", "/api/auth/login"), log_in()]
    assert statuses(answers) == [201, 409, 200, 400, 429]
    assert register("berta").status == 429
    assert renew("of nobody").status == 429
    assert invoke(health, "GET", "/api/health").status == 200
    assert invoke(login, "OPTIONS", "/api/auth/login").status == 204


@pytest.mark.usefixtures("database")
def test_nobody_at_an_address_can_keep_others_there_from_renewing_their_sessions(
    configure: Configure,
) -> None:
    refresh_token = register().data["refresh_token"]
    configure(ANONYMOUS_LIMIT="3/15m")

    strangers = statuses(renew("of nobody") for _ in range(5))

    assert (strangers, log_in().status) == ([401] * 3 + [429] * 2, 429)
    assert statuses(renew(refresh_token) for _ in range(5)) == [200] * 5


@pytest.mark.usefixtures("database")
def test_a_session_is_renewed_so_often_and_others_as_often(configure: Configure) -> None:
    mine, other = register().data, log_in().data
    configure(REFRESH_LIMIT=None, ANONYMOUS_LIMIT="1/15m")
    newest = mine["refresh_token"]
    for _ in range(30):
        newest = renew(newest).data["refresh_token"]

    refused = renew(newest)

    assert (refused.status, refused.error) == (429, "rate_limited")
    assert 890 <= int(refused.headers["Retry-After"]) <= 900
    assert renew(mine["refresh_token"]).status == 429
    assert renew(other["refresh_token"]).status == 200
    pass_by(900)
    assert renew(newest).status == 200


@pytest.mark.usefixtures("database")
def test_renewals_at_once_are_admitted_up_to_the_limit(configure: Configure) -> None:
    parent = register().data["refresh_token"]
    configure(REFRESH_LIMIT="5/15m")

    replies = together([partial(renew, parent)] * 20)

    assert Counter(statuses(replies)) == {200: 5, 429: 15}
    assert len({reply.data["refresh_token"] for reply in replies if reply.status == 200}) == 1


@pytest.mark.usefixtures("database")
def test_whoever_is_signed_in_counts_nowhere_among_those_without_an_account(
    configure: Configure,
) -> None:
    token = register().data["access_token"]
    configure(ANONYMOUS_LIMIT="2/15m")
    tokens = [token, "", token, "forged", "", token]
    answers = [invoke(models, "GET", "/api/models", token=one) for one in tokens]
    assert statuses(answers) == [200, 200, 200, 200, 429, 200]


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize(
    "forged", ["1.2.3.{n}", "1.2.3.{n}, 5.6.7.{n}", "1.2.3.{n}, 203.0.113.7", "::{n}"]
)
def test_what_callers_write_about_their_address_buys_nothing(
    configure: Configure, forged: str
) -> None:
    configure(ANONYMOUS_LIMIT="2/15m")
    chains = ({"X-Forwarded-For": forged.format(n=number)} for number in range(4))
    assert statuses(log_in(headers=chain) for chain in chains) == [401] * 2 + [429] * 2


@pytest.mark.usefixtures("database")
def test_a_household_of_ipv6_is_one_address(configure: Configure) -> None:
    configure(ANONYMOUS_LIMIT="2/15m")
    addresses = [f"2001:db8:1:2:{number}::1" for number in range(3)]
    assert statuses(log_in(ip=ip) for ip in addresses) == [401, 401, 429]
    assert log_in(ip="2001:db8:1:3::1").status == 401


@pytest.mark.usefixtures("database")
def test_what_is_counted_tells_nobodys_name_or_address(configure: Configure) -> None:
    configure(**DEFAULTS)
    log_in(password="wrong")
    counted = read(limits)
    assert [(name, used) for name, _, used in counted] == [
        ("anonymous", 1),
        ("login", 1),
        ("login_address", 1),
    ]
    assert len({subject for _, subject, _ in counted}) == 3
    assert all(re.fullmatch("[0-9a-f]{64}", subject) for _, subject, _ in counted)


@pytest.mark.usefixtures("database")
def test_a_limit_of_0_is_none_and_costs_nothing() -> None:
    assert statuses(log_in(password="wrong") for _ in range(12)) == [401] * 12
    assert read(limits) == []


@pytest.mark.parametrize("given", ["10", "10/", "/15m", "0/15m", "10/0", "-1/1m", "ten/1m"])
@pytest.mark.usefixtures("database")
def test_a_limit_that_is_none_is_refused(
    configure: Configure, given: str, capsys: pytest.CaptureFixture[str]
) -> None:
    configure(LOGIN_LIMIT=given)
    reply = log_in()
    assert (reply.status, reply.error) == (503, "misconfigured")
    assert "LOGIN_LIMIT must be a" in capsys.readouterr().out


def test_without_a_database_nothing_is_limited(configure: Configure) -> None:
    configure(**DEFAULTS, JWT_SECRET=None)
    answers = {(one.status, one.error) for one in (log_in(), register())}
    assert answers == {(503, "database_not_configured")}
    assert invoke(models, "GET", "/api/models").status == 200


def test_with_the_database_down_nobody_comes_in(configure: Configure) -> None:
    configure(**DEFAULTS, DATABASE_URL="mysql://nobody:x@127.0.0.1:1/none")
    answers = [log_in(), register()]
    assert [(one.status, one.error) for one in answers] == [(503, "database_unavailable")] * 2


@pytest.mark.usefixtures("database")
def test_windows_that_are_over_are_forgotten(configure: Configure) -> None:
    configure(ANONYMOUS_LIMIT="9/1m", LOGIN_LIMIT="9/15m")
    for number in range(5):
        log_in(f"guess{number}", password="wrong", ip=f"203.0.113.{number}")
    pass_by(60)
    assert removed() == 5
    assert {name for name, _, _ in read(limits)} == {"login"}
    pass_by(14 * 60)
    assert removed() == 5
    assert read(limits) == []


@pytest.mark.usefixtures("database")
def test_of_1000_wrong_passwords_in_two_processes_ten_are_looked_at(
    configure: Configure,
) -> None:
    """401 means that the password was checked, 429 that it was not."""
    register()
    configure(LOGIN_LIMIT="10/15m")
    assert _over_two_processes(_guess_passwords) == {401: 10, 429: 990}


@pytest.mark.usefixtures("database")
def test_of_1000_accounts_tried_from_one_address_a_hundred_are_looked_at(
    configure: Configure,
) -> None:
    configure(LOGIN_LIMIT="10/15m", LOGIN_ADDRESS_LIMIT="100/15m")
    assert _over_two_processes(_guess_accounts) == {401: 100, 429: 900}


def _over_two_processes(work: Callable[[int], Counter[int]]) -> Counter[int]:
    with get_context("spawn").Pool(2) as pool:
        return sum(pool.map(work, range(2)), Counter[int]())


def _guess_passwords(process: int) -> Counter[int]:
    return _at_once(lambda number: log_in(password=f"guess {process} {number}"))


def _guess_accounts(process: int) -> Counter[int]:
    return _at_once(lambda number: log_in(f"guess{process}-{number}", password="guess"))


def _at_once(ask: Callable[[int], Reply]) -> Counter[int]:
    with ThreadPoolExecutor(_AT_ONCE) as threads:
        return Counter(statuses(threads.map(ask, range(_EACH))))


def removed() -> int:
    counts = Counts()
    retention.remove_limits(float("inf"), counts)
    return counts.limits
