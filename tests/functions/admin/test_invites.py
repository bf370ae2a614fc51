"""Administrators create and deactivate invite codes."""

import re
from functools import partial
from typing import Any

import pytest

from shared.accounts.codes import new_code
from shared.database.transactions import read, transaction
from shared.repos import invites
from shared.times import iso_utc, now_ms
from tests.conftest import Configure
from tests.functions.admin.administering import ask, at_once, audited
from tests.functions.exports.exporting import csv_rows
from tests.functions.wallets import books
from tests.people import add_user, admin_token, register, token_of

TO_COME = iso_utc(now_ms() + 86_400_000)


def make(token: str, **batch: object) -> list[dict[str, Any]]:
    reply = ask(token, "POST", "invites", batch)
    assert reply.status == 201, reply.body
    return list(reply.data["invites"])


@pytest.mark.usefixtures("database")
def test_a_batch_is_codes_that_are_alike_and_differ() -> None:
    admin, owner = add_user("admin"), add_user()
    batch = {
        "count": 50,
        "max_uses": 3,
        "initial_fen": 500,
        "note": "学生",
        "expires_at": TO_COME,
        "owner_id": owner.id,
    }

    made = make(token_of(admin.id), **batch)

    assert len({invite["code"] for invite in made}) == 50
    assert made[0] == {
        "code": made[0]["code"],
        "owner_id": owner.id,
        "max_uses": 3,
        "used": 0,
        "initial_fen": 500,
        "note": "学生",
        "is_active": True,
        "expires_at": TO_COME,
        "created_by": admin.id,
        "created_at": made[0]["created_at"],
    }
    [(actor, action, detail)] = audited()
    assert (actor, action, detail["count"]) == (admin.id, "invites.create", 50)
    assert not any(invite["code"] in str(detail) for invite in made)


def test_a_code_can_be_read_aloud_and_not_be_guessed() -> None:
    codes = {new_code(groups=3) for _ in range(2000)}

    assert len(codes) == 2000
    assert all(re.fullmatch(r"([2-9A-HJKMNP-TV-Z]{4}-){2}[2-9A-HJKMNP-TV-Z]{4}", c) for c in codes)


@pytest.mark.usefixtures("database")
def test_a_code_opens_an_account_until_it_is_deactivated(configure: Configure) -> None:
    configure(ENABLE_INVITE_CODES="true")
    admin = add_user("admin")
    [invite] = make(token_of(admin.id), initial_fen=70, max_uses=9)
    opened = register("a", invite_code=invite["code"])

    gone = ask(token_of(admin.id), "DELETE", f"invites/{invite['code'].lower()}")

    assert (opened.status, books(opened.data["user"]["id"]).balance_fen) == (201, 70)
    assert gone.data == {**invite, "used": 1, "is_active": False}
    detail = {"code": invite["code"], "used": 1}
    assert audited("invite.deactivate") == [(admin.id, "invite.deactivate", detail)]
    late = register("b", invite_code=invite["code"])
    assert (late.status, late.error) == (422, "invite_code_invalid")


@pytest.mark.usefixtures("database")
def test_repeated_with_one_key_a_batch_is_made_once() -> None:
    token = admin_token()
    key = {"Idempotency-Key": "spring"}
    works = [partial(ask, token, "POST", "invites", {"count": 500}, headers=key) for _ in range(3)]

    replies = [*at_once(*works), works[0]()]

    assert [reply.status for reply in replies] == [201] * 4
    assert len({str(reply.data) for reply in replies}) == 1
    assert len(read(invites.list_newest, after=None, count=2000)) == 500


