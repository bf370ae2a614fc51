"""An instance whose database a test takes away, and the state that must be left at the end."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from shared import settings
from shared.database.connection import Connection
from shared.database.transactions import read
from shared.repos import turns
from tests.fakes.proxy import Proxy, proxy_to
from tests.functions.conftest import Pair
from tests.ledger_checks import adds_up
from tests.people import Person
from tests.web import WebFunction, eventually, serving

BALANCE_FEN = 10_000
PRICE_FEN = 100
KEY = {"Idempotency-Key": "the key of a client"}
HELD = "scenario: held"
MIDWAY = "scenario: held-midway"


@dataclass(frozen=True)
class Remote:
    """An instance that reaches its database through a proxy."""

    web: WebFunction
    proxy: Proxy


@contextmanager
def remote_instance(pair: Pair, **given: str) -> Iterator[Remote]:
    """An instance on the database of `pair`."""
    url = pair[0].variables["DATABASE_URL"]
    target = settings.database_url(url)
    with proxy_to(target.host, target.port) as proxy:
        through = url.replace(f":{target.port}/", f":{proxy.port}/") + "?ssl-mode=disabled"
        with serving("chat", **{**pair[0].variables, "DATABASE_URL": through, **given}) as web:
            yield Remote(web, proxy)


def turns_of(person: Person) -> list[turns.Turn]:
    """All turns of a user, the oldest first."""
    sql = "SELECT message_id FROM turns WHERE user_id = :id ORDER BY message_id"
    ids = read(Connection.find_all, lambda message_id: str(message_id), sql, id=person.id)
    return [read(turns.get, message_id) for message_id in ids]


def wait_until_open(person: Person, count: int = 1) -> turns.Turn:
    """Wait until so many turns are open; return the last."""

    def all_open() -> list[turns.Turn]:
        found = [turn for turn in turns_of(person) if turn.state == "open"]
        return found if len(found) == count else []

    return eventually(all_open)[-1]


def wait_until_ended(person: Person) -> None:
    eventually(lambda: all(turn.state != "open" for turn in turns_of(person)))


def history(message_id: str) -> list[dict[str, Any]]:
    sql = "SELECT content, finish_reason FROM messages WHERE id = :id"
    return read(Connection.find_all, dict[str, Any], sql, id=message_id)


def assert_charged(person: Person, times: int) -> None:
    """Check that the ledger adds up, and that nothing is reserved and no turn is open."""
    wallet = read(adds_up, person.id)
    spent = BALANCE_FEN - wallet.balance_fen
    found = (spent, wallet.entries, wallet.reserved_fen, wallet.open_turns)
    assert found == (times * PRICE_FEN, times + 1, 0, 0)
