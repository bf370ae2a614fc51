"""The statements and round trips to the database for one message, counted on the wire.

A round trip to a database in another zone takes longer than the statement itself.
"""

from collections.abc import Iterator

import pytest

from scripts.tooling.bench.trips import Counts
from scripts.tooling.bench.wire import Wire, recorded, shortened, statements
from shared import settings
from shared.ids import new_id
from tests.functions.chat.chatting import Stream, post
from tests.functions.conftest import SignUp
from tests.media_files import add_document
from tests.people import Person, paying
from tests.web import WebFunction, serving

Instance = tuple[WebFunction, Wire]

# Statements, round trips until the model is asked, and round trips after its last word.
MESSAGES = {
    "free, first": (16, 4, 2),
    "free, second": (17, 4, 2),
    "paid, first": (18, 5, 2),
    "paid, second": (19, 5, 2),
}
V1 = {"free": (14, 4, 2), "paid": (16, 5, 2)}
A_KEY = 1  # one more statement, and no round trip

_RUNS = 3  # in one of them a draft may be saved, too: the smallest count is compared


@pytest.fixture(scope="module")
def instance(variables: dict[str, str], pair_database: str) -> Iterator[Instance]:
    """An instance with all limits of a message, whose connections to MariaDB are recorded."""
    target = settings.database_url(pair_database)
    limits = {"CHAT_LIMIT": "1000/1m", "UNPAID_LIMIT": "30/1d", "ANONYMOUS_LIMIT": "1000/1m"}
    more = {"DAILY_FREE_MESSAGES": "20", "GUEST_DAILY_MESSAGES": "20"}
    with recorded(target.host, target.port) as wire:
        url = pair_database.replace(f":{target.port}/", f":{wire.port}/") + "?ssl-mode=disabled"
        with serving("chat", **{**variables, **limits, **more, "DATABASE_URL": url}) as web:
            yield web, wire


def counted(instance: Instance, body: dict[str, object], token: str, key: str = "") -> Counts:
    """The counts of one message, which is answered."""
    web, wire = instance
    start = len(wire.trips)
    headers = {"Idempotency-Key": key} if key else {}
    reply = post(web, body, token=token, headers=headers)
    assert reply.status == 200
    assert not body.get("stream") or Stream.of(reply).last.name == "done"
    return Counts.of(wire.trips[start:])


def least(runs: list[Counts]) -> tuple[int, int, int]:
    best = min(runs, key=lambda counts: counts.statements)
    for trip in (*best.first, *best.last):  # shown by pytest if the test fails
        print(" | ".join(map(shortened, statements(trip))))
    return best.statements, len(best.first), len(best.last)


def person(join: SignUp, payment: str, instance: Instance) -> tuple[Person, str]:
    """A user who has sent a message today, and the conversation that it began."""
    anna = join()
    if payment == "paid":
        paying(anna, 100_000)
    reply = post(instance[0], {"message": "first"}, token=anna.token)
    assert reply.status == 200
    return anna, str(reply.data["conversation_id"])


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("kind", MESSAGES)
def test_a_message_needs_no_more_statements_and_round_trips(
    kind: str, stream: bool, instance: Instance, join: SignUp
) -> None:
    payment, place = kind.split(", ")
    anna, conversation_id = person(join, payment, instance)
    continued = {"conversation_id": conversation_id} if place == "second" else {}
    body = {"message": "and?", "stream": stream, **continued}

    runs = [counted(instance, body, anna.token) for _ in range(_RUNS)]

    assert least(runs) == MESSAGES[kind]


@pytest.mark.parametrize("kind", MESSAGES)
def test_an_idempotency_key_needs_no_round_trip(
    kind: str, instance: Instance, join: SignUp
) -> None:
    payment, place = kind.split(", ")
    anna, conversation_id = person(join, payment, instance)
    continued = {"conversation_id": conversation_id} if place == "second" else {}
    body: dict[str, object] = {"message": "and?", **continued}

    runs = [counted(instance, body, anna.token, new_id()) for _ in range(_RUNS)]

    number, first, last = MESSAGES[kind]
    assert least(runs) == (number + A_KEY, first, last)


@pytest.mark.parametrize("payment", V1)
def test_a_completion_needs_no_more_statements_and_round_trips(
    payment: str, instance: Instance, join: SignUp
) -> None:
    web, wire = instance
    anna, _ = person(join, payment, instance)

    def complete() -> Counts:
        start = len(wire.trips)
        body = {"messages": [{"role": "user", "content": "hi"}]}
        headers = {"Authorization": f"Bearer {anna.token}"}
        assert web.client.post("/v1/chat/completions", json=body, headers=headers).is_success
        return Counts.of(wire.trips[start:])

    assert least([complete() for _ in range(_RUNS)]) == V1[payment]


def test_media_need_a_round_trip_for_the_question_and_one_for_the_history(
    instance: Instance, join: SignUp
) -> None:
    anna, conversation_id = person(join, "free", instance)
    ids = [add_document(anna.id, "A text.").id for _ in range(2)]
    first: dict[str, object] = {"message": "and?", "media_ids": ids}
    second = {**first, "conversation_id": conversation_id}
    reading: dict[str, object] = {"message": "and?", "conversation_id": conversation_id}

    counted(instance, second, anna.token)  # from here on its history has media

    began = least([counted(instance, first, anna.token) for _ in range(_RUNS)])
    continued = least([counted(instance, second, anna.token) for _ in range(_RUNS)])
    later = least([counted(instance, reading, anna.token) for _ in range(_RUNS)])

    number, before, after = MESSAGES["free, first"]
    assert began == (number + 1 + 2, before + 1, after)
    number, before, after = MESSAGES["free, second"]
    assert continued == (number + 1 + 1 + 2, before + 2, after)
    assert later == (number + 1, before + 1, after)


def test_a_guest_needs_no_more_statements_and_round_trips(
    instance: Instance, join: SignUp, guest_ip: str
) -> None:
    web, wire = instance

    def visit() -> Counts:
        start = len(wire.trips)
        reply = post(web, {"message": "hi"}, headers={"X-Forwarded-For": guest_ip})
        assert reply.status == 200
        return Counts.of(wire.trips[start:])

    visit()  # opens the day and the windows of the limits

    assert least([visit() for _ in range(_RUNS)]) == (12, 4, 2)