@pytest.mark.usefixtures("database")
def test_the_newest_come_first_a_page_at_a_time() -> None:
    token = admin_token()
    codes = {invite["code"] for invite in make(token, count=5)}
    [gone] = make(token)
    ask(token, "DELETE", f"invites/{gone['code']}")
    seen, query = list[str](), {"limit": "2", "active": "true"}
    while True:
        told = ask(token, "GET", "invites", query=query).data
        seen += [invite["code"] for invite in told["items"]]
        if told["next_cursor"] is None:
            break
        query["cursor"] = told["next_cursor"]

    assert (len(seen), set(seen)) == (5, codes)
    [only] = ask(token, "GET", "invites", query={"active": "false"}).data["items"]
    assert only["code"] == gone["code"]
    assert len(ask(token, "GET", "invites").data["items"]) == 6


@pytest.mark.usefixtures("database")
def test_the_file_of_a_period_is_safe_to_open() -> None:
    admin = add_user("admin")
    token = token_of(admin.id)
    [first] = make(token, note="=1+1", initial_fen=5)
    transaction(lambda db: db.execute("UPDATE invites SET created_at_ms = 1795305600000"))
    make(token, count=3)

    reply = ask(token, "GET", "invites/export", query={"from": "2026-11-22", "to": "2026-11-23"})

    assert reply.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert reply.headers["Content-Disposition"].startswith('inline; filename="invites-')
    cells = {
        **first,
        "note": "'=1+1",
        "is_active": "true",
        "created_at": "2026-11-22T00:00:00.000Z",
    }
    assert csv_rows(reply.body) == [
        list(first),
        ["" if cell is None else str(cell) for cell in cells.values()],
    ]
    detail = {"from": "2026-11-21T16:00:00Z", "to": "2026-11-22T16:00:00Z", "rows": 1}
    assert audited("invites.export") == [(admin.id, "invites.export", detail)]
    assert len(csv_rows(ask(token, "GET", "invites/export").body)) == 5


@pytest.mark.usefixtures("database")
def test_asking_for_the_head_of_the_file_takes_nothing_away() -> None:
    reply = ask(admin_token(), "HEAD", "invites/export")

    assert (reply.status, reply.body, audited("invites.export")) == (200, b"", [])


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize(
    ("batch", "field"),
    [
        ({"count": 0}, "body.count"),
        ({"count": 501}, "body.count"),
        ({"max_uses": 0}, "body.max_uses"),
        ({"initial_fen": -1}, "body.initial_fen"),
        ({"initial_fen": 1.5}, "body.initial_fen"),
        ({"expires_at": "2020-01-01"}, "body.expires_at"),
        ({"expires_at": 1795305600}, "body.expires_at"),
        ({"note": "a" * 201}, "body.note"),
    ],
)
def test_what_makes_no_codes_is_refused(batch: dict[str, Any], field: str) -> None:
    reply = ask(admin_token(), "POST", "invites", batch)

    assert (reply.status, reply.error) == (422, "invalid_request")
    assert [detail["field"] for detail in reply.json["details"]] == [field]


@pytest.mark.usefixtures("database")
def test_only_the_fields_that_may_be_set_are_taken() -> None:
    token = admin_token()
    forbidden = {"code": "CHOSEN", "used": -5, "is_active": False, "created_by": "x", "id": "x"}

    reply = ask(token, "POST", "invites", {"note": "fair", **forbidden})

    fields = [detail["field"] for detail in reply.json["details"]]
    assert (reply.status, fields) == (422, [f"body.{name}" for name in forbidden])
    assert ask(token, "GET", "invites").data["items"] == []


@pytest.mark.usefixtures("database")
def test_codes_and_owners_that_are_nobodys_are_not_found() -> None:
    token = admin_token()
    [invite] = make(token)

    told = [
        ask(token, "DELETE", "invites/NOBODYS"),
        ask(token, "DELETE", f"invites/{invite['code']} "),
        ask(token, "POST", "invites", {"owner_id": "nobody"}),
    ]

    assert [(reply.status, reply.error) for reply in told] == [(404, "not_found")] * 3
    assert read(invites.get, invite["code"]).is_active
    assert len(audited()) == 1
