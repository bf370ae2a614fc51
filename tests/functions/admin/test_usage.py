"""Usage report: turns, tokens and charges by day, model, user and upstream."""

import math
import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from functions.admin import usage as functions_usage
from shared.database.connection import Connection
from shared.database.transactions import transaction
from shared.ids import new_id
from shared.times import shanghai_day
from tests.functions.admin.administering import ask
from tests.people import NOON_MS, add_user, admin_token

pytestmark = pytest.mark.usefixtures("database")

DAY_MS = 86_400_000
WEEK = {"from": "2026-11-19", "to": "2026-11-26"}


@dataclass(frozen=True)
class Asked:
    """An ended turn, with the upstream call that answered, if any, and a failed one before it."""

    user_id: str | None
    model: str = "m"
    upstream: str = "a"
    state: str = "settled"
    at_ms: int = NOON_MS
    total_ms: int = 1000
    first_ms: int = 100
    prompt: int = 10
    cached: int = 4
    completion: int = 20
    charged_fen: int = 0
    cost_ufen: int | None = None
    failed_before: str = ""

    @property
    def day(self) -> str:
        return shanghai_day(self.at_ms)

    @property
    def is_answered(self) -> bool:
        return self.state == "settled"


def add(*asked: Asked) -> None:
    transaction(_add, asked)


def _add(db: Connection, asked: Sequence[Asked]) -> None:
    for one in asked:
        message_id = new_id()
        _add_turn(db, message_id, one)
        number = 1
        if one.failed_before:
            _add_attempt(db, message_id, 1, one, one.failed_before, "upstream_busy", spoke=False)
            number = 2
        outcome = "ok" if one.is_answered else "upstream_error"
        _add_attempt(db, message_id, number, one, one.upstream, outcome, spoke=one.is_answered)


def _add_turn(db: Connection, message_id: str, one: Asked) -> None:
    db.execute(
        """
        INSERT INTO turns
            (message_id, subject, user_id, model, payment, day, daily_limit, reserved_fen, price,
             prompt_tokens, state, stop_requested, lease_until_ms, created_at_ms, ended_at_ms,
             counted_prompt_tokens, cached_tokens, completion_tokens, charged_fen)
        VALUES
            (:message_id, :subject, :user_id, :model, 'free', :day, 0, 0, '', 1, :state, 0, 0,
             :at_ms, :ended_at_ms, :prompt, :cached, :completion, :charged_fen)
        """,
        message_id=message_id,
        subject=one.user_id or "guest",
        user_id=one.user_id,
        model=one.model,
        day=one.day,
        state=one.state,
        at_ms=one.at_ms,
        ended_at_ms=None if one.state == "open" else one.at_ms + one.total_ms,
        prompt=one.prompt,
        cached=one.cached,
        completion=one.completion,
        charged_fen=one.charged_fen,
    )


def _add_attempt(
    db: Connection,
    message_id: str,
    number: int,
    one: Asked,
    upstream: str,
    outcome: str,
    *,
    spoke: bool,
) -> None:
    db.execute(
        """
        INSERT INTO upstream_attempts
            (message_id, attempt, upstream, model, outcome, first_token_ms, duration_ms, cost_ufen,
             at_ms)
        VALUES
            (:message_id, :number, :upstream, :model, :outcome, :first_ms, :total_ms, :cost_ufen,
             :at_ms)
        """,
        message_id=message_id,
        number=number,
        upstream=upstream,
        model=one.model,
        outcome=outcome,
        first_ms=one.first_ms if spoke else None,
        total_ms=one.total_ms,
        cost_ufen=one.cost_ufen if spoke else None,
        at_ms=one.at_ms,
    )


def usage(token: str, **query: str) -> Any:
    reply = ask(token, "GET", "usage", query={**WEEK, **query})
    assert reply.status == 200, reply.body
    return reply.data


def rows(token: str, group: str, **query: str) -> dict[str | None, Any]:
    return {row.pop("key"): row for row in usage(token, group=group, **query)["rows"]}


