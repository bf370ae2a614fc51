"""Export of the user's own data: complete, without data of others, and within limits."""

import io
import json
import time
import zipfile
from typing import Any

import pytest

from functions.account.index import handler as account
from functions.drugs.index import handler as drugs
from shared.accounts import tokens
from shared.accounts.passwords import hash_password
from shared.answers.conclusion import conclude
from shared.answers.ending import Ending
from shared.database.transactions import transaction
from shared.ids import new_id
from shared.money import charging
from shared.pricing import Tokens
from shared.repos import conversations, invites, locations, media, orders, wallets
from shared.repos.answer_chunks import AnswerChunk
from shared.repos.conversations import Message
from shared.repos.invites import Invite
from shared.repos.locations import Location
from shared.repos.media import Media
from shared.repos.orders import Order
from shared.times import iso_utc, now_ms
from tests.conftest import Configure
from tests.events import Reply, invoke
from tests.functions.accounts.devices import count, leave, outcome, renew
from tests.functions.exports.exporting import csv_rows
from tests.functions.wallets import PER_MESSAGE, abandoned, today
from tests.people import log_in, register

TABLES = [
    "profile",
    "sessions",
    "conversations",
    "messages",
    "media",
    "usage",
    "transactions",
    "orders",
    "invites",
    "locations",
    "drugs",
]
AI_LABEL = "AI生成 (AI-generated)"


def ask(signed_in: Any, method: str = "GET", **query: str) -> Reply:
    token = signed_in["access_token"]
    return invoke(account, method, "/api/account/export", token=token, query=query)


def with_everything(name: str, said: str = "Because.") -> tuple[Any, str, Order]:
    """A user with a row in each dataset; returns the session, the answer's id and the order."""
    signed_in = register(name, device=f"{name}'s phone").data
    user_id, message_id = signed_in["user"]["id"], new_id()
    transaction(charging.prepare, user_id, user_id, today())
    transaction(wallets.book, user_id, "grant", 1000, key=f"grant:{user_id}", reason=f"for {name}")
    turn = abandoned(
        user_id,
        AnswerChunk("text", said),
        price=PER_MESSAGE,
        conversation_id=message_id,
        message_id=message_id,
        question=f"Why, {name}?",
    )
    transaction(conclude, turn, Ending(said, "stop", Tokens(3, 2)))
    order = Order(f"{name}-order", user_id, "small", 990, 1000, "paid", None, 1_000, 2_000, None)
    transaction(orders.add, order)
    file = (f"media/{name}", f"{name}.png", "image/png", 9, "7", 1_000)
    transaction(media.add, Media(new_id(), new_id(), user_id, *file))
    code = Invite(f"{name}-CODE", user_id, 3, 1, 500, "a note", True, None, user_id, 1_000)
    transaction(invites.add, code)
    place = Location(f"{name}-place", user_id, 39.9, 116.4, "gcj02", None, 1_000, 2_000)
    transaction(locations.add, place)
    medicine = {"name": f"{name}'s aspirin", "expires_on": "2027-03-31"}
    token = signed_in["access_token"]
    assert invoke(drugs, "POST", "/api/drugs", token=token, json_body=medicine).status == 201
    return signed_in, message_id, order


