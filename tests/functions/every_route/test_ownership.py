"""Ownership rules, tested on every route, including future ones."""

import json
import re
from collections import Counter
from typing import Any

from shared.database.connection import Connection
from shared.database.transactions import read
from shared.ids import new_id
from tests.events import Reply
from tests.functions.every_route.fair_requests import FAIR, Person, fair, person
from tests.functions.every_route.routes import ROUTES, Caller, Route

GUESSES = 500

# What a client might try to set that is not its to set.
COVETED: dict[str, object] = {
    "id": "01COVETEDCOVETEDCOVETEDCOVE",
    "user_id": "01COVETEDCOVETEDCOVETEDCOVE",
    "role": "admin",
    "roles": ["admin"],
    "is_admin": True,
    "disabled": True,
    "disabled_at_ms": 1,
    "password_hash": "x",
    "balance": 10**9,
    "balance_fen": 10**9,
    "initial_fen": 10**9,
    "reserved_fen": -(10**9),
    "amount_fen": -(10**9),
    "credit_fen": 10**9,
    "price": 0,
    "message_fen": 0,
    "input_fen_per_million": 0,
    "payment": "free",
    "charge": {"kind": "free"},
    "state": "settled",
    "status": "paid",
    "used": -1000,
    "max_uses": 1000,
    "daily_limit": 10**6,
    "created_at": "1970-01-01T00:00:00Z",
    "created_at_ms": 0,
    "created_by": "01COVETEDCOVETEDCOVETEDCOVE",
}
# Fields a route is there to set.
OWN: dict[str, set[str]] = {
    "POST /api/admin/credits": {"user_id", "amount_fen"},
    "POST /api/admin/invites": {"initial_fen", "max_uses"},
    "POST /api/admin/prices": {"message_fen", "input_fen_per_million"},
    "POST /api/admin/upstreams": {"input_fen_per_million"},
    "PATCH /api/admin/upstreams/{upstream_id}": {"input_fen_per_million"},
    "POST /api/admin/users": {"role"},
    "PATCH /api/admin/users/{user_id}": {"role", "disabled"},
}
# Tables and columns that two equal requests may leave different.
FICKLE_TABLES = {"pieces"}
FICKLE = {
    "outcome",
    "duration_ms",
    "first_token_ms",
    "detail",
    "answer",
    "sealed_key",
    "object_key",
}


def ask(caller: Caller, route: Route, one: Person, admin: Person) -> Reply:
    asked = fair(route, one, admin)
    return caller.ask(route, *asked.ids, token=asked.token, body=asked.body, query=asked.query)


def test_every_route_that_writes_has_a_fair_request() -> None:
    assert {str(route) for route in ROUTES if route.writes} <= FAIR.keys()


def test_fields_that_are_not_the_clients_to_set_have_no_effect_on_any_route(caller: Caller) -> None:
    """All of them refuse what they do not know."""
    admin = person("admin")
    for route in (one for one in ROUTES if one.writes):
        coveted = {name: COVETED[name] for name in COVETED.keys() - OWN.get(str(route), set())}
        plain, greedy = person(), person()
        stages = [read(everything)]
        modest = ask(caller, route, plain, admin)
        stages.append(read(everything))
        asked = fair(route, greedy, admin)
        stages.append(read(everything))
        body = {**(asked.body or {}), **coveted}
        brazen = caller.ask(route, *asked.ids, token=asked.token, body=body)
        stages.append(read(everything))

        assert 200 <= modest.status < 300, (str(route), modest.body)
        refused = 400 if route.path.startswith("/v1/") else 422
        assert brazen.status == refused, (str(route), brazen.body)
        assert gained(stages[2], stages[3]) == {}, str(route)


def everything(db: Connection) -> Counter[tuple[object, ...]]:
    """All rows of the database, without values that differ between equal requests."""
    return Counter(
        (table, *(shape(value) for name, value in sorted(row.items()) if name not in FICKLE))
        for table in tables(db)
        for row in rows(db, table)
    )


def rows(db: Connection, table: str) -> list[dict[str, object]]:
    return db.find_all(dict, f"SELECT * FROM {table}")  # noqa: S608  # the server named it


