"""A recognition costs one message, once, and nothing where no draft came."""

import json
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest

from functions.maintenance.index import handler as maintenance
from scripts.tooling.environment import ROOT
from shared.database.transactions import transaction
from shared.repos.wallets import Wallet
from tests.conftest import Configure
from tests.events import Context, Reply
from tests.fakes.upstream import COMPLETION_TOKENS, PROMPT_TOKENS, Upstream
from tests.functions.drugs.recognizing import (
    DRAFT,
    ON_THE_BOX,
    asked,
    event_of,
    photo,
    recognize,
)
from tests.functions.wallets import books
from tests.media_files import add_media
from tests.patience import HANG_SECONDS
from tests.people import Person, new_person, paying
from tests.web import invoked

pytestmark = pytest.mark.usefixtures("given")

USAGE = {"prompt_tokens": PROMPT_TOKENS, "completion_tokens": COMPLETION_TOKENS}


def test_what_a_model_worked_for_in_vain_is_bounded(
    configure: Configure, anna: Person, fake: Upstream
) -> None:
    configure(UNPAID_LIMIT="2/1d")
    picture = photo(anna.id, **ON_THE_BOX)
    statuses = [recognize(anna.token, picture, model="package-never").status for _ in range(3)]
    assert statuses == [502, 502, 429]
    assert asked(fake) == 4
    assert recognize(anna.token, picture).status == 429


def test_it_counts_as_a_message(configure: Configure, anna: Person) -> None:
    configure(CHAT_LIMIT="1/1d")
    picture = photo(anna.id, **ON_THE_BOX)
    assert [recognize(anna.token, picture).status for _ in range(2)] == [200, 429]


def test_a_free_message_of_the_day_pays(given: dict[str, str]) -> None:
    ben = new_person()
    got = recognize(ben.token, photo(ben.id, **ON_THE_BOX)).data
    assert (got["charge"]["kind"], got["quota"]["used_today"]) == ("free", 1)
    assert recognize(ben.token, photo(ben.id), model="package-never").status == 502
    again = recognize(ben.token, photo(ben.id, **ON_THE_BOX)).data
    assert again["quota"]["used_today"] == 2


def test_without_money_or_free_messages_nobody_is_asked(
    given: dict[str, str], fake: Upstream
) -> None:
    poor = paying(new_person(), 99)
    reply = recognize(poor.token, photo(poor.id, **ON_THE_BOX))
    assert (reply.status, reply.error, asked(fake)) == (402, "insufficient_balance", 0)


@pytest.mark.parametrize("model", ["status-503", "cut-inside-a-character"])
def test_an_upstream_that_fails_is_named_and_costs_nothing(model: str, anna: Person) -> None:
    reply = recognize(anna.token, photo(anna.id, **ON_THE_BOX), model=model)
    assert reply.status in (502, 503)
    assert reply.error in ("upstream_error", "upstream_busy")
    assert books(anna.id) == Wallet(1000, 0, 1, 0)


def test_a_picture_that_is_gone_from_the_storage_costs_nothing(
    anna: Person, fake: Upstream
) -> None:
    reply = recognize(anna.token, add_media(anna.id).id)
    assert (reply.status, asked(fake)) == (404, 0)
    assert books(anna.id) == Wallet(1000, 0, 1, 0)


def test_a_repetition_gets_the_first_result(anna: Person, fake: Upstream) -> None:
    picture = photo(anna.id, **ON_THE_BOX)
    first, again = (recognize(anna.token, picture, key="k") for _ in range(2))
    other = recognize(anna.token, picture, picture, key="k")
    assert again.data == first.data
    assert (other.status, other.error) == (422, "idempotency_mismatch")
    assert asked(fake) == 1
    assert books(anna.id) == Wallet(900, 0, 2, 0)


@pytest.mark.parametrize("database", ["mariadb"], indirect=True)
def test_a_hundred_identical_requests_are_one_call_and_one_charge(
    given: dict[str, str], anna: Person, fake: Upstream
) -> None:
    """From four processes at once. The upstream answers when others were told to wait."""
    event = event_of(anna.token, photo(anna.id, **ON_THE_BOX), key="k", model="package-held")

    def ask_often(call: Callable[[bytes], Reply]) -> list[Reply]:
        return [_answered(call, event, fake) for _ in range(25)]

    with ExitStack() as stack:
        calls = [stack.enter_context(invoked("drugs", **given)) for _ in range(4)]
        with ThreadPoolExecutor(5) as pool:
            pool.submit(_end_a_second_call, fake)
            replies = [one for many in pool.map(ask_often, calls) for one in many]

    assert len(replies) == 100
    done = [one for one in replies if one.status == 200]
    waiting = {(one.status, one.error) for one in replies if one.status != 200}
    assert waiting == {(409, "in_progress")}
    assert {json.dumps(one.data, sort_keys=True) for one in done} == {
        json.dumps(done[0].data, sort_keys=True)
    }
    assert done[0].data["draft"] == DRAFT
    assert asked(fake) == 1
    assert books(anna.id) == Wallet(900, 0, 2, 0)


def _answered(call: Callable[[bytes], Reply], event: bytes, fake: Upstream) -> Reply:
    reply = call(event)
    if reply.status == 409:
        assert int(reply.headers["Retry-After"]) > 0
        fake.released.set()
    return reply


def _end_a_second_call(fake: Upstream) -> None:
    """A second call fails the test; it must not wait for a duplicate that never comes."""
    while not fake.released.is_set():
        if fake.wait_until(lambda: asked(fake) > 1, 0.1):
            fake.released.set()


_ONE_CALL = """
import sys
from functions.drugs.index import handler
handler(sys.stdin.buffer.read(), None)
"""


def test_a_killed_recognition_is_released_by_the_sweeper(
    given: dict[str, str], anna: Person, fake: Upstream
) -> None:
    picture = photo(anna.id, **ON_THE_BOX)
    event = event_of(anna.token, picture, key="k", model="silence")
    process = subprocess.Popen(
        [sys.executable, "-c", _ONE_CALL],
        cwd=ROOT,
        env={**given, "APP_ENV": "test"},
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
    )
    assert process.stdin is not None
    process.stdin.write(event)
    process.stdin.close()
    assert fake.wait_until(lambda: asked(fake) == 1)
    process.kill()
    process.wait(HANG_SECONDS)

    assert books(anna.id) == Wallet(1000, 100, 1, 1)
    waiting = recognize(anna.token, picture, key="k", model="silence")
    assert (waiting.status, waiting.error) == (409, "in_progress")
    assert maintenance(b"{}", Context())["released"] == 0  # its lease lasts
    transaction(lambda db: db.execute("UPDATE turns SET lease_until_ms = 1"))
    assert maintenance(b"{}", Context())["released"] == 1
    assert books(anna.id) == Wallet(1000, 0, 1, 0)
    assert recognize(anna.token, picture, key="k", model="package").status == 200
    assert books(anna.id) == Wallet(900, 0, 2, 0)
