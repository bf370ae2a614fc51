"""A producer that comes back after the sweeper ended its turn adds what it knows, at no cost."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from functions.account.index import handler as account
from functions.conversations.index import handler as conversations
from functions.maintenance.index import handler as maintain
from shared.database.transactions import read, transaction
from shared.repos import answer_chunks, turns
from tests.events import Context, invoke
from tests.fakes.upstream import COMPLETION_TOKENS, PIECES, SENTENCE, Upstream
from tests.functions.chat.chatting import (
    StreamEvent,
    ask,
    events_of,
    heard_until,
    message_id_of,
    open_stream,
    pieces_of,
    watch,
)
from tests.functions.chat.outages import (
    BALANCE_FEN,
    HELD,
    KEY,
    MIDWAY,
    PRICE_FEN,
    Remote,
    assert_charged,
    history,
    turns_of,
    wait_until_open,
)
from tests.functions.conftest import Pair, SignUp
from tests.patience import HANG_SECONDS
from tests.people import PASSWORD, Person, paying
from tests.web import WebFunction, eventually


@pytest.fixture
def anna(join: SignUp) -> Person:
    """A user with money and no free messages."""
    return paying(join(), BALANCE_FEN)


def sweep(message_id: str) -> str:
    """Let the sweeper find the turn abandoned; return the state it ended in."""
    transaction(turns.renew, [message_id], until_ms=1)
    maintain(b"{}", Context())
    return read(turns.get, message_id).state


def sweep_midway(remote: Remote, person: Person, fake: Upstream) -> str:
    """Sweep a turn whose first part is stored while its instance is cut off and goes on."""
    with open_stream(remote.web, MIDWAY, token=person.token) as answer:
        pieces = pieces_of(answer)
        message_id = message_id_of(heard_until(pieces, PIECES[0]))
        eventually(lambda: chunks_of(message_id))
        remote.proxy.refuse()
        assert sweep(message_id) == "settled"
        fake.released.set()
        b"".join(pieces)
    return message_id


def come_back(remote: Remote) -> None:
    remote.proxy.resume()
    assert remote.web.logged('"pending_done"')


def chunks_of(message_id: str) -> str:
    return "".join(chunk.text for chunk in read(answer_chunks.list_from, message_id, 0))


def events_elsewhere(web: WebFunction, message_id: str, person: Person) -> list[StreamEvent]:
    with watch(web, message_id, token=person.token) as answer:
        return events_of(answer.read())


def text_of(events: list[StreamEvent]) -> str:
    return "".join(one.data["text"] for one in events if one.name == "delta")


def test_the_rest_of_an_answer_that_the_sweeper_settled_costs_nothing_more(
    remote: Remote, pair: Pair, anna: Person, fake: Upstream
) -> None:
    message_id = sweep_midway(remote, anna, fake)
    assert history(message_id) == [{"content": PIECES[0], "finish_reason": "interrupted"}]
    charge = events_elsewhere(pair[1], message_id, anna)[-1].data["charge"]
    come_back(remote)

    assert history(message_id) == [{"content": SENTENCE, "finish_reason": "stop"}]
    events = events_elsewhere(pair[1], message_id, anna)
    done = events[-1]
    assert (text_of(events), done.name, done.data["finish_reason"]) == (SENTENCE, "done", "stop")
    assert done.data["usage"]["completion_tokens"] == COMPLETION_TOKENS
    assert done.data["charge"] == charge
    assert charge["amount_fen"] == PRICE_FEN
    assert_charged(anna, 1)


def test_an_answer_that_the_sweeper_released_stays_free_and_is_in_the_history(
    remote: Remote, pair: Pair, anna: Person, fake: Upstream
) -> None:
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(ask, remote.web, HELD, token=anna.token, headers=KEY)
        message_id = wait_until_open(anna).message_id
        assert fake.wait_until(lambda: bool(fake.requests))
        remote.proxy.refuse()
        assert sweep(message_id) == "released"
        fake.released.set()
        assert waiting.result(HANG_SECONDS).error == "answer_pending"
    come_back(remote)

    assert history(message_id) == [{"content": SENTENCE, "finish_reason": "stop"}]
    events = events_elsewhere(pair[1], message_id, anna)
    done = events[-1]
    assert (text_of(events), done.name, done.data["finish_reason"]) == (SENTENCE, "done", "stop")
    assert done.data["charge"] == {"kind": "none", "amount_fen": 0, "receipt": None}
    assert [turn.state for turn in turns_of(anna)] == ["released"]
    assert_charged(anna, 0)


def test_a_late_commit_whose_reply_was_lost_adds_nothing_twice(
    remote: Remote, anna: Person, fake: Upstream
) -> None:
    message_id = sweep_midway(remote, anna, fake)
    lost = remote.proxy.lose_reply(b"COMMIT", after=b"INSERT INTO upstream_attempts")
    come_back(remote)

    assert lost.happened.is_set()
    assert history(message_id) == [{"content": SENTENCE, "finish_reason": "stop"}]
    assert chunks_of(message_id) == SENTENCE
    assert_charged(anna, 1)


def delete_conversation(person: Person, message_id: str) -> None:
    path = f"/api/conversations/{message_id}"
    assert invoke(conversations, "DELETE", path, token=person.token).status == 200


def delete_account(person: Person, _: str) -> None:
    body = {"password": PASSWORD}
    assert (
        invoke(account, "DELETE", "/api/account", token=person.token, json_body=body).status == 200
    )


@pytest.mark.parametrize("delete", [delete_conversation, delete_account])
def test_nothing_that_was_deleted_meanwhile_is_stored_again(
    delete: Callable[[Person, str], None], remote: Remote, anna: Person, fake: Upstream
) -> None:
    with open_stream(remote.web, MIDWAY, token=anna.token) as answer:
        pieces = pieces_of(answer)
        message_id = message_id_of(heard_until(pieces, PIECES[0]))
        eventually(lambda: chunks_of(message_id))
        remote.proxy.refuse()
        assert sweep(message_id) == "settled"
        delete(anna, message_id)
        fake.released.set()
        b"".join(pieces)
    come_back(remote)

    assert (history(message_id), chunks_of(message_id)) == ([], "")
    assert_charged(anna, 1)


def test_nothing_is_stored_for_a_deleted_account_of_the_door_of_openai(
    remote: Remote, anna: Person, fake: Upstream
) -> None:
    """Such an answer has no conversation and no question that a deletion could remove."""
    body = {"messages": [{"role": "user", "content": MIDWAY}]}
    headers = {"Authorization": f"Bearer {anna.token}"}
    with ThreadPoolExecutor(1) as pool:
        path = "/v1/chat/completions"
        waiting = pool.submit(remote.web.client.post, path, json=body, headers=headers)
        message_id = wait_until_open(anna).message_id
        eventually(lambda: chunks_of(message_id))
        remote.proxy.refuse()
        assert sweep(message_id) == "settled"
        delete_account(anna, message_id)
        fake.released.set()
        assert waiting.result(HANG_SECONDS).status_code == 503
    come_back(remote)

    assert chunks_of(message_id) == ""
    assert_charged(anna, 1)
