"""Each question ends once, at whatever moment something fails, and the ledger adds up."""

import os
import signal
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from functions.maintenance.index import handler as maintain
from shared.database.connection import Connection
from shared.database.transactions import read, transaction
from shared.repos import wallets
from tests.events import Context
from tests.fakes import upstream
from tests.functions.chat.chatting import (
    ask,
    events_of,
    heard_until,
    message_id_of,
    open_stream,
    pieces_of,
    post,
    watch,
)
from tests.functions.conftest import Pair, SignUp
from tests.ledger_checks import adds_up
from tests.patience import HANG_SECONDS
from tests.people import Person, grant, use_up
from tests.web import WebFunction, eventually, serving

# Where the upstream is cut, and whether it said something before.
CUT = {
    "closed-at-once": "released",
    "error-first": "released",
    "no-text-but-a-reason": "released",
    "error-after-reasoning": "settled",
    "only-reasoning-and-stop": "settled",
    "only-a-tool-call": "settled",
    "closed-politely": "settled",
    "closed-inside-a-chunk": "settled",
    "cut-inside-a-character": "settled",
    "error-later": "settled",
    "truncated": "settled",
    "cut-after-finish": "settled",
    "no-done": "settled",
    "no-end-after-done": "settled",
}
# Where it falls silent, for something else to happen meanwhile.
SILENT = {
    "silence": "released",
    "no-first-byte": "released",
    "stall": "settled",
    "stall-in-reasoning": "settled",
    "silence-inside-a-character": "settled",
    "silence-after-finish": "settled",
    "silence-after-usage": "settled",
    "silence-before-done": "settled",
    "endless": "settled",
}


@pytest.fixture
def anna(join: SignUp) -> Person:
    """A user with one free message left, and money."""
    anna = join()
    use_up(anna, 19)
    grant(anna, 10_000)
    return anna


@pytest.fixture
def doomed(pair: Pair) -> Iterator[WebFunction]:
    """An instance for one test, on the shared database."""
    with upstream.running() as own:
        patience = {f"UPSTREAM_{name}_SECONDS": "60" for name in ("FIRST_BYTE", "IDLE")}
        given = {**pair[0].variables, **patience, "OPENAI_API_URL": own.url}
        with serving("chat", **given) as web:
            yield web


def states(person: Person) -> dict[str, str]:
    """The final state of each turn, by its scenario."""
    sql = """
        SELECT COALESCE(t.question, m.content) AS question, t.state
        FROM turns AS t
        LEFT JOIN messages AS m ON m.conversation_id = t.conversation_id AND m.role = 'user'
        WHERE t.user_id = :id
    """
    found: list[dict[str, str]] = read(Connection.find_all, dict, sql, id=person.id)
    return {one["question"].removeprefix("scenario: "): one["state"] for one in found}


def settled(expected: dict[str, str]) -> int:
    return sum(state == "settled" for state in expected.values())


def ledger_closes(person: Person, answers: int) -> None:
    """Check the ledger: one answer was free, or its free message was given back."""
    wallet = read(adds_up, person.id)
    charges = wallet.entries - 1
    assert wallet == wallets.Wallet(10_000 - 100 * charges, 0, charges + 1, 0)
    assert charges in {answers - 1, answers}


@pytest.mark.parametrize("stream", [False, True])
def test_wherever_the_upstream_is_cut_the_question_ends_once(
    stream: bool, pair: Pair, anna: Person
) -> None:
    for number, name in enumerate(CUT):
        asked = {"message": f"scenario: {name}", "stream": stream}
        post(pair[number % 2], asked, token=anna.token)

    assert states(anna) == CUT
    ledger_closes(anna, settled(CUT))


def leave(web: WebFunction, person: Person, names: Sequence[str]) -> None:
    """Send a message, wait for the first event, and disconnect."""
    for name in names:
        with open_stream(web, f"scenario: {name}", token=person.token) as answer:
            assert message_id_of(next(pieces_of(answer)))


