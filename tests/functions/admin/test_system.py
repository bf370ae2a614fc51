"""The system status for administrators."""

import platform
from dataclasses import replace
from typing import Any

import pytest

from functions.maintenance.index import handler as maintenance
from scripts.tooling.database import migrations
from shared.database.transactions import read, transaction
from shared.pricing import Tokens
from shared.repos import timers, upstream_calls
from shared.repos.upstream_calls import UpstreamCall
from shared.times import iso_utc, now_ms
from shared.version import VERSION
from shared.web.timers import TimerFailed
from tests.events import Context
from tests.functions.admin.administering import ask
from tests.functions.wallets import PER_MESSAGE, abandoned
from tests.people import admin_token, customer

MINUTE_MS = 60_000


def told() -> Any:
    reply = ask(admin_token(), "GET", "system")
    assert reply.status == 200, reply.body
    return reply.data


def attempt(upstream: str, *outcomes: str, at_ms: int | None = None) -> None:
    """Store one upstream call for each outcome, in turns of a customer."""
    anna = customer()
    for outcome in outcomes:
        turn = abandoned(anna)
        transaction(
            upstream_calls.add,
            turn.message_id,
            0,
            UpstreamCall(upstream, outcome, None, 10),
            Tokens(0, 0),
            model="demo",
            at_ms=at_ms or now_ms(),
        )


@pytest.mark.usefixtures("database")
def test_it_says_what_runs_and_on_which_schema(database: str) -> None:
    system = told()

    assert system["versions"]["service"] == VERSION
    assert system["versions"]["python"] == platform.python_version()
    assert system["versions"]["database"].startswith("SQLite 3.") == database.startswith("sqlite")
    assert system["schema"] == {
        "applied": len(migrations.migrations()),
        "expected": len(migrations.migrations()),
        "pending": 0,
    }
    assert system["database"]["size_bytes"] > 10_000
    assert 0 < system["database"]["latency_ms"] < 4000


@pytest.mark.usefixtures("database")
def test_a_migration_that_was_not_applied_is_pending() -> None:
    last = len(migrations.migrations())
    taken = read(
        lambda db: db.find_all(
            lambda **row: row, "SELECT * FROM schema_migrations WHERE version = :last", last=last
        )
    )
    transaction(lambda db: db.execute("DELETE FROM schema_migrations WHERE version = :v", v=last))
    try:
        assert told()["schema"] == {"applied": last - 1, "expected": last, "pending": 1}
    finally:
        transaction(
            lambda db: db.execute(
                """
                INSERT INTO schema_migrations (version, name, checksum, applied_at_ms)
                VALUES (:version, :name, :checksum, :applied_at_ms)
                """,
                **taken[0],
            )
        )


@pytest.mark.usefixtures("database")
def test_it_counts_what_is_reserved_for_answers_being_given() -> None:
    nothing = {"open": 0, "reserved_fen": 0, "abandoned": 0, "oldest_at": None}
    assert told()["reservations"] == nothing
    anna, later = customer(1000), now_ms() + MINUTE_MS
    oldest = abandoned(anna, price=PER_MESSAGE)
    abandoned(anna, price=PER_MESSAGE, lease_until_ms=later, created_at_ms=later)
    abandoned(anna, lease_until_ms=later)

    assert told()["reservations"] == {
        "open": 3,
        "reserved_fen": 200,
        "abandoned": 1,
        "oldest_at": iso_utc(oldest.created_at_ms),
    }


@pytest.mark.usefixtures("database")
def test_it_says_how_each_upstream_has_answered_lately() -> None:
    now = now_ms()
    attempt("shaky", "ok", "upstream_error", "left", "upstream_timeout", "ok", "upstream_busy")
    attempt("steady", "ok", "upstream_error", "ok", "left", at_ms=now)
    attempt("new", "upstream_error", at_ms=now)
    attempt("gone", "upstream_error", at_ms=now - 6 * MINUTE_MS)

    system = told()["upstreams"]

    assert system["window_seconds"] == 300
    kept = [(one["name"], one["attempts"], one["failures"]) for one in system["recent"]]
    assert kept == [("new", 1, 1), ("shaky", 5, 3), ("steady", 3, 1)]
    assert [one["failing"] for one in system["recent"]] == [False, True, False]
    assert system["recent"][0] == {
        "name": "new",
        "attempts": 1,
        "failures": 1,
        "failure_ratio": 1.0,
        "failing": False,
        "last_ok_at": None,
        "last_failure_at": iso_utc(now),
    }
    assert system["recent"][2]["failure_ratio"] == 0.333


@pytest.mark.usefixtures("database")
def test_requests_that_an_upstream_rightly_refused_are_no_failures() -> None:
    attempt("good", *["content_filtered", "context_length_exceeded", "upstream_rejected"] * 2)

    [recent] = told()["upstreams"]["recent"]

    assert (recent["attempts"], recent["failures"], recent["failing"]) == (6, 0, False)


@pytest.mark.usefixtures("database")
def test_what_the_operator_must_mend_is_shown_for_a_day_and_whether_it_is_over() -> None:
    now = now_ms()
    hour = 60 * MINUTE_MS
    attempt("poor", "upstream_misconfigured:401", at_ms=now - 3 * hour)
    attempt("poor", "upstream_misconfigured:402", at_ms=now - 2 * hour)
    attempt("poor", "ok", at_ms=now - 3 * hour)
    attempt("mended", "upstream_misconfigured:404", at_ms=now - 2 * hour)
    attempt("mended", "ok", "upstream_error", at_ms=now - hour)
    attempt("long-ago", "upstream_misconfigured:401", at_ms=now - 25 * hour)
    attempt("fine", "ok", "upstream_error", at_ms=now)

    upstreams = told()["upstreams"]

    assert upstreams["trouble_window_seconds"] == 24 * 3600
    at = iso_utc(now - 2 * hour)
    assert upstreams["troubles"] == [
        {"name": "mended", "code": 404, "at": at, "over": True},
        {"name": "poor", "code": 402, "at": at, "over": False},
    ]


@pytest.mark.usefixtures("database")
def test_a_sweeper_that_never_ran_is_late() -> None:
    assert told()["maintenance"] == {
        "last_run_at": None,
        "outcome": None,
        "summary": None,
        "late": True,
    }


@pytest.mark.usefixtures("database")
def test_the_sweepers_last_run_is_told_until_it_is_late() -> None:
    maintenance(b"{}", Context())
    abandoned(customer(), lease_until_ms=1)
    summary = maintenance(b"{}", Context())
    run = read(timers.find, "maintenance")
    assert run

    assert told()["maintenance"] == {
        "last_run_at": iso_utc(run.at_ms),
        "outcome": "ok",
        "summary": summary,
        "late": False,
    }
    assert summary["released"] == 1
    transaction(timers.record, replace(run, at_ms=now_ms() - 3 * MINUTE_MS - 1000))
    assert told()["maintenance"]["late"]


@pytest.mark.usefixtures("database")
def test_a_run_that_could_not_end_everything_says_so() -> None:
    turn = abandoned(customer(100), price=PER_MESSAGE)
    broken = "UPDATE wallets SET reserved_fen = 0"
    transaction(lambda db: db.execute(broken))

    with pytest.raises(TimerFailed):
        maintenance(b"{}", Context())

    last = told()["maintenance"]
    assert (last["outcome"], last["summary"]["failed"], last["late"]) == (
        "internal_error",
        1,
        False,
    )
    assert turn.message_id not in str(last)
