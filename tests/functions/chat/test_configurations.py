"""Chat without a database, with one that is down, and with settings that are missing or unsafe."""

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from shared.accounts import tokens
from tests.conftest import Configure
from tests.events import Reply
from tests.fakes.upstream import Upstream
from tests.functions.chat.chatting import ask, hear
from tests.patience import promised
from tests.web import WebFunction, serving


def without(variables: dict[str, str], *names: str) -> dict[str, str]:
    return {name: value for name, value in variables.items() if name not in names}


def outcome(reply: Reply) -> tuple[int, str]:
    return reply.status, reply.error


@pytest.fixture
def token(configure: Configure, variables: dict[str, str]) -> str:
    configure(JWT_SECRET=variables["JWT_SECRET"])
    return tokens.issue_access(tokens.Claims("01M81SFS9CZE4CQT9XTVBVT669", "session", "user"))


@pytest.mark.parametrize("settings", [{"ALLOW_UNMETERED_CHAT": "false"}, {"APP_ENV": "production"}])
def test_without_a_database_nothing_is_free_unless_that_is_allowed(
    settings: dict[str, str], variables: dict[str, str], token: str, fake: Upstream
) -> None:
    with serving("chat", **variables, **settings) as web:
        answers = [ask(web), ask(web, token=token), ask(web, stream=True)]

    assert [outcome(one) for one in answers] == [(503, "database_not_configured")] * 3
    assert fake.requests == []


def test_without_a_database_a_token_is_not_read(chat: WebFunction, token: str) -> None:
    assert [ask(chat, token=one).status for one in (token, token + "x")] == [200, 200]


def test_without_a_database_a_conversation_is_not_missed(chat: WebFunction) -> None:
    reply = ask(chat, conversation_id="01M81SFS9CZE4CQT9XTVBVT669")

    assert (reply.status, reply.data["conversation_id"]) == (200, None)


def test_chat_alone_needs_no_secret_for_tokens(variables: dict[str, str], fake: Upstream) -> None:
    with serving("chat", **without(variables, "JWT_SECRET")) as web:
        assert [ask(web, token=token).status for token in ("", "a.b.c")] == [200, 200]


def test_without_a_key_of_the_model_the_log_says_so(variables: dict[str, str]) -> None:
    with serving("chat", **without(variables, "OPENAI_API_KEY")) as web:
        assert outcome(ask(web)) == (503, "misconfigured")
        assert outcome(ask(web, stream=True)) == (503, "misconfigured")
        assert "OPENAI_API_KEY is not set" in web.logged('"misconfigured"')[0]


@contextmanager
def nobody_listens(folder: Path) -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    yield f"mysql://root@127.0.0.1:{port}/app"


@contextmanager
def black_hole(folder: Path) -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        yield f"mysql://root@127.0.0.1:{silent.getsockname()[1]}/app"


@contextmanager
def no_file(folder: Path) -> Iterator[str]:
    yield f"sqlite:///{folder}"


@pytest.mark.parametrize("broken", [nobody_listens, black_hole, no_file])
def test_a_database_that_is_down_is_an_outage_and_never_free(
    broken: type, variables: dict[str, str], token: str, tmp_path: Path, fake: Upstream
) -> None:
    allowed = {"ALLOW_UNMETERED_CHAT": "true", "GUEST_DAILY_MESSAGES": "20"}
    with (
        broken(tmp_path) as url,
        serving("chat", **variables, **allowed, DATABASE_URL=url) as web,
    ):
        started = time.monotonic()
        guest = ask(web)
        assert time.monotonic() - started < promised(5)
        answers = [guest, ask(web, token=token, stream=True)]

    assert [outcome(one) for one in answers] == [(503, "database_unavailable")] * 2
    assert guest.headers["retry-after"] == "3"
    assert fake.requests == []


def test_a_key_no_header_can_carry_is_not_shown(variables: dict[str, str]) -> None:
    broken = {**variables, "OPENAI_API_KEY": "sk-canary-密钥"}
    with serving("chat", **broken) as web:
        assert outcome(ask(web)) == (503, "misconfigured")
        assert hear(web).last.data["error"] == "misconfigured"
        web.logged('"status": 200')
        assert "canary" not in web.log
