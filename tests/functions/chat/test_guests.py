"""Guests: their identity, their daily messages, and messages that do not count."""

import asyncio
import re
import time
from typing import Any

import httpx
import pytest

from shared.database.connection import Connection
from shared.database.transactions import read
from tests.events import Reply
from tests.fakes.upstream import Upstream
from tests.functions.chat.chatting import PATH, ask, hear
from tests.functions.conftest import GUEST_LIMIT, SignUp
from tests.patience import HANG_SECONDS
from tests.web import WebFunction, serving


def visit(web: WebFunction, forwarded_for: str, message: str = "你好", **fields: Any) -> Reply:
    """Send a guest's message with the address headers of the gateway."""
    return ask(web, message, headers={"X-Forwarded-For": forwarded_for}, **fields)


def use_up(web: WebFunction, forwarded_for: str) -> None:
    for _ in range(GUEST_LIMIT):
        assert visit(web, forwarded_for).status == 200


def quota(used: int) -> dict[str, int]:
    return {"daily_limit": GUEST_LIMIT, "used_today": used, "remaining": GUEST_LIMIT - used}


def test_a_guest_has_so_many_messages_a_day_and_is_told_how_many_are_left(
    stored: WebFunction, guest_ip: str, fake: Upstream
) -> None:
    told = [visit(stored, guest_ip).data["quota"] for _ in range(GUEST_LIMIT)]
    refused = visit(stored, guest_ip)

    assert told == [quota(used) for used in range(1, GUEST_LIMIT + 1)]
    assert (refused.status, refused.error) == (429, "daily_limit_reached")
    assert len(fake.requests) == GUEST_LIMIT


def test_a_refused_guest_is_told_when_the_next_day_of_shanghai_begins(
    stored: WebFunction, guest_ip: str
) -> None:
    use_up(stored, guest_ip)
    before = time.time()
    wait = int(visit(stored, guest_ip).headers["retry-after"])
    after = time.time()

    day = 24 * 3600
    midnight = (before + 8 * 3600) // day * day + day - 8 * 3600
    assert 0 < wait <= day
    assert before + wait - 1 < midnight < after + wait + 1 or after > midnight


def test_streamed_messages_count_as_well(stored: WebFunction, guest_ip: str) -> None:
    headers = {"X-Forwarded-For": guest_ip}
    told = [hear(stored, headers=headers).last.data["quota"] for _ in range(2)]

    assert told == [quota(1), quota(2)]


def test_what_a_client_writes_left_of_the_gateways_entry_buys_nothing(
    stored: WebFunction, guest_ip: str
) -> None:
    use_up(stored, guest_ip)

    forged = [f"1.2.3.4, {guest_ip}", f"10.0.0.1,::1,{guest_ip}", f"unknown, , {guest_ip}"]
    assert [visit(stored, chain).status for chain in forged] == [429] * 3


def test_a_second_header_line_buys_nothing_either(stored: WebFunction, guest_ip: str) -> None:
    use_up(stored, guest_ip)

    lines = [("X-Forwarded-For", "1.2.3.4"), ("X-Forwarded-For", guest_ip)]
    answer = stored.client.post(PATH, json={"message": "hi"}, headers=lines)
    assert answer.status_code == 429


def test_one_address_is_one_guest_however_it_is_written(stored: WebFunction) -> None:
    spellings = ["2001:db8:1:1::1", "2001:DB8:1:1:0:0:0:1", "[2001:db8:1:1::2]"]
    told = [visit(stored, spelling).data["quota"]["used_today"] for spelling in spellings]

    assert told == [1, 2, 3]


def test_a_household_shares_its_ipv6_network_and_no_more(stored: WebFunction) -> None:
    use_up(stored, "2001:db8:2:1::1")

    assert visit(stored, "2001:db8:2:1:ffff:ffff:ffff:ffff").status == 429
    assert visit(stored, "2001:db8:2:2::1").status == 200


def test_a_network_of_our_own_in_front_is_looked_through(
    variables: dict[str, str], chat_database: str, guest_ip: str
) -> None:
    more = {"DATABASE_URL": chat_database, "GUEST_DAILY_MESSAGES": "1", "TRUSTED_PROXY_HOPS": "1"}
    with serving("chat", **variables, **more) as web:
        seen = [visit(web, f"1.2.3.4, {guest_ip}, 10.0.0.{proxy}").status for proxy in (1, 2)]

    assert seen == [200, 429]


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("name", ["status-500", "closed-at-once", "empty"])
def test_a_message_without_an_answer_is_given_back(
    name: str, streamed: bool, stored: WebFunction, guest_ip: str
) -> None:
    visit(stored, guest_ip, f"scenario: {name}", stream=streamed)

    assert visit(stored, guest_ip).data["quota"] == quota(1)


