"""Ended sessions: their access tokens are refused, even before they expire."""

from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as StillWaiting

import pytest

from functions.conversations.index import handler as conversations
from functions.credits.index import handler as credits
from functions.export.index import handler as export
from shared.accounts import tokens
from shared.accounts.passwords import hash_password
from shared.answers.conclusion import conclude
from shared.answers.ending import Ending
from shared.database import transactions
from shared.database.transactions import read, transaction
from shared.money import charging
from shared.pricing import Tokens
from shared.repos import sessions
from shared.times import now_ms
from tests.events import Handler, Reply, invoke
from tests.fakes.upstream import Upstream
from tests.functions.conftest import SignUp
from tests.functions.wallets import abandoned, today
from tests.people import log_in, register
from tests.web import WebFunction

REFUSED = (401, "invalid_token")


def outcome(reply: Reply) -> tuple[int, str]:
    return reply.status, reply.json.get("error", "")


def end(token: str) -> None:
    claims = tokens.read_access(token)
    assert transaction(sessions.end, claims.session_id, claims.user_id, at_ms=now_ms())


def devices() -> list[str | None]:
    return read(lambda db: db.find_all(lambda device: device, "SELECT device FROM sessions"))


@pytest.mark.usefixtures("database")
def test_its_access_token_is_refused_by_whoever_asks_the_database() -> None:
    ended, other = register().data["access_token"], log_in().data
    transaction(lambda db: db.execute("UPDATE users SET role = 'admin'"))
    asked: list[tuple[Handler, str, dict[str, str]]] = [
        (credits, "/api/credits", {}),
        (conversations, "/api/conversations", {}),
        (export, "/api/admin/export", {"dataset": "users"}),
    ]

    end(ended)

    for handler, path, query in asked:
        assert outcome(invoke(handler, "GET", path, token=ended, query=query)) == REFUSED
        assert invoke(handler, "GET", path, token=other["access_token"], query=query).status == 200


def test_it_can_neither_ask_nor_stop_nor_watch(
    stored: WebFunction, sign_up: SignUp, fake: Upstream
) -> None:
    anna = sign_up()
    transaction(charging.prepare, anna.id, anna.id, today())
    turn = abandoned(anna.id)
    transaction(conclude, turn, Ending("Because.", "stop", Tokens(1, 1)))
    headers = {"Authorization": f"Bearer {anna.token}"}
    end(anna.token)

    answers = [
        stored.client.post("/api/chat", json={"message": "Hi"}, headers=headers),
        stored.client.post("/api/chat/stop", json={"message_id": turn.message_id}, headers=headers),
        stored.client.get(f"/api/chat/streams/{turn.message_id}", headers=headers),
    ]

    assert [(one.status_code, one.json()["error"]) for one in answers] == [REFUSED] * 3
    assert fake.requests == []


@pytest.mark.usefixtures("database")
def test_a_session_of_somebody_else_does_not_make_a_token_good() -> None:
    mine = tokens.read_access(register().data["access_token"])
    other = register("ben").data
    mixed = tokens.issue_access(tokens.Claims(other["user"]["id"], mine.session_id, "user"))

    assert outcome(invoke(credits, "GET", "/api/credits", token=mixed)) == REFUSED


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("change", ["password_hash = :hash", "disabled_at_ms = 1"])
def test_a_password_that_is_changed_while_it_is_checked_opens_no_session(change: str) -> None:
    register()
    changing = transactions.connect(2, 4)
    changing.begin()
    sql = f"UPDATE users SET {change}"  # noqa: S608  # one of two of ours
    changing.execute(sql, **{"hash": hash_password("another horse")} if ":" in change else {})
    with ThreadPoolExecutor(1) as pool:
        entering = pool.submit(log_in)
        with pytest.raises(StillWaiting):
            entering.result(0.3)
        changing.commit()
        reply = entering.result()
        pool.submit(transactions.disconnect).result()
    changing.close()

    assert outcome(reply) == (401, "wrong_credentials")
    assert len(devices()) == 1


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("Firefox/140 (Android 15)", "Firefox/140 (Android 15)"),
        (" \x00 Mini\r\nProgram\ud800 ", "MiniProgram"),
        ("é🐼" * 150, "é🐼" * 100),
        ("\u202ePhone\u3164 of \u200d👩\u200d🚀\U000e0041", "Phone of 👩\u200d🚀"),
        ("\x00 ", None),
    ],
)
def test_a_session_remembers_what_the_client_calls_itself(said: str, kept: str | None) -> None:
    register(device=said)

    assert devices() == [kept]
