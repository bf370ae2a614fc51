"""Rate limits of chat, for users and for addresses of guests."""

from collections import Counter
from collections.abc import Iterator

import pytest

from shared.accounts import tokens
from shared.database.transactions import transaction
from shared.ids import new_id
from shared.repos import sessions
from shared.repos.sessions import Session
from shared.times import now_ms
from tests.fakes.upstream import Upstream
from tests.functions.chat.chatting import ask, ask_at_once, hear, post, stop
from tests.functions.conftest import Pair, SignUp
from tests.web import WebFunction, serving


@pytest.fixture(scope="module")
def strict(variables: dict[str, str], chat_database: str) -> Iterator[Pair]:
    """Two instances on one database: three messages a minute, and four calls of guests."""
    limits = {"CHAT_LIMIT": "3/1m", "ANONYMOUS_LIMIT": "4/15m", "GUEST_DAILY_MESSAGES": "100"}
    given = {**variables, **limits, "DATABASE_URL": chat_database, "DATABASE_CONNECTIONS": "8"}
    with serving("chat", **given) as one, serving("chat", **given) as other:
        yield one, other


def test_two_instances_at_once_admit_exactly_the_limit(
    strict: Pair, sign_up: SignUp, fake: Upstream
) -> None:
    anna = sign_up()
    answers = ask_at_once(strict, [{"message": f"{n}"} for n in range(20)], token=anna.token)
    assert Counter(one.status for one in answers) == {200: 3, 429: 17}
    assert {one.error for one in answers if one.status == 429} == {"rate_limited"}
    assert len(fake.requests) == 3


def test_whoever_is_refused_is_told_when_to_come_back_and_others_may_speak(
    strict: Pair, sign_up: SignUp
) -> None:
    anna, berta = sign_up(), sign_up()
    statuses = [ask(web, token=anna.token).status for web in (*strict, strict[0])]
    refused, unheard = ask(strict[1], token=anna.token), hear(strict[1], token=anna.token)
    assert statuses == [200] * 3
    assert (refused.status, unheard.status) == (429, 429)
    assert 50 <= int(refused.headers["retry-after"]) <= 60
    assert ask(strict[1], token=berta.token).status == 200


def test_both_doors_lead_to_one_limit(strict: Pair, sign_up: SignUp) -> None:
    anna = sign_up()
    for _ in range(3):
        assert ask(strict[0], token=anna.token).status == 200
    refused = strict[1].client.post(
        "/v1/chat/completions",
        json={"messages": [{"role": "user", "content": "hi"}]},
        headers={"Authorization": f"Bearer {anna.token}"},
    )
    assert (refused.status_code, refused.headers["x-should-retry"]) == (429, "true")
    assert refused.json()["error"]["code"] == "rate_limited"


def test_a_session_that_was_ended_uses_nothing_up(strict: Pair, sign_up: SignUp) -> None:
    """Otherwise a stolen token could use up its owner's limit."""
    anna = sign_up()
    stolen = tokens.read_access(anna.token)
    session = Session(new_id(), anna.id, None, now_ms(), now_ms())
    transaction(sessions.add, session)
    transaction(sessions.end, stolen.session_id, anna.id, at_ms=now_ms())

    refused = [ask(strict[0], token=anna.token).status for _ in range(4)]

    mine = tokens.issue_access(tokens.Claims(anna.id, session.id, "user"))
    assert (refused, ask(strict[1], token=mine).status) == ([401] * 4, 200)


def test_stopping_and_asking_for_models_is_no_message(strict: Pair, sign_up: SignUp) -> None:
    anna = sign_up()
    headers = {"Authorization": f"Bearer {anna.token}"}
    calls = [strict[0].client.get("/v1/models", headers=headers).status_code for _ in range(5)]
    assert calls == [200] * 5
    assert stop(strict[0], "unknown", token=anna.token) == 404
    assert ask(strict[0], token=anna.token).status == 200


@pytest.mark.parametrize("path", ["/api/chat", "/v1/models", "/api/chat/streams/x"])
def test_a_guest_has_the_limit_of_the_address(strict: Pair, guest_ip: str, path: str) -> None:
    def visit(web: WebFunction, number: int) -> int:
        named = {"X-Forwarded-For": f"1.2.3.{number}, {guest_ip}"}
        if path == "/api/chat":
            return post(web, {"message": "hi"}, headers=named).status
        return web.client.get(path, headers=named).status_code

    answered = [visit(strict[number % 2], number) for number in range(6)]

    assert 429 not in answered[:4]
    assert answered[4:] == [429] * 2