@pytest.mark.usefixtures("database")
def test_a_copy_holds_a_row_of_everything_that_is_ones_own() -> None:
    anna, message_id, _ = with_everything("anna")
    with_everything("ben")
    leave(log_in(device="old phone").data["access_token"])

    reply = ask(anna)

    assert reply.status == 200
    assert reply.headers["Content-Type"] == "application/json; charset=utf-8"
    day = iso_utc(now_ms())[:10].replace("-", "")
    assert reply.headers["Content-Disposition"] == f'inline; filename="my-data-{day}.json"'
    copy = reply.json
    assert list(copy) == ["exported_at", "AIGC", *TABLES]
    assert json.loads(reply.headers["X-Aigc"]) == {"AIGC": copy["AIGC"]}
    assert copy["AIGC"]["Label"] == "1"
    assert copy["profile"] == [anna["user"]]
    assert [(one["device"], one["ended_at"] is None) for one in copy["sessions"]] == [
        ("anna's phone", True),
        ("old phone", False),
    ]
    assert [(one["id"], one["title"]) for one in copy["conversations"]] == [
        (message_id, "Why, anna?")
    ]
    asked, answered = copy["messages"]
    assert (asked["role"], asked["content"], asked["ai_generated"], asked["ai_label"]) == (
        "user",
        "Why, anna?",
        False,
        None,
    )
    assert answered == {
        "id": message_id,
        "conversation_id": message_id,
        "created_at": answered["created_at"],
        "role": "assistant",
        "ai_generated": True,
        "ai_label": AI_LABEL,
        "content": "Because.",
        "model": "demo",
        "finish_reason": "stop",
        "prompt_tokens": 3,
        "completion_tokens": 2,
        "media_ids": None,
    }
    [file] = copy["media"]
    assert file == {
        "id": file["id"],
        "created_at": "1970-01-01T00:00:01.000Z",
        "filename": "anna.png",
        "content_type": "image/png",
        "size": 9,
        "purpose": None,
        "crc64": "7",
    }
    [used] = copy["usage"]
    assert (used["question"], used["state"], used["charged_fen"]) == (None, "settled", 100)
    assert json.loads(used["receipt"])["reserved_fen"] == 100
    assert [(one["kind"], one["amount_fen"], one["reason"]) for one in copy["transactions"]] == [
        ("grant", 1000, "for anna"),
        ("charge", -100, ""),
    ]
    assert copy["orders"] == [
        {
            "number": "anna-order",
            "package_id": "small",
            "amount_fen": 990,
            "credit_fen": 1000,
            "status": "paid",
            "transaction_id": None,
            "created_at": "1970-01-01T00:00:01.000Z",
            "paid_at": "1970-01-01T00:00:02.000Z",
            "refunded_at": None,
        }
    ]
    assert [(one["code"], one["used"]) for one in copy["invites"]] == [("anna-CODE", 1)]
    assert [(one["id"], one["latitude"]) for one in copy["locations"]] == [("anna-place", 39.9)]
    [medicine] = copy["drugs"]
    assert (medicine["name"], medicine["expires_on"]) == ("anna's aspirin", "2027-03-31")
    assert (medicine["ai_generated"], medicine["ai_label"]) == (False, None)


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("kind", ["json", "zip"])
def test_nothing_of_anybody_else_and_no_secret_is_in_it(kind: str) -> None:
    ben, message_id, _ = with_everything("ben", said="only for ben")
    anna = register().data
    transaction(lambda db: db.execute("UPDATE users SET password_hash = 'canary-of-a-hash'"))

    body = ask(anna, format=kind).body

    texts = [body] if kind == "json" else unpacked(body).values()
    everything = b"\n".join(texts).decode()
    assert "anna@example.com" in everything
    secrets = [ben["user"]["id"], "ben", message_id, "canary", anna["refresh_token"]]
    hashed = tokens.refresh_hash(anna["refresh_token"])
    assert [text for text in (*secrets, hashed) if text in everything] == []


