"""The user's own account: profile, password and deletion."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as StillWaiting
from functools import partial
from typing import Any

import bcrypt
import pytest

from functions.account import erasure
from functions.account.index import handler as account
from functions.credits.index import handler as credits
from functions.login.index import handler as login
from functions.maintenance.index import handler as maintenance
from shared.accounts import tokens
from shared.accounts.erasure import forget_content
from shared.accounts.passwords import hash_password
from shared.answers.conclusion import conclude
from shared.answers.ending import Ending
from shared.database import transactions
from shared.database.transactions import read, transaction
from shared.errors import Conflict
from shared.ids import new_id
from shared.money import charging
from shared.pricing import Tokens
from shared.repos import answer_chunks, conversations, idempotency, orders, turns, users, wallets
from shared.repos.answer_chunks import AnswerChunk
from shared.repos.idempotency import IdempotencyKey
from shared.repos.orders import Order
from shared.repos.wallets import Wallet
from shared.times import now_ms
from tests.conftest import Configure
from tests.events import Context, Reply, invoke
from tests.fakes.upstream import Upstream
from tests.functions.accounts.devices import count, leave, outcome, renew, together
from tests.functions.chat.chatting import open_stream
from tests.functions.conftest import SignUp
from tests.functions.wallets import PER_MESSAGE, abandoned, books, state_of, today
from tests.people import PASSWORD, log_in, register
from tests.web import WebFunction, eventually

NEW = "another horse"
WRONG = (403, "wrong_password")


def ask(method: str, path: str, signed_in: Any, body: object = None) -> Reply:
    return invoke(account, method, path, token=signed_in["access_token"], json_body=body)


def me(signed_in: Any) -> Reply:
    return ask("GET", "/api/auth/me", signed_in)


def change(signed_in: Any, **body: object) -> Reply:
    return ask("PATCH", "/api/auth/me", signed_in, body)


def change_password(signed_in: Any, **body: object) -> Reply:
    return ask("PUT", "/api/auth/password", signed_in, body)


def delete(signed_in: Any, **body: object) -> Reply:
    return ask("DELETE", "/api/account", signed_in, body)


def execute(sql: str, **parameters: object) -> None:
    transaction(lambda db: db.execute(sql, **parameters))


@pytest.mark.usefixtures("database")
def test_the_profile_is_that_of_the_database() -> None:
    anna = register().data

    reply = me(anna)

    assert (reply.status, reply.data) == (200, {**anna["user"], "has_password": True})
    execute("UPDATE users SET role = 'admin', password_hash = NULL")
    assert me(anna).data == {**anna["user"], "role": "admin", "has_password": False}


@pytest.mark.usefixtures("database")
def test_a_username_is_changed_and_signs_in_from_then_on() -> None:
    anna = register().data

    reply = change(anna, username=" Änna.K ")

    assert reply.data == {**anna["user"], "username": "änna.k", "has_password": True}
    assert change(anna).data == reply.data
    form = {"username": "ÄNNA.K", "password": PASSWORD}
    assert invoke(login, "POST", "/api/auth/login", json_body=form).status == 200


@pytest.mark.usefixtures("database")
def test_another_email_takes_the_password() -> None:
    anna = register().data
    new = "new@example.com"

    refused = [
        outcome(change(anna, email=new, **more))
        for more in ({}, {"current_password": "wrong"}, {"current_password": PASSWORD + "x"})
    ]
    changed = change(anna, email=" New@Example.com ", current_password=PASSWORD)

    assert refused == [WRONG] * 3
    assert (changed.status, changed.data["email"]) == (200, new)
    assert log_in("new").status == 200
    assert outcome(log_in("anna")) == (401, "wrong_credentials")


@pytest.mark.usefixtures("database")
def test_names_of_others_are_refused_and_nothing_changes() -> None:
    anna, ben = register().data, register("ben").data
    change(ben, username="ben")

    taken = [
        outcome(change(anna, username="BEN")),
        outcome(change(anna, email="ben@example.com", current_password=PASSWORD)),
        outcome(change(anna, username="x", email="no email")),
    ]

    assert taken == [(409, "username_taken"), (409, "email_taken"), (422, "invalid_request")]
    assert me(anna).data == {**anna["user"], "has_password": True}


@pytest.mark.usefixtures("database")
def test_names_that_are_taken_are_found_out_no_faster_than_by_registering(
    configure: Configure,
) -> None:
    anna, _ = register().data, register("ben").data
    configure(REGISTER_LIMIT="3/1m")

    guesses = [
        outcome(change(anna, email="ben@example.com", current_password=PASSWORD)) for _ in range(5)
    ]

    assert guesses == [(409, "email_taken")] * 3 + [(429, "rate_limited")] * 2


@pytest.mark.usefixtures("database")
def test_a_new_password_ends_the_other_sessions_and_keeps_this_one() -> None:
    mine, other, ben = register().data, log_in().data, register("ben").data
    assert leave(log_in().data["access_token"]).status == 200

    reply = change_password(mine, current_password=PASSWORD, new_password="another horse")

    assert (reply.status, reply.data) == (200, {"sessions_ended": 1})
    assert [me(one).status for one in (mine, other, ben)] == [200, 401, 200]
    assert outcome(renew(other["refresh_token"])) == (401, "invalid_refresh_token")
    assert renew(mine["refresh_token"]).status == 200
    assert outcome(log_in()) == (401, "wrong_credentials")
    assert log_in(password="another horse").status == 200


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({"current_password": "wrong", "new_password": "another horse"}, WRONG),
        ({"new_password": "another horse"}, WRONG),
        ({"current_password": PASSWORD, "new_password": "short"}, (422, "invalid_request")),
        ({"current_password": PASSWORD}, (422, "invalid_request")),
    ],
)
def test_a_password_that_is_not_changed_ends_nothing(
    body: dict[str, object], told: tuple[int, str]
) -> None:
    mine, other = register().data, log_in().data

    assert outcome(change_password(mine, **body)) == told

    assert [me(one).status for one in (mine, other)] == [200, 200]
    assert log_in().status == 200


@pytest.mark.usefixtures("database")
def test_of_many_changes_of_a_password_at_once_one_counts() -> None:
    held = [register().data, *(log_in().data for _ in range(5))]
    new = [f"another horse {number}" for number in range(len(held))]

    def to(password: str, signed_in: Any) -> Reply:
        return change_password(signed_in, current_password=PASSWORD, new_password=password)

    replies = together([partial(to, *one) for one in zip(new, held, strict=True)])

    told = [reply.status for reply in replies]
    assert told.count(200) == 1
    assert set(told) <= {200, 401, 403}
    assert [log_in(password=p).status == 200 for p in new] == [status == 200 for status in told]
    assert [me(one).status == 200 for one in held] == [status == 200 for status in told]


@pytest.mark.usefixtures("database")
def test_an_imported_password_that_bcrypt_does_not_read_whole_confirms_nothing() -> None:
    anna, long = register().data, "p" * 100
    imported = bcrypt.hashpw(long.encode()[:72], bcrypt.gensalt(4)).decode()
    execute("UPDATE users SET password_hash = :hash", hash=imported)

    refused = change_password(anna, current_password=long, new_password=NEW)

    assert outcome(refused) == outcome(delete(anna, password="p" * 73)) == WRONG
    assert "ask an administrator for a new password" in refused.json["message"]
    assert change_password(anna, current_password="p" * 72, new_password=NEW).status == 200


@pytest.mark.usefixtures("database")
def test_guessing_the_password_of_an_open_session_is_limited(configure: Configure) -> None:
    anna = register().data
    configure(LOGIN_LIMIT="3/15m")

    guesses = [outcome(delete(anna, password="wrong")) for _ in range(5)]

    assert guesses == [WRONG] * 3 + [(429, "rate_limited")] * 2
    assert me(anna).status == 200


@pytest.mark.usefixtures("database")
def test_nobody_keeps_the_processors_busy_with_their_own_password(configure: Configure) -> None:
    anna = register().data
    configure(LOGIN_LIMIT="3/15m")
    same = {"current_password": PASSWORD, "new_password": PASSWORD}

    told = [outcome(change_password(anna, **same)) for _ in range(5)]

    assert told == [(200, "")] * 3 + [(429, "rate_limited")] * 2


@pytest.mark.usefixtures("database")
def test_an_account_without_a_password_shows_that_it_has_just_signed_in() -> None:
    anna = register().data
    execute("UPDATE users SET password_hash = NULL")
    execute("UPDATE sessions SET created_at_ms = created_at_ms - 601000")
    assert renew(anna["refresh_token"]).status == 200  # which is no sign-in

    refused = [
        outcome(delete(anna, password=PASSWORD)),
        outcome(change_password(anna, new_password="another horse")),
        outcome(change(anna, email="new@example.com")),
    ]
    execute("UPDATE sessions SET created_at_ms = :now", now=now_ms() - 590_000)
    allowed = change_password(anna, new_password="another horse")

    assert refused == [(403, "recent_sign_in_required")] * 3
    assert allowed.status == 200
    assert log_in(password="another horse").status == 200


@pytest.mark.usefixtures("database")
def test_the_session_that_asks_must_be_recent_and_no_other_one_will_do() -> None:
    old, recent = register().data, log_in().data
    execute("UPDATE users SET password_hash = NULL")
    sql = "UPDATE sessions SET created_at_ms = created_at_ms - 601000 WHERE id = :id"
    execute(sql, id=tokens.read_access(old["access_token"]).session_id)

    assert outcome(change(old, email="new@example.com")) == (403, "recent_sign_in_required")
    assert change(recent, email="new@example.com").status == 200


def somebody_with_everything() -> Any:
    """A user with money, an answered and an unanswered question, a key and an order."""
    anna = register().data
    user_id = anna["user"]["id"]
    transaction(charging.prepare, user_id, user_id, today())
    transaction(wallets.book, user_id, "grant", 1000, key=f"grant:{user_id}")
    kept = new_id()
    turn = abandoned(
        user_id,
        AnswerChunk("text", "said"),
        price=PER_MESSAGE,
        conversation_id=kept,
        message_id=kept,
    )
    transaction(conclude, turn, Ending("what was said", "stop", Tokens(1, 1)))
    transaction(
        idempotency.claim, IdempotencyKey(user_id, "key", "hash", turn.message_id, now_ms())
    )
    order = Order(new_id(), user_id, "small", 990, 1000, "paid", new_id(), 1, 2, None)
    transaction(orders.add, order)
    return anna


def rows(table: str) -> list[dict[str, Any]]:
    sql = f"SELECT * FROM {table}"  # noqa: S608  # one of ours
    return read(lambda db: db.find_all(dict, sql))


@pytest.mark.usefixtures("database")
def test_a_deleted_account_leaves_its_money_and_nothing_that_was_said_or_who_it_was() -> None:
    anna, ben = somebody_with_everything(), register("ben").data
    user_id = anna["user"]["id"]
    change(anna, username="anna")
    ledger, bought = rows("ledger"), rows("orders")

    reply = delete(anna, password=PASSWORD)

    assert (reply.status, reply.data) == (200, {"id": user_id})
    [gone] = [row for row in rows("users") if row["id"] == user_id]
    erased_at_ms = gone["erased_at_ms"]
    assert erased_at_ms == pytest.approx(now_ms(), abs=10_000)
    assert gone == {
        "id": user_id,
        "email": None,
        "username": None,
        "password_hash": None,
        "role": "user",
        "created_at_ms": gone["created_at_ms"],
        "disabled_at_ms": erased_at_ms,
        "erased_at_ms": erased_at_ms,
        "drug_count": 0,
    }
    for table in ("conversations", "messages", "pieces", "idempotency_keys"):
        assert rows(table) == []
    assert {row["user_id"] for row in rows("sessions")} == {ben["user"]["id"]}
    assert len(rows("refresh_tokens")) == 1
    assert [turn["question"] for turn in rows("turns")] == [None]
    assert (rows("ledger"), rows("orders")) == (ledger, bought)
    assert books(user_id) == Wallet(900, 0, 2, 0)


@pytest.mark.usefixtures("database")
def test_after_the_deletion_nothing_opens_and_the_email_is_free() -> None:
    anna, other = register().data, log_in().data

    assert delete(anna, password=PASSWORD).status == 200

    for one in (anna, other):
        assert outcome(me(one)) == (401, "invalid_token")
        assert outcome(renew(one["refresh_token"])) == (401, "invalid_refresh_token")
        reply = invoke(credits, "GET", "/api/credits", token=one["access_token"])
        assert outcome(reply) == (401, "invalid_token")
    assert outcome(log_in()) == (401, "wrong_credentials")
    assert register().data["user"]["id"] != anna["user"]["id"]


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("body", [None, {}, {"password": "wrong"}, {"password": PASSWORD + " "}])
def test_without_the_password_nothing_is_deleted(body: object) -> None:
    anna = somebody_with_everything()
    before = [rows(table) for table in ("users", "sessions", "messages", "turns", "ledger")]

    assert outcome(ask("DELETE", "/api/account", anna, body)) == WRONG

    assert [rows(t) for t in ("users", "sessions", "messages", "turns", "ledger")] == before


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("text", ["it was said", ""])
def test_an_answer_still_being_given_is_charged_as_ever_and_not_kept(text: str) -> None:
    anna = somebody_with_everything()
    turn = abandoned(anna["user"]["id"], AnswerChunk("text", "it"), price=PER_MESSAGE)

    assert delete(anna, password=PASSWORD).status == 200
    transaction(answer_chunks.add, turn.message_id, 1, AnswerChunk("text", " was"))
    ended = transaction(conclude, turn, Ending(text, "stop", Tokens(1, 1)))

    assert ended is not None
    assert state_of(turn) == ("settled" if text else "released")
    assert books(anna["user"]["id"]) == Wallet(800 if text else 900, 0, 3 if text else 2, 0)
    assert (rows("messages"), rows("conversations")) == ([], [])
    maintenance(b"{}", Context())
    assert rows("pieces") == []


@pytest.mark.usefixtures("database")
def test_a_question_that_slips_in_while_the_account_goes_does_not_stay() -> None:
    anna = somebody_with_everything()
    user_id = anna["user"]["id"]
    assert delete(anna, password=PASSWORD).status == 200
    late = new_id()
    turn = abandoned(user_id, AnswerChunk("text", "late"), conversation_id=late, message_id=late)
    transaction(conclude, turn, Ending("late", "stop", Tokens(1, 1)))
    assert len(rows("messages")) == 2

    maintenance(b"{}", Context())

    for table in ("conversations", "messages", "pieces"):
        assert rows(table) == []
    assert {turn["question"] for turn in rows("turns")} == {None}


def test_a_running_answer_stops_and_ends_in_the_books(
    stored: WebFunction, sign_up: SignUp, fake: Upstream
) -> None:
    """The model sends two chunks, then nothing for longer than this test takes."""
    anna = sign_up()
    signed_in = {"access_token": anna.token}
    with open_stream(stored, "scenario: stall", token=anna.token):
        [turn] = eventually(lambda: open_turns_with_text(anna.id))
        assert delete(signed_in, password=PASSWORD).status == 200
        eventually(lambda: state_of(turn) != "open")

    assert (state_of(turn), books(anna.id).open_turns) == ("settled", 0)
    of_turn = turn.conversation_id or ""
    assert read(conversations.list_messages, of_turn, after=None, count=9) == []
    transaction(forget_content, anna.id)
    assert read(answer_chunks.list_from, turn.message_id, 0) == []


def open_turns_with_text(user_id: str) -> list[turns.Turn]:
    ids = read(
        lambda db: db.find_all(
            lambda message_id: str(message_id),
            "SELECT message_id FROM turns WHERE state = 'open' AND user_id = :id",
            id=user_id,
        )
    )
    return [read(turns.get, one) for one in ids if read(answer_chunks.list_from, one, 0)]


@pytest.mark.usefixtures("database")
def test_the_last_active_administrator_cannot_delete_themselves() -> None:
    root, disabled, user = register("root").data, register("off").data, register("user").data
    for one in (root, disabled):
        execute("UPDATE users SET role = 'admin' WHERE id = :id", id=one["user"]["id"])
    execute("UPDATE users SET disabled_at_ms = 1 WHERE id = :id", id=disabled["user"]["id"])

    assert outcome(delete(root, password=PASSWORD)) == (409, "last_administrator")
    assert me(root).status == 200
    execute("UPDATE users SET role = 'admin' WHERE id = :id", id=user["user"]["id"])
    assert delete(root, password=PASSWORD).status == 200
    assert outcome(delete(user, password=PASSWORD)) == (409, "last_administrator")


@pytest.mark.usefixtures("database")
def test_of_administrators_who_all_leave_at_once_one_stays() -> None:
    held = [register(f"root{number}").data for number in range(6)]
    execute("UPDATE users SET role = 'admin'")

    replies = together([partial(delete, one, password=PASSWORD) for one in held])

    told = sorted(outcome(reply) for reply in replies)
    assert told == [(200, "")] * 5 + [(409, "last_administrator")]
    assert count("SELECT COUNT(*) AS n FROM users WHERE role = 'admin'") == 1


@pytest.mark.usefixtures("database")
def test_deleting_asking_and_answering_at_once_adds_up() -> None:
    anna = somebody_with_everything()
    user_id = anna["user"]["id"]
    open_ones = [abandoned(user_id, price=PER_MESSAGE) for _ in range(4)]

    def end(turn: turns.Turn) -> object:
        return transaction(conclude, turn, Ending("said", "stop", Tokens(1, 1)))

    def leave_for_good() -> object:
        return delete(anna, password=PASSWORD).status

    def renew_meanwhile() -> object:
        return renew(anna["refresh_token"]).status

    told = together(
        [partial(end, turn) for turn in open_ones] + [leave_for_good, *[renew_meanwhile] * 3]
    )

    assert told[4] == 200
    assert all(told[:4])
    assert set(told[5:]) <= {200, 401}
    assert books(user_id) == Wallet(500, 0, 6, 0)
    for table in ("conversations", "messages", "sessions", "refresh_tokens"):
        assert rows(table) == []


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize(
    ("act", "told"),
    [
        (lambda anna: change(anna, email="new@example.com", current_password=PASSWORD), WRONG),
        (lambda anna: change_password(anna, current_password=PASSWORD, new_password=NEW), WRONG),
        (lambda anna: delete(anna, password=PASSWORD), (409, "conflict")),
    ],
    ids=["email", "password", "deletion"],
)
def test_a_password_that_changes_while_it_is_checked_confirms_nothing(
    act: Callable[[Any], Reply], told: tuple[int, str]
) -> None:
    anna = register().data
    changing = transactions.connect(2, 4)
    changing.begin()
    sql = "UPDATE users SET password_hash = :hash"
    changing.execute(sql, hash=hash_password("changed elsewhere"))
    with ThreadPoolExecutor(1) as pool:
        acting = pool.submit(act, anna)
        with pytest.raises(StillWaiting):
            acting.result(0.3)
        changing.commit()
        reply = acting.result()
        pool.submit(transactions.disconnect).result()
    changing.close()

    assert outcome(reply) == told
    assert me(anna).data["email"] == "anna@example.com"
    assert log_in(password="changed elsewhere").status == 200


@pytest.mark.usefixtures("database")
def test_who_became_an_administrator_meanwhile_is_not_deleted_as_a_user() -> None:
    anna = register().data
    found = read(users.find_by_login, "anna@example.com")
    assert found is not None
    execute("UPDATE users SET role = 'admin'")

    with pytest.raises(Conflict):
        transaction(erasure.erase, found)

    assert me(anna).status == 200


@pytest.mark.parametrize(
    ("url", "error"),
    [
        (None, "database_not_configured"),
        ("mysql://me:secret@127.0.0.1:1/shop", "database_unavailable"),
    ],
)
def test_without_a_database_it_is_503(configure: Configure, url: str | None, error: str) -> None:
    configure(DATABASE_URL=url)
    nobody = {"access_token": tokens.issue_access(tokens.Claims("anna", "session", "user"))}

    told = {
        outcome(me(nobody)),
        outcome(change(nobody, username="anna")),
        outcome(change_password(nobody, current_password="x", new_password="another horse")),
        outcome(ask("GET", "/api/account/export", nobody)),
        outcome(delete(nobody, password="x")),
    }

    assert told == {(503, error)}