def test_wherever_the_client_leaves_the_question_ends_once(pair: Pair, anna: Person) -> None:
    every = {**CUT, **{name: SILENT[name] for name in SILENT if name != "endless"}}
    leave(pair[0], anna, list(every))

    eventually(lambda: "open" not in states(anna).values())
    assert states(anna) == every
    ledger_closes(anna, settled(every))


def test_an_instance_that_is_told_to_stop_ends_its_answers_by_itself(
    pair: Pair, doomed: WebFunction, anna: Person
) -> None:
    """Also answers without a client; clients on both instances learn that it is incomplete."""
    left = ["silence", "no-first-byte", "stall"]
    leave(doomed, anna, left)
    with open_stream(doomed, "scenario: endless", token=anna.token) as answer:
        events = pieces_of(answer)
        heard = heard_until(events, "滴答")
        message_id = message_id_of(heard)
        with watch(pair[0], message_id, token=anna.token) as elsewhere:
            os.kill(doomed.process.pid, signal.SIGTERM)
            heard += b"".join(events)
            ends = [events_of(heard)[-1], events_of(elsewhere.read())[-1]]
    doomed.process.wait(HANG_SECONDS)

    expected = {name: SILENT[name] for name in [*left, "endless"]}
    assert states(anna) == expected
    ledger_closes(anna, settled(expected))
    assert ends[0] == ends[1]
    assert (ends[0].name, ends[0].data["finish_reason"]) == ("done", "interrupted")
    assert "Traceback" not in doomed.log


@pytest.mark.parametrize(
    ("name", "status", "told"),
    [("stall", 200, "interrupted"), ("silence", 502, "upstream_error")],
)
def test_who_waits_for_a_whole_answer_is_given_what_there_is_when_the_instance_stops(
    name: str, status: int, told: str, doomed: WebFunction, anna: Person
) -> None:
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(ask, doomed, f"scenario: {name}", token=anna.token)
        eventually(lambda: states(anna) == {name: "open"} and saved(anna) == (status == 200))
        os.kill(doomed.process.pid, signal.SIGTERM)
        reply = waiting.result(HANG_SECONDS)
    doomed.process.wait(HANG_SECONDS)

    assert reply.status == status
    assert told == (reply.data["finish_reason"] if status == 200 else reply.error)
    assert states(anna) == {name: SILENT[name]}
    ledger_closes(anna, int(status == 200))


def expire_leases(person: Person) -> None:
    """Let all leases of a user's turns expire."""
    transaction(
        lambda connection: connection.execute(
            "UPDATE turns SET lease_until_ms = 1 WHERE user_id = :id", id=person.id
        )
    )


def saved(person: Person) -> int:
    """The number of answers with stored chunks."""
    sql = """
        SELECT DISTINCT pieces.message_id AS object
        FROM pieces
        JOIN turns ON turns.message_id = pieces.message_id
        WHERE user_id = :id
    """
    return len(read(lambda connection: connection.find_all(str, sql, id=person.id)))


def test_whenever_an_instance_is_killed_the_sweeper_ends_what_it_left(
    doomed: WebFunction, anna: Person
) -> None:
    leave(doomed, anna, list(SILENT))
    eventually(lambda: saved(anna) == settled(SILENT))
    os.kill(doomed.process.pid, signal.SIGKILL)
    doomed.process.wait(HANG_SECONDS)
    assert states(anna) == dict.fromkeys(SILENT, "open")

    maintain(b"{}", Context())
    assert states(anna) == dict.fromkeys(SILENT, "open")  # it might still be alive
    expire_leases(anna)
    maintain(b"{}", Context())

    assert states(anna) == SILENT
    ledger_closes(anna, settled(SILENT))
    before = read(adds_up, anna.id)
    maintain(b"{}", Context())
    assert read(adds_up, anna.id) == before


def test_an_instance_killed_before_anything_was_saved_costs_nothing(
    doomed: WebFunction, anna: Person
) -> None:
    leave(doomed, anna, ["endless"])
    os.kill(doomed.process.pid, signal.SIGKILL)
    doomed.process.wait(HANG_SECONDS)
    expire_leases(anna)
    maintain(b"{}", Context())

    assert states(anna) == {"endless": "settled" if saved(anna) else "released"}
    ledger_closes(anna, saved(anna))
