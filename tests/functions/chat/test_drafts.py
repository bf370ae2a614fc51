"""Drafts and leases of running answers: saves of unknown outcome, renewals, and lost turns."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from functions.maintenance.index import handler as maintain
from shared import settings
from shared.database.transactions import read, transaction
from shared.repos import answer_chunks, turns, wallets
from tests.events import Context
from tests.fakes import upstream
from tests.fakes.proxy import Proxy, proxy_to
from tests.fakes.upstream import Upstream
from tests.functions.chat.chatting import (
    StreamEvent,
    events_of,
    heard_until,
    message_id_of,
    open_stream,
    pieces_of,
    stop,
    watch,
)
from tests.functions.conftest import Pair, SignUp
from tests.ledger_checks import adds_up
from tests.patience import HANG_SECONDS
from tests.people import Person, paying
from tests.web import WebFunction, eventually, serving

ENDLESS = "scenario: endless"
LEASE_MS = 30_000


@pytest.fixture
def anna(join: SignUp) -> Person:
    """A user with money and no free messages."""
    return paying(join(), 1000)


@contextmanager
def running(
    pair: Pair, person: Person, clock: Path | None = None, **given: str
) -> Iterator[tuple[WebFunction, Upstream, Iterator[bytes], bytes]]:
    """An endless answer of an instance and an upstream of its own, with its first part saved."""
    with (
        upstream.running() as own,
        serving("chat", clock, **{**pair[0].variables, "OPENAI_API_URL": own.url, **given}) as web,
        open_stream(web, ENDLESS, token=person.token) as answer,
    ):
        pieces = pieces_of(answer)
        heard = heard_until(pieces, "滴答")
        eventually(lambda: stored_rows(message_id_of(heard)))
        yield web, own, pieces, heard


def stored_rows(message_id: str) -> int:
    """The number of stored rows; each save of a growing answer adds one."""
    return len(read(answer_chunks.list_from, message_id, 0))


def wait_for_saves(message_id: str, count: int) -> None:
    before = stored_rows(message_id)
    eventually(lambda: stored_rows(message_id) >= before + count)


def text_of(events: list[StreamEvent]) -> str:
    return "".join(one.data["text"] for one in events if one.name == "delta")


def text_elsewhere(pair: Pair, message_id: str, person: Person) -> str:
    """The text as another instance reads it from the stored chunks."""
    with watch(pair[1], message_id, token=person.token) as answer:
        return text_of(events_of(answer.read()))


def kept(message_id: str) -> list[dict[str, object]]:
    sql = "SELECT content, finish_reason FROM messages WHERE id = :id"
    return read(lambda connection: connection.find_all(dict, sql, id=message_id))


def test_an_answer_that_outlives_its_lease_is_left_alone_by_the_sweeper(
    pair: Pair, anna: Person, tmp_path: Path
) -> None:
    """The instance's clock is 31 s behind the sweeper's, and half a lease passes.

    The first lease has then expired for the sweeper; one that was renewed has not.
    """
    clock = tmp_path / "clock"
    clock.write_text(str(-LEASE_MS - 1000))
    with running(pair, anna, clock) as (web, _, pieces, heard):
        message_id = message_id_of(heard)
        clock.write_text(str(-LEASE_MS // 2 - 1000))
        wait_for_saves(message_id, 2)  # the first of them may have begun before
        maintain(b"{}", Context())
        assert read(turns.get, message_id).state == "open"
        assert stop(web, message_id, token=anna.token) == 200
        events = events_of(heard + b"".join(pieces))

    assert (events[-1].name, events[-1].data["finish_reason"]) == ("done", "stopped")
    assert kept(message_id) == [{"content": text_of(events), "finish_reason": "stopped"}]


def test_a_turn_that_the_sweeper_has_ended_is_generated_no_further_and_kept_as_it_was_received(
    pair: Pair, anna: Person
) -> None:
    with running(pair, anna) as (_, own, pieces, heard):
        message_id = message_id_of(heard)
        eventually(lambda: swept(message_id))
        assert own.wait_closed()
        events = events_of(heard + b"".join(pieces))

    [message] = kept(message_id)
    text = str(message["content"])
    assert (events[-1].name, events[-1].data["finish_reason"]) == ("done", "interrupted")
    assert text_of(events) == text
    assert text_elsewhere(pair, message_id, anna) == text
    assert events[-1].data["charge"]["amount_fen"] == 100
    assert read(adds_up, anna.id) == wallets.Wallet(900, 0, 2, 0)


def swept(message_id: str) -> bool:
    """Let the lease expire and sweep; the instance may have renewed it in between."""
    transaction(turns.renew, [message_id], until_ms=1)
    maintain(b"{}", Context())
    return read(turns.get, message_id).state == "settled"


@pytest.fixture
def proxy(pair_database: str) -> Iterator[Proxy]:
    target = settings.database_url(pair_database)
    with proxy_to(target.host, target.port) as between:
        yield between


def test_a_save_whose_reply_was_lost_stores_no_part_twice_and_loses_none(
    pair: Pair, pair_database: str, anna: Person, proxy: Proxy
) -> None:
    port = settings.database_url(pair_database).port
    through = pair_database.replace(f":{port}/", f":{proxy.port}/") + "?ssl-mode=disabled"
    with running(pair, anna, DATABASE_URL=through) as (web, _, pieces, heard):
        message_id = message_id_of(heard)
        lost = proxy.lose_reply(b"COMMIT", after=b"INSERT INTO pieces")
        assert lost.happened.wait(HANG_SECONDS)
        assert web.logged("save_failed")
        for _ in range(40):  # for some saves more
            heard += next(pieces)
        assert stop(web, message_id, token=anna.token) == 200
        events = events_of(heard + b"".join(pieces))

    text = text_of(events)
    assert (events[-1].name, events[-1].data.get("finish_reason")) == ("done", "stopped")
    assert kept(message_id) == [{"content": text, "finish_reason": "stopped"}]
    assert text_elsewhere(pair, message_id, anna) == text
    assert read(adds_up, anna.id) == wallets.Wallet(900, 0, 2, 0)
