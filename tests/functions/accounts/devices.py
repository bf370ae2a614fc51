"""Requests about sessions, one by one and at the same moment."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import TypeVar

from functions.session.index import handler as session
from shared.database import transactions
from shared.database.transactions import read, transaction
from tests.events import Reply, invoke

Result = TypeVar("Result")


def renew(refresh_token: object, device: str = "renewed") -> Reply:
    body, agent = {"refresh_token": refresh_token}, {"User-Agent": device}
    return invoke(session, "POST", "/api/auth/refresh", json_body=body, headers=agent)


def leave(token: str = "", **body: object) -> Reply:
    return invoke(session, "POST", "/api/auth/logout", token=token, json_body=body)


def devices(token: str) -> Reply:
    return invoke(session, "GET", "/api/auth/sessions", token=token)


def revoke(token: str, session_id: str) -> Reply:
    return invoke(session, "DELETE", f"/api/auth/sessions/{session_id}", token=token)


def outcome(reply: Reply) -> tuple[int, str]:
    return reply.status, reply.json.get("error", "")


def together(calls: Sequence[Callable[[], Result]]) -> list[Result]:
    """Run all calls in threads, started at the same time; return their results."""
    start = Barrier(len(calls))

    def run(call: Callable[[], Result]) -> Result:
        start.wait()
        try:
            return call()
        finally:
            transactions.disconnect()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))


def count(sql: str) -> int:
    [found] = read(lambda connection: connection.find_all(lambda n: int(n), sql))
    return found


def let_pass(seconds: int) -> None:
    """Move the use of all refresh tokens this far into the past."""
    transaction(
        lambda connection: connection.execute(
            "UPDATE refresh_tokens SET used_at_ms = used_at_ms - :ms", ms=seconds * 1000
        )
    )