def unpacked(body: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.mark.usefixtures("database")
def test_a_zip_holds_a_table_for_each_kind_that_a_spreadsheet_opens_without_harm() -> None:
    anna, *_ = with_everything("anna", said='=HYPERLINK("http://evil")')

    reply = ask(anna, format="zip")

    assert (reply.status, reply.headers["Content-Type"]) == (200, "application/zip")
    assert reply.headers["Content-Disposition"].endswith('.zip"')
    files = unpacked(reply.body)
    assert list(files) == [f"{name}.csv" for name in TABLES]
    document = ask(anna).json
    for name in TABLES:
        heading, *rows = csv_rows(files[f"{name}.csv"])
        assert heading == list(document[name][0])
        assert [row[0] for row in rows] == [next(iter(one.values())) for one in document[name]]
    said = csv_rows(files["messages.csv"])
    content = said[0].index("content")
    assert [row[content] for row in said[1:]] == ["Why, anna?", '\'=HYPERLINK("http://evil")']
    with zipfile.ZipFile(io.BytesIO(reply.body)) as archive:
        assert json.loads(archive.comment)["AIGC"]["Label"] == "1"
        assert {entry.date_time[0] for entry in archive.infolist()} == {time.gmtime().tm_year}


@pytest.mark.usefixtures("database")
def test_an_account_with_nothing_in_it_has_a_copy_too() -> None:
    anna = register().data

    copy = ask(anna).json

    assert {name: len(copy[name]) for name in TABLES} == {
        **dict.fromkeys(TABLES, 0),
        "profile": 1,
        "sessions": 1,
    }
    assert list(unpacked(ask(anna, format="zip").body)) == [f"{name}.csv" for name in TABLES]


@pytest.mark.usefixtures("database")
def test_what_no_answer_can_carry_is_refused_and_packed_it_may_still_fit(
    configure: Configure,
) -> None:
    anna, message_id, _ = with_everything("anna")
    configure(EXPORT_INLINE_BYTES="6000")
    assert ask(anna).status == 200
    say(message_id, "x" * 10_000)

    assert outcome(ask(anna)) == (413, "copy_too_large")
    packed = ask(anna, format="zip")
    assert packed.status == 200
    say(message_id, "".join(hash_password(str(number)) for number in range(150)))
    assert outcome(ask(anna, format="zip")) == (413, "copy_too_large")
    assert renew(anna["refresh_token"]).status == 200


def say(conversation_id: str, content: str) -> None:
    message = Message(new_id(), conversation_id, "user", content, now_ms())
    transaction(conversations.append, message)


@pytest.mark.usefixtures("database")
def test_a_copy_of_much_takes_no_more_memory_than_it_is_long() -> None:
    """Twelve megabytes in 3,000 rows, read and packed a batch at a time."""
    import tracemalloc

    anna, message_id, _ = with_everything("anna")
    transaction(_say_much, message_id, 3_000, "x" * 4_000)
    ask(anna, format="zip")

    tracemalloc.start()
    body = ask(anna, format="zip").body
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert len(unpacked(body)["messages.csv"]) > 12_000_000
    assert most < 4_000_000


def _say_much(db: Any, conversation_id: str, rows: int, content: str) -> None:
    """Insert many messages with one statement."""
    digits = " UNION ALL ".join(f"SELECT {digit} AS n" for digit in range(10))
    number = "a.n + 10 * b.n + 100 * c.n + 1000 * d.n"
    if "sqlite" in type(db._dialect).__module__:
        made = f"printf('m%06d', {number})"
    else:
        made = f"CONCAT('m', LPAD({number}, 6, '0'))"
    tables = ", ".join(f"({digits}) AS {name}" for name in "abcd")
    db.execute(
        f"""
        INSERT INTO messages (id, conversation_id, role, content, created_at_ms)
        SELECT {made}, :conversation_id, 'user', :content, 1000 + {number}
        FROM {tables}
        WHERE {number} < :rows
        """,  # noqa: S608  # all of it made here
        conversation_id=conversation_id,
        content=content,
        rows=rows,
    )


@pytest.mark.usefixtures("database")
def test_a_format_nobody_offers_is_named_and_head_has_no_body() -> None:
    anna = register().data

    refused, head = ask(anna, format="pdf"), ask(anna, method="HEAD")

    assert (refused.status, refused.json["details"][0]["field"]) == (422, "query.format")
    assert (head.status, head.body) == (200, b"")
    assert count("SELECT COUNT(*) AS n FROM sessions") == 1
    leave(anna["access_token"])
    assert outcome(ask(anna)) == (401, "invalid_token")
