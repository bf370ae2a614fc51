"""The list of medicines: what is stored, found, changed and refused."""

import json
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from typing import Any

import pytest

from functions.account.index import handler as account
from functions.drugs.index import handler
from functions.drugs.logic import MOST_DRUGS
from shared.database.transactions import read, transaction
from shared.repos import media
from shared.times import now_ms, shanghai_day
from tests.events import Reply, invoke
from tests.media_files import add_media
from tests.people import PASSWORD, new_person

pytestmark = pytest.mark.usefixtures("database")

ASPIRIN = {
    "name": "阿司匹林肠溶片",
    "generic_name": "Aspirin",
    "approval_number": "国药准字Ｈ２００ １２３４５",
    "manufacturer": "拜耳（Bayer）",
    "specification": "100mg×30片",
    "batch_number": "BJ1234",
    "produced_on": "2025-04-01",
    "expires_on": "2027-03-31",
    "dosage": "一次1片\n一日1次",
    "storage": "密封，25℃以下",
    "warnings": "孕妇慎用",
}


def ask(method: str, path: str = "", *, token: str, body: object = None, **more: Any) -> Reply:
    return invoke(handler, method, f"/api/drugs{path}", token=token, json_body=body, **more)


def add(token: str, **fields: object) -> Any:
    reply = ask("POST", token=token, body={"name": "Aspirin", **fields})
    assert reply.status == 201, reply.body
    return reply.data


def in_days(days: int) -> str:
    return (date.fromisoformat(shanghai_day(now_ms())) + timedelta(days)).isoformat()


def names(token: str, **query: str) -> list[str]:
    return [one["name"] for one in ask("GET", token=token, query=query).data["items"]]


def problems(reply: Reply) -> dict[str, str]:
    assert (reply.status, reply.error) == (422, "invalid_request"), reply.body
    return {one["field"]: one["problem"] for one in reply.json["details"]}


def test_a_medicine_is_stored_as_it_was_confirmed_and_read_with_its_etag() -> None:
    token = new_person().token
    made = ask("POST", token=token, body=ASPIRIN)
    assert made.status == 201
    drug = made.data
    assert drug == {
        **ASPIRIN,
        "approval_number": "国药准字H20012345",
        "id": drug["id"],
        "days_left": (date(2027, 3, 31) - date.fromisoformat(in_days(0))).days,
        "expiry_level": drug["expiry_level"],
        "media_ids": [],
        "ai_generated": False,
        "version": 1,
        "created_at": drug["created_at"],
        "updated_at": drug["created_at"],
        "notice": drug["notice"],
    }
    got = ask("GET", f"/{drug['id']}", token=token)
    assert (got.status, got.data, got.headers["ETag"]) == (200, drug, '"1"')


def test_the_notice_is_in_the_language_of_the_request() -> None:
    token = new_person().token
    add(token)
    english, chinese = (ask("GET", token=token, query={"lang": lang}).data for lang in ("en", "zh"))
    assert "no medical advice" in english["notice"]
    assert "不构成医疗建议" in chinese["notice"]
    assert english["ai_generated"] is False


@pytest.mark.parametrize(
    ("days", "level"),
    [
        (-1, "expired"),
        (0, "soon"),
        (30, "soon"),
        (31, "near"),
        (90, "near"),
        (91, "ok"),
        (None, "unknown"),
    ],
)
def test_the_level_follows_from_the_days_that_are_left(days: int | None, level: str) -> None:
    drug = add(new_person().token, expires_on=None if days is None else in_days(days))
    assert (drug["days_left"], drug["expiry_level"]) == (days, level)


def test_what_expires_next_is_first_and_an_unknown_expiry_is_last() -> None:
    token = new_person().token
    for name, days in (("C", 200), ("unknown", None), ("A", -5), ("B", 20)):
        add(token, name=name, expires_on=None if days is None else in_days(days))
    assert names(token) == ["A", "B", "C", "unknown"]
    assert names(token, sort="created_at") == ["B", "A", "unknown", "C"]
    assert names(token, expiring_within_days="20") == ["A", "B"]
    assert names(token, expiring_within_days="19") == ["A"]
    assert names(token, expiring_within_days="36500") == ["A", "B", "C"]


