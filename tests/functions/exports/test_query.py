"""Export: rows selected by a query, and invalid queries."""

from dataclasses import replace

import pytest

from tests.functions.exports.exporting import (
    ROOT,
    add_messages,
    add_rows,
    admin_token,
    ask,
    audit_entries,
    json_lines,
    message,
)
from tests.people import NOON_MS

# Midnights in Shanghai: noon in UTC is 20:00 there.
MIDNIGHT_MS, NEXT_MIDNIGHT_MS = NOON_MS - 72_000_000, NOON_MS + 14_400_000
DATASETS = [
    *("users", "conversations", "messages", "media"),
    *("orders", "transactions", "usage", "audit", "locations", "drugs"),
]


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize(
    ("query", "numbers"),
    [
        ({}, [0, 1, 2, 3]),
        ({"from_": "", "to": "", "format": "", "delivery": ""}, [0, 1, 2, 3]),
        ({"from_": "2026-11-22"}, [1, 2, 3]),
        ({"to": "2026-11-22"}, [0]),
        ({"from_": "2026-11-22", "to": "2026-11-23"}, [1, 2]),
        ({"from_": "2026-11-22T00:00:00.001"}, [2, 3]),
        ({"from_": "2026-11-22 00:00", "to": "2026-11-22T23:59:59.999"}, [1]),
        ({"from_": "2026-11-22T16:00:00Z"}, [3]),
        ({"from_": "2026-11-23T00:00:00+08:00"}, [3]),
        ({"from_": "2026-11-23T00:00:00 08:00"}, [3]),
        ({"from_": "2026-11-23T00:00:00+0800", "to": "2026-11-22t16:00:00z"}, []),
        ({"to": "2026-11-21T08:00:00-0800"}, [0]),
    ],
)
def test_a_period_includes_its_start_and_not_its_end(
    query: dict[str, str], numbers: list[int]
) -> None:
    token = admin_token()
    add_rows(at=[MIDNIGHT_MS - 1, MIDNIGHT_MS, NEXT_MIDNIGHT_MS - 1, NEXT_MIDNIGHT_MS])
    reply = ask(token, dataset="conversations", **{**query, "format": "ndjson"})
    assert [row["id"] for row in json_lines(reply.body)] == [f"c{n:03}" for n in numbers]


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("dataset", DATASETS)
def test_every_dataset_keeps_to_the_period(dataset: str) -> None:
    token = admin_token()
    add_rows(at=[MIDNIGHT_MS - 1, MIDNIGHT_MS, NOON_MS + 1, NEXT_MIDNIGHT_MS])
    reply = ask(token, dataset=dataset, format="ndjson", from_="2026-11-22", to="2026-11-23")
    ids = [id for id, *_ in (row.values() for row in json_lines(reply.body)) if id != ROOT.id]
    assert ids == [f"{dataset[0]}001", f"{dataset[0]}002"]


@pytest.mark.usefixtures("database")
def test_rows_of_one_moment_come_in_the_order_of_their_ids() -> None:
    token = admin_token()
    add_messages(*(replace(message(n, "x"), created_at_ms=NOON_MS) for n in (2, 3, 1)))
    rows = json_lines(ask(token, dataset="messages", format="ndjson").body)
    assert [row["id"] for row in rows] == ["m0001", "m0002", "m0003"]


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize(
    ("query", "field", "problem"),
    [
        ({"dataset": ""}, "query.dataset", "is required"),
        ({"dataset": "pets"}, "query.dataset", f"must be one of {', '.join(DATASETS)}"),
        ({"dataset": "users,users"}, "query.dataset", f"must be one of {', '.join(DATASETS)}"),
        ({"format": "pdf"}, "query.format", "must be one of csv, ndjson, xlsx"),
        (
            {"from_": "yesterday"},
            "query.from",
            "must be like 2026-11-22 or 2026-11-22T08:00:00+08:00",
        ),
        ({"to": "2026"}, "query.to", "must be like 2026-11-22 or 2026-11-22T08:00:00+08:00"),
        ({"from_": "2026-11-23", "to": "2026-11-22"}, "query", "from must not be after to"),
        (
            {"delivery": "link"},
            "query.delivery",
            "link needs object storage, which this deployment does not have",
        ),
        ({"delivery": "mail"}, "query.delivery", "must be one of inline, link"),
    ],
)
def test_a_query_nobody_can_answer_is_explained(
    query: dict[str, str], field: str, problem: str
) -> None:
    token = admin_token()
    reply = ask(token, **{"dataset": "users", **query})
    assert (reply.status, reply.error) == (422, "invalid_request")
    assert reply.json["details"] == [{"field": field, "problem": problem}]
    assert audit_entries() == []


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize(
    "moment",
    [
        "2026-02-30",
        "2026-11-22T25:00:00Z",
        "2026-11-22T08:00:00+99:99",
        "0000-01-01",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-14:00",
    ],
)
def test_a_moment_that_does_not_exist_is_refused(moment: str) -> None:
    reply = ask(admin_token(), dataset="users", from_=moment)
    assert reply.status == 422
    assert [detail["field"] for detail in reply.json["details"]] == ["query.from"]


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("moment", ["0001-01-02", "9999-12-31T23:59:59.999999Z"])
def test_the_ends_of_the_calendar_are_moments_too(moment: str) -> None:
    assert ask(admin_token(), dataset="users", from_=moment).status == 200


@pytest.mark.usefixtures("database")
def test_an_export_takes_no_columns_and_no_limit() -> None:
    reply = ask(admin_token(), dataset="users", fields="password_hash", limit="1")
    assert reply.status == 422
    fields = [detail["field"] for detail in reply.json["details"]]
    assert fields == ["query.fields", "query.limit"]