def nearest_rank(values: Iterable[int]) -> dict[str, int | None]:
    ordered = sorted(values)
    ranks = {f"p{p}": math.ceil(len(ordered) * p / 100) for p in (50, 95, 99)}
    return {name: ordered[rank - 1] if ordered else None for name, rank in ranks.items()}


def expected(asked: Sequence[Asked]) -> dict[str, Any]:
    """The expected report, computed by this test."""
    answered = [one for one in asked if one.is_answered]
    costs = [one.cost_ufen for one in answered if one.cost_ufen is not None]
    return {
        "requests": len(asked),
        "success_rate": round(len(answered) / len(asked), 4),
        "prompt_tokens": sum(one.prompt for one in asked),
        "cached_tokens": sum(one.cached for one in asked),
        "completion_tokens": sum(one.completion for one in asked),
        "first_token_ms": nearest_rank(one.first_ms for one in answered),
        "latency_ms": nearest_rank(one.total_ms for one in answered),
        "revenue_fen": sum(one.charged_fen for one in asked),
        "cost_fen": sum(costs) / 10**6 if costs else None,
    }


def test_a_day_says_what_was_asked_answered_taken_and_paid() -> None:
    token, anna = admin_token(), add_user().id
    asked = [
        Asked(anna, charged_fen=100, cost_ufen=7_000_000),
        Asked(anna, total_ms=3000, first_ms=300, cost_ufen=1),
        Asked(None, state="released", prompt=10, cached=0, completion=0),
    ]
    add(*asked, Asked(anna, state="open"))

    assert usage(token) == {
        "group": "day",
        **WEEK,
        "rows": [
            {
                "key": "2026-11-22",
                "requests": 3,
                "success_rate": 0.6667,
                "prompt_tokens": 30,
                "cached_tokens": 8,
                "completion_tokens": 40,
                "first_token_ms": {"p50": 100, "p95": 300, "p99": 300},
                "latency_ms": {"p50": 1000, "p95": 3000, "p99": 3000},
                "revenue_fen": 100,
                "cost_fen": 7.000001,
            }
        ],
        "complete": True,
    }


@pytest.mark.parametrize(
    ("group", "of"),
    [
        ("day", lambda one: one.day),
        ("model", lambda one: one.model),
        ("user", lambda one: one.user_id),
    ],
)
def test_each_group_adds_up_to_what_happened(group: str, of: Callable[[Asked], str | None]) -> None:
    token = admin_token()
    chance = random.Random(7)  # noqa: S311  # the same turns every time
    people = [add_user().id, add_user().id, None]
    asked = [
        Asked(
            user_id=chance.choice(people),
            model=chance.choice(["m", "n", "Qwen/x"]),
            state=chance.choice(["settled", "settled", "settled", "released"]),
            at_ms=NOON_MS + chance.randrange(-2 * DAY_MS, 2 * DAY_MS),
            total_ms=chance.randrange(100, 9000),
            first_ms=chance.randrange(10, 90),
            prompt=chance.randrange(1000),
            cached=chance.randrange(100),
            completion=chance.randrange(1000),
            charged_fen=chance.randrange(100),
            cost_ufen=chance.choice([None, 5, 10**9]),
            failed_before=chance.choice(["", "", "b"]),
        )
        for _ in range(300)
    ]
    add(*asked)

    groups: dict[str | None, list[Asked]] = {}
    for one in asked:
        groups.setdefault(of(one), []).append(one)
    assert rows(token, group) == {name: expected(some) for name, some in groups.items()}