def test_a_stream_without_an_answer_ends_with_the_quota_after_the_message_is_given_back(
    stored: WebFunction, guest_ip: str
) -> None:
    assert visit(stored, guest_ip).status == 200

    heard = hear(stored, "scenario: closed-at-once", headers={"X-Forwarded-For": guest_ip})

    assert (heard.last.name, heard.last.data["quota"]) == ("error", quota(1))


def test_half_an_answer_counts(stored: WebFunction, guest_ip: str) -> None:
    half = visit(stored, guest_ip, "scenario: error-later")

    assert (half.status, half.data["error"]) == (200, "upstream_error")
    assert half.data["charge"] == {"kind": "free", "amount_fen": 0, "receipt": None}

    assert visit(stored, guest_ip).data["quota"] == quota(2)


def test_reasoning_without_an_answer_counts(stored: WebFunction, guest_ip: str) -> None:
    heard = hear(stored, "scenario: error-after-reasoning", headers={"X-Forwarded-For": guest_ip})

    assert heard.last.data["error"] == "upstream_error"
    assert heard.last.data["charge"] == {"kind": "free", "amount_fen": 0, "receipt": None}
    assert visit(stored, guest_ip).data["quota"] == quota(2)


def test_a_refused_question_does_not_count(stored: WebFunction, guest_ip: str) -> None:
    assert visit(stored, guest_ip, "").status == 422
    assert visit(stored, guest_ip, model="another").status == 422

    assert visit(stored, guest_ip).data["quota"] == quota(1)


def test_forty_at_once_on_two_instances_admit_exactly_the_limit(
    stored: WebFunction, guest_ip: str, fake: Upstream
) -> None:
    async def visit_all(bases: list[str]) -> list[int]:
        headers = {"X-Forwarded-For": guest_ip}
        limits = httpx.Limits(max_connections=None)
        async with httpx.AsyncClient(
            headers=headers, limits=limits, timeout=HANG_SECONDS
        ) as client:
            asking = [client.post(base + PATH, json={"message": "hi"}) for base in bases * 20]
            return [answer.status_code for answer in await asyncio.gather(*asking)]

    with serving("chat", **stored.variables) as second:
        statuses = asyncio.run(visit_all([stored.base, second.base]))

    assert sorted(statuses) == [200] * GUEST_LIMIT + [429] * (40 - GUEST_LIMIT)
    assert len(fake.requests) == GUEST_LIMIT


@pytest.mark.usefixtures("sign_up")
def test_nothing_a_guest_says_is_kept(stored: WebFunction, guest_ip: str) -> None:
    data = visit(stored, guest_ip, "words of a guest, never to be kept").data

    assert data["conversation_id"] is None
    kept = read(
        lambda db: db.exists(
            "SELECT id FROM messages WHERE content = 'words of a guest, never to be kept'"
        )
    )
    assert not kept


@pytest.mark.usefixtures("sign_up")
def test_the_address_of_a_guest_is_not_stored(stored: WebFunction, guest_ip: str) -> None:
    visit(stored, guest_ip)

    days = "SELECT subject AS object FROM daily_messages"
    for sql in (days, days.replace("daily_messages", "turns")):
        found = read(Connection.find_all, str, sql)
        assert found
        assert all(
            re.fullmatch(r"[0-9a-f]{64}|address:[0-9a-f]{56}|[0-9A-Z]{26}", subject)
            for subject in found
        )


def test_a_guest_has_no_conversation_to_continue(stored: WebFunction, guest_ip: str) -> None:
    reply = visit(stored, guest_ip, conversation_id="01M81SFS9CZE4CQT9XTVBVT669")

    assert (reply.status, reply.error) == (401, "unauthorized")


def test_somebody_with_an_account_is_no_guest(
    stored: WebFunction, guest_ip: str, sign_up: SignUp
) -> None:
    use_up(stored, guest_ip)

    reply = ask(stored, token=sign_up().token, headers={"X-Forwarded-For": guest_ip})
    assert (reply.status, reply.data["quota"]) == (
        200,
        {"daily_limit": 20, "used_today": 1, "remaining": 19, "balance_fen": 0},
    )


@pytest.mark.parametrize(
    "settings", [{"GUEST_DAILY_MESSAGES": "0"}, {"APP_ENV": "production"}], ids=["0", "production"]
)
def test_a_deployment_may_have_no_guests(
    settings: dict[str, str], variables: dict[str, str], chat_database: str, fake: Upstream
) -> None:
    if "APP_ENV" in settings and chat_database.startswith("sqlite"):
        pytest.skip("production refuses SQLite")
    with serving("chat", **variables, DATABASE_URL=chat_database, **settings) as web:
        reply = visit(web, "203.0.113.9")
        unread = web.client.post("/v1/chat/completions", content=b"{not read")

    assert (reply.status, reply.error) == (401, "unauthorized")
    assert reply.headers["www-authenticate"] == "Bearer"
    assert (unread.status_code, unread.json()["error"]["code"]) == (401, "unauthorized")
    assert fake.requests == []