def tables(db: Connection) -> list[str]:
    from shared.database.sqlite import Sqlite

    if isinstance(db._dialect, Sqlite):
        sql = "SELECT name FROM sqlite_master WHERE type = 'table'"
    else:
        sql = """
            SELECT table_name AS name
            FROM information_schema.tables
            WHERE table_schema = DATABASE()
        """
    return sorted({*db.find_all(lambda name: str(name), sql)} - FICKLE_TABLES)


def gained(
    before: Counter[tuple[object, ...]], after: Counter[tuple[object, ...]]
) -> dict[tuple[object, ...], int]:
    return {row: after[row] - before[row] for row in before | after if after[row] != before[row]}


_OWN_TO_EACH = re.compile(
    r"[0-9A-Z]{26}|[0-9a-f]{32,}|[\w-]+\.[\w-]+\.[\w-]+|[\w.+-]+@example\.com|sha384-.*|[\w-]{40,}"
    r"|address:[0-9a-f]+|chatcmpl-\w+|\d{4}-\d\d-\d\dT.*|(\w{4}-)+\w{4}|(model|upstream|stored)-\w+|\w+:[0-9A-Z]{26}"
)


def shape(value: Any) -> Any:
    """A value with ids, tokens, hashes, addresses and times replaced by their kinds."""
    if isinstance(value, dict):
        return {name: shape(one) for name, one in value.items() if name != "latency_ms"}
    if isinstance(value, list):
        return [shape(one) for one in value]
    if isinstance(value, str):
        return "..." if _OWN_TO_EACH.fullmatch(value) else value
    if isinstance(value, int) and value > 1_000_000_000:
        return "a time"
    return value


def test_what_an_administrator_makes_twice_with_one_key_is_made_once(caller: Caller) -> None:
    anna, admin = person(), person("admin")
    for route in (one for one in ROUTES if one.method == "POST" and "/admin/" in one.path):
        asked = fair(route, anna, admin)
        first, again = (
            caller.ask(
                route,
                *asked.ids,
                token=asked.token,
                body=asked.body,
                headers={"Idempotency-Key": str(route)},
            )
            for _ in range(2)
        )
        if first.status == 201:
            assert (again.status, again.json.get("data")) == (201, first.data), str(route)


def test_no_guess_at_somebody_elses_ids_finds_anything(caller: Caller) -> None:
    anna, bob, admin = person(), person(), person("admin")
    for route in ROUTES:
        if ("{" in route.path or route.ids_in_body) and "/admin/" not in route.path:
            told = {answer_to_guess(caller, route, guess, bob, admin) for guess in guesses(anna)}

            assert [status for status, _ in told] == [404], (str(route), told)


def answer_to_guess(
    caller: Caller, route: Route, guess: str, one: Person, admin: Person
) -> tuple[int, str]:
    asked, body = fair(route, one, admin), None
    if asked.body is not None:
        named = {one: [guess] if one.endswith("_ids") else guess for one in route.ids_in_body}
        body = {**asked.body, **named}
    reply = caller.ask(route, guess, token=asked.token, body=body, query=asked.query)
    return reply.status, json.dumps({**reply.json, "request_id": ""})


def guesses(victim: Person) -> list[str]:
    """The user's ids in all spellings that a database might consider equal, and unknown ids."""
    spelled = [
        spelling
        for one in victim.ids
        for spelling in (one, one.lower(), f"{one} ", f" {one}", f"{one}\t", one[:-1], one + "0")
    ]
    tricks = ["' OR '1'='1", "%", "_" * 26, "0", "null", "undefined", "[]", "١"]
    known = [*spelled, *tricks]
    return known + [new_id() for _ in range(GUESSES - len(known))]


def test_an_administrators_guess_is_told_that_there_is_nothing(caller: Caller) -> None:
    bob, admin = person(), person("admin")
    for route in (one for one in ROUTES if "{" in one.path and "/admin/" in one.path):
        guess = new_id()
        by_admin = answer_to_guess(caller, route, guess, bob, admin)
        assert by_admin[0] == 404, (str(route), by_admin)