def test_an_upstream_stands_for_what_it_answered_and_for_what_it_failed_to() -> None:
    token, anna = admin_token(), add_user().id
    add(
        Asked(anna, upstream="a", failed_before="b", charged_fen=30, cost_ufen=9),
        Asked(anna, upstream="a", total_ms=2000, first_ms=50),
        Asked(anna, upstream="b", state="released", prompt=99),
    )

    found = rows(token, "upstream")

    nothing = {"p50": None, "p95": None, "p99": None}
    assert found == {
        "a": {
            "requests": 2,
            "success_rate": 1.0,
            "prompt_tokens": 20,
            "cached_tokens": 8,
            "completion_tokens": 40,
            "first_token_ms": {"p50": 50, "p95": 100, "p99": 100},
            "latency_ms": {"p50": 1000, "p95": 2000, "p99": 2000},
            "revenue_fen": 30,
            "cost_fen": 0.000009,
        },
        "b": {
            "requests": 2,
            "success_rate": 0.0,
            "prompt_tokens": 0,
            "cached_tokens": 0,
            "completion_tokens": 0,
            "first_token_ms": nothing,
            "latency_ms": nothing,
            "revenue_fen": 0,
            "cost_fen": None,
        },
    }


def test_days_are_those_of_shanghai_and_the_last_one_is_left_out() -> None:
    token, midnight = admin_token(), NOON_MS + 4 * 3_600_000  # of the 23rd, in Shanghai
    add(*(Asked(None, at_ms=midnight + shift) for shift in (-1, 0, DAY_MS - 1, DAY_MS)))

    query = {"from": "2026-11-23", "to": "2026-11-24"}
    assert {key: row["requests"] for key, row in rows(token, "day", **query).items()} == {
        "2026-11-23": 2
    }
    assert [row["key"] for row in usage(token)["rows"]] == [
        "2026-11-22",
        "2026-11-23",
        "2026-11-24",
    ]


def test_the_start_of_a_day_may_be_written_as_a_time() -> None:
    token = admin_token()
    add(Asked(None, at_ms=NOON_MS))

    query = {"from": "2026-11-22T00:00:00+08:00", "to": "2026-11-22T16:00:00Z"}
    days = {"from": "2026-11-22", "to": "2026-11-23"}
    assert rows(token, "day", **query) == rows(token, "day", **days)
    assert list(rows(token, "day", **query)) == ["2026-11-22"]


def test_without_a_period_it_is_the_last_week() -> None:
    reply = ask(admin_token(), "GET", "usage")

    assert (reply.status, reply.data["rows"], reply.data["group"]) == (200, [], "day")
    assert reply.data["from"] < reply.data["to"]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"group": "hour"}, "query.group"),
        ({"from": "yesterday"}, "query.from"),
        ({"from": "1795348800"}, "query.from"),
        ({"to": "2026-02-30"}, "query.to"),
        ({"to": "0001-01-01"}, "query.to"),
        ({"to": "9999-12-31"}, "query.to"),
        ({"to": "2026-11-26T08:00:00+08:00"}, "query.to"),
        ({"from": "2026-11-19T00:00:00Z"}, "query.from"),
        ({"from": "2026-11-27"}, "query"),
        ({"from": "2026-08-01"}, "query"),
    ],
)
def test_a_period_that_is_none_or_too_long_is_refused(query: dict[str, str], field: str) -> None:
    reply = ask(admin_token(), "GET", "usage", query={**WEEK, **query})

    assert (reply.status, reply.error) == (422, "invalid_request")
    assert [detail["field"] for detail in reply.json["details"]] == [field]


def test_more_than_the_database_can_sum_up_in_time_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    token = admin_token()
    add(Asked(None), Asked(None))
    monkeypatch.setattr(functions_usage, "_MOST_TURNS", 1)

    reply = ask(token, "GET", "usage", query=WEEK)

    assert (reply.status, reply.json["details"][0]["field"]) == (422, "query.from")


def test_only_those_with_the_most_requests_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    token = admin_token()
    add(*(Asked(None, model=name) for name in ("a", "b", "b", "c", "c", "c")))
    monkeypatch.setattr(functions_usage, "_MOST_ROWS", 2)

    told = usage(token, group="model")

    assert ([row["key"] for row in told["rows"]], told["complete"]) == (["c", "b"], False)