@pytest.mark.parametrize("sort", ["expires_on", "created_at"])
def test_the_pages_together_are_the_list(sort: str) -> None:
    token = new_person().token
    made = {add(token, expires_on=in_days(n // 3) if n % 5 else None)["id"] for n in range(11)}

    found = list(pages(token, sort))

    assert [len(page) for page in found] == [4, 4, 3]
    assert {one for page in found for one in page} == made


def pages(token: str, sort: str) -> Iterator[list[str]]:
    query: Mapping[str, str] = {"limit": "4", "sort": sort}
    while True:
        data = ask("GET", token=token, query=query).data
        yield [one["id"] for one in data["items"]]
        if data["next_cursor"] is None:
            return
        query = {**query, "cursor": data["next_cursor"]}


def test_a_search_finds_parts_of_names_makers_and_numbers_but_no_wildcards() -> None:
    token = new_person().token
    ask("POST", token=token, body=ASPIRIN)
    add(token, name="100%_!", dosage="aspirin")
    for text in ("司匹林", "ASPI", "ａｓｐｉ", "bayer", "h2001", "国药准字H20012345"):
        assert names(token, q=text) == [ASPIRIN["name"]], text
    for text in ("100%", "_!", "%_"):
        assert names(token, q=text) == ["100%_!"], text
    for text in ("a%n", "密封", "BJ1234", "阿_匹林"):
        assert names(token, q=text) == [], text


def test_all_fields_are_replaced_by_whoever_has_read_the_latest_version() -> None:
    token = new_person().token
    drug = ask("POST", token=token, body=ASPIRIN).data
    path, body = f"/{drug['id']}", {"name": "Ibuprofen"}

    changed = ask("PUT", path, token=token, body=body, headers={"If-Match": '"1"'})
    stale = ask("PUT", path, token=token, body={**body, "version": 1})
    again = ask("PUT", path, token=token, body={"name": "布洛芬", "version": 2})

    assert (changed.status, changed.headers["ETag"]) == (200, '"2"')
    assert (changed.data["name"], changed.data["dosage"]) == ("Ibuprofen", None)
    assert (changed.data["expiry_level"], changed.data["days_left"]) == ("unknown", None)
    assert (stale.status, stale.error) == (409, "changed_meanwhile")
    assert (again.status, again.data["version"]) == (200, 3)
    assert names(token, q="ibu") == []
    assert names(token, q="布洛芬") == ["布洛芬"]


@pytest.mark.parametrize(
    ("header", "version"), [("", None), ('"2"', 1), ("2", None), ('W/"1"', 1), ("*", None)]
)
def test_a_change_without_one_version_is_refused(header: str, version: int | None) -> None:
    token = new_person().token
    drug_id = add(token)["id"]
    body = {"name": "Ibuprofen", **({"version": version} if version else {})}
    headers = {"If-Match": header} if header else {}
    reply = ask("PUT", f"/{drug_id}", token=token, body=body, headers=headers)
    assert problems(reply).keys() <= {"body.version", "header.if-match"}


def test_of_changes_at_once_one_wins() -> None:
    token = new_person().token
    drug_id = add(token)["id"]

    def change(number: int) -> int:
        body = {"name": f"name {number}", "version": 1}
        return ask("PUT", f"/{drug_id}", token=token, body=body).status

    with ThreadPoolExecutor(8) as threads:
        statuses = sorted(threads.map(change, range(8)))

    assert statuses == [200] + [409] * 7
    assert ask("GET", f"/{drug_id}", token=token).data["version"] == 2


def test_a_deleted_medicine_is_gone() -> None:
    token = new_person().token
    drug_id = add(token)["id"]
    assert ask("DELETE", f"/{drug_id}", token=token).data == {"id": drug_id}
    body = {"name": "Aspirin", "version": 1}
    for method, given in (("GET", None), ("PUT", body), ("DELETE", None)):
        assert ask(method, f"/{drug_id}", token=token, body=given).status == 404
    assert names(token) == []


def test_a_repeated_request_adds_one_medicine() -> None:
    token = new_person().token
    key = {"Idempotency-Key": "once"}
    first, again = (ask("POST", token=token, body=ASPIRIN, headers=key) for _ in range(2))
    other = ask("POST", token=token, body={"name": "another"}, headers=key)
    assert (again.status, again.data) == (201, first.data)
    assert (other.status, other.error) == (422, "idempotency_mismatch")
    assert len(names(token)) == 1


def test_of_requests_at_once_no_more_are_added_than_the_list_may_have() -> None:
    person = new_person()
    nearly = "UPDATE users SET drug_count = :count WHERE id = :id"
    transaction(lambda db: db.execute(nearly, count=MOST_DRUGS - 3, id=person.id))

    def post(_: int) -> tuple[int, str]:
        reply = ask("POST", token=person.token, body={"name": "Aspirin"})
        return reply.status, reply.json.get("error", "")

    with ThreadPoolExecutor(8) as threads:
        statuses = sorted(threads.map(post, range(8)))

    assert statuses == [(201, "")] * 3 + [(409, "list_full")] * 5
    [drug_id, *_] = [one["id"] for one in ask("GET", token=person.token).data["items"]]
    ask("DELETE", f"/{drug_id}", token=person.token)
    assert post(0) == (201, "")
    assert post(0) == (409, "list_full")


def test_a_medicine_whose_picture_was_deleted_is_changed_as_it_was_read() -> None:
    owner, stranger = new_person(), new_person("stranger")
    picture, kept = add_media(owner.id), add_media(owner.id)
    stored = add(owner.token, media_ids=[picture.id, kept.id])
    transaction(media.remove, picture)
    path, named = f"/{stored['id']}", {"name": "Aspirin", "media_ids": stored["media_ids"]}
    changed = ask("PUT", path, token=owner.token, body={**named, "version": 1})
    assert (changed.status, changed.data["media_ids"]) == (200, [picture.id, kept.id])

    others = {"name": "Aspirin", "media_ids": [add_media(stranger.id).id], "version": 2}
    assert ask("PUT", path, token=owner.token, body=others).status == 404
    dropped = {"name": "Aspirin", "media_ids": [kept.id], "version": 2}
    assert ask("PUT", path, token=owner.token, body=dropped).status == 200
    again = ask("PUT", path, token=owner.token, body={**named, "version": 3})
    assert again.status == 404


def test_a_deleted_account_leaves_no_medicine() -> None:
    person = new_person()
    add(person.token)
    path = "/api/account"
    gone = invoke(account, "DELETE", path, token=person.token, json_body={"password": PASSWORD})
    assert gone.status == 200
    assert read(lambda db: db.find_all(dict, "SELECT id FROM drugs")) == []
    assert ask("POST", token=person.token, body=ASPIRIN).status == 401


def test_nothing_is_given_without_an_account() -> None:
    assert ask("GET", token="").status == 401
    anna, ben = new_person().token, new_person().token
    drug_id = add(anna)["id"]
    assert ask("GET", f"/{drug_id}", token=ben).status == 404
    assert names(ben) == []
    assert json.dumps(names(anna)) == '["Aspirin"]'
