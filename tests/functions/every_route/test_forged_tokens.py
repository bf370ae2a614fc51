"""Twelve kinds of forged access tokens, and ids with SQL: refused on every route."""

import base64
import json
import time
from typing import Any

import jwt

from shared import settings
from shared.config import load
from shared.database.connection import Connection
from shared.database.transactions import read
from tests.events import Reply
from tests.functions.every_route.fair_requests import Person, fair, person
from tests.functions.every_route.routes import ROUTES, Caller, Route

# Whoever calls these has no access token, and none is looked at.
FOR_ANYBODY = {
    "GET /api/health",
    "GET /health",
    "GET /",
    "GET /api/info",
    "GET /api/models",
    "POST /api/auth/register",
    "POST /api/auth/login",
    "POST /api/auth/refresh",
}
GUARDED = [route for route in ROUTES if str(route) not in FOR_ANYBODY]

INJECTIONS = [
    "'",
    "' OR '1'='1",
    "' OR 1=1 -- ",
    '" OR ""="',
    "1; DROP TABLE users",
    "') UNION SELECT id, email, password_hash FROM users -- ",
    "\\' OR 1=1 #",
    "%' AND SLEEP(5) AND '%'='",
    ":id",
    "%(id)s",
    "\x00",
    "0x31",
    "x" * 1000,
]


def forgeries(victim: Person) -> dict[str, str]:
    """Forged tokens that claim an active session of the victim."""
    secret = load(settings.Tokens).secret.reveal()
    claims = jwt.decode(victim.token, options={"verify_signature": False})
    head, payload, signature = victim.token.split(".")
    own_key = {"kty": "oct", "k": part("attacker" * 4), "alg": "HS256"}

    def signed(key: str = secret, algorithm: str = "HS256", **changes: object) -> str:
        headers: Any = changes.pop("headers", None)
        return jwt.encode({**claims, **changes}, key, algorithm, headers)

    return {
        "no algorithm": f"{part(json.dumps({'alg': 'none', 'typ': 'JWT'}))}.{payload}.",
        "another algorithm": signed(algorithm="HS512"),
        "another payload": f"{head}.{part(json.dumps({**claims, 'role': 'owner'}))}.{signature}",
        "a key by its path": signed("\0" * 32, headers={"kid": "../../../dev/null"}),
        "a key of its own": signed("attacker" * 4, headers={"jwk": own_key}),
        "expired by a second": signed(exp=int(time.time()) - 1),
        "a refresh token": victim.refresh_token,
        "another type": signed(typ="refresh"),
        "oversized": signed(padding="x" * 3000),
        "another issuer": signed(iss="https://elsewhere.example.com"),
        "another audience": signed(aud="elsewhere"),
        "cut short": victim.token[:-5],
    }


def part(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def ask(caller: Caller, route: Route, admin: Person, forged: str | None = None) -> Reply:
    asked = fair(route, person(), admin)
    token = asked.token if forged is None else forged
    return caller.ask(route, *asked.ids, token=token, body=asked.body, query=asked.query)


def test_twelve_forged_tokens_are_refused_on_every_route(caller: Caller) -> None:
    admin = person("admin")
    forged = forgeries(admin)
    assert len(set(forged.values())) == 12

    told = {
        (str(route), how): ask(caller, route, admin, token).status
        for route in GUARDED
        for how, token in forged.items()
    }

    assert {which: status for which, status in told.items() if status != 401} == {}


def test_the_genuine_token_is_not_refused_on_any_of_them(caller: Caller) -> None:
    """Otherwise the test above would prove nothing."""
    admin = person("admin")

    told = {str(route): ask(caller, route, admin).status for route in GUARDED}

    assert {route: status for route, status in told.items() if status in {401, 403}} == {}


def test_an_id_that_is_sql_finds_nothing_and_does_nothing(caller: Caller) -> None:
    one, admin = person(), person("admin")
    before = read(everything)
    for route in (route for route in GUARDED if "{" in route.path):
        asked = fair(route, one, admin)
        for trick in INJECTIONS:
            reply = caller.ask(
                route, trick, token=asked.token, body=asked.body or {}, query=asked.query
            )
            assert reply.status in {404, 422}, (str(route), trick, reply.body)

    assert read(everything) == before


def everything(db: Connection) -> list[list[dict[str, object]]]:
    tables = ("users", "sessions", "conversations", "messages", "turns", "ledger", "invites")
    return [db.find_all(dict, f"SELECT * FROM {name}") for name in tables]  # noqa: S608  # ours
