"""Time limits of upstreams, and the closing of their connections."""

import asyncio
import time

import pytest

from shared.errors import AppError, UpstreamTimeout
from shared.llm import client
from shared.llm.events import Delta, Event
from tests.fakes import upstream
from tests.fakes.upstream import PIECES, Upstream
from tests.shared.llm.asking import GENEROUS, Heard, ask, hasty, scenario

FIRST_WORDS: list[Event] = [Delta(piece) for piece in PIECES[:2]]


def timed_out(heard: Heard, limit: str) -> bool:
    return type(heard.error) is UpstreamTimeout and heard.error.context == {"limit": limit}


def test_a_connection_that_is_never_made_is_given_up() -> None:
    with upstream.unreachable() as url:
        asked = hasty(url, first_byte_seconds=GENEROUS, idle_seconds=GENEROUS)
        started = time.monotonic()
        heard = ask(asked, scenario("plain"))

    assert timed_out(heard, "connect")
    assert 0.9 < time.monotonic() - started < GENEROUS


def test_a_tls_handshake_that_is_never_answered_is_given_up(fake: Upstream) -> None:
    url = fake.url.replace("http://", "https://")

    heard = ask(hasty(url, first_byte_seconds=GENEROUS), scenario("plain"))

    assert timed_out(heard, "connect")


@pytest.mark.parametrize("name", ["silence", "slow-headers", "no-first-byte"])
def test_the_first_byte_is_waited_for_only_so_long(name: str, fake: Upstream) -> None:
    asked = hasty(fake.url, connect_seconds=GENEROUS, idle_seconds=GENEROUS)
    started = time.monotonic()

    heard = ask(asked, scenario(name))

    assert timed_out(heard, "first byte")
    assert 0.9 < time.monotonic() - started < GENEROUS
    assert fake.wait_closed()


def test_a_stream_that_falls_silent_is_given_up_and_its_text_kept(fake: Upstream) -> None:
    asked = hasty(fake.url, connect_seconds=GENEROUS, first_byte_seconds=GENEROUS)

    heard = ask(asked, scenario("stall"))

    assert timed_out(heard, "idle")
    assert list(heard) == FIRST_WORDS
    assert fake.wait_closed()


def test_a_slow_reader_is_not_taken_for_a_silent_upstream(fake: Upstream) -> None:
    async def read_slowly() -> list[Event]:
        heard = []
        async with client.stream(
            hasty(fake.url), scenario("stall"), model="m", thinking=True
        ) as events:
            async for event in events:
                heard.append(event)
                await asyncio.sleep(1.2)  # over every limit
                if len(heard) == len(FIRST_WORDS):
                    break
        return heard

    assert asyncio.run(read_slowly()) == FIRST_WORDS


def test_leaving_the_stream_closes_the_connection(fake: Upstream) -> None:
    async def leave_after_the_first_word() -> bool:
        asked = hasty(fake.url, idle_seconds=GENEROUS)
        async with client.stream(asked, scenario("stall"), model="m", thinking=True) as events:
            await anext(events)
        return await asyncio.to_thread(fake.wait_closed)

    assert asyncio.run(leave_after_the_first_word())


def test_leaving_before_reading_closes_the_connection(fake: Upstream) -> None:
    async def enter_and_leave() -> bool:
        async with client.stream(hasty(fake.url), scenario("endless"), model="m", thinking=True):
            pass
        return await asyncio.to_thread(fake.wait_closed)

    assert asyncio.run(enter_and_leave())


def test_an_endless_refusal_is_not_read_to_its_end(fake: Upstream) -> None:
    ask(hasty(fake.url), scenario("endless-refusal"))

    assert fake.wait_closed()


def test_an_upstream_that_keeps_the_line_open_after_done_is_not_waited_for(
    fake: Upstream,
) -> None:
    started = time.monotonic()

    heard = ask(hasty(fake.url, idle_seconds=GENEROUS), scenario("no-end-after-done"))

    assert heard.error is None
    assert time.monotonic() - started < GENEROUS


@pytest.mark.parametrize("name", ["silence", "no-first-byte", "stall", "endless"])
def test_cancelling_closes_the_connection(name: str, fake: Upstream) -> None:
    async def read() -> None:
        asked = hasty(fake.url, first_byte_seconds=GENEROUS, idle_seconds=GENEROUS)
        async with client.stream(asked, scenario(name), model="m", thinking=True) as events:
            async for _ in events:
                pass

    async def cancel_while_reading() -> bool:
        reading = asyncio.ensure_future(read())
        await asyncio.to_thread(fake.wait_until, lambda: bool(fake.requests))
        await asyncio.wait({reading}, timeout=0.2)  # let it get as far as it will
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        return await asyncio.to_thread(fake.wait_closed)

    assert asyncio.run(cancel_while_reading())


def test_one_stalled_stream_does_not_hold_up_another(fake: Upstream) -> None:
    asked = hasty(fake.url, first_byte_seconds=GENEROUS, idle_seconds=GENEROUS)

    async def collect(name: str) -> list[Event]:
        async with client.stream(asked, scenario(name), model="m", thinking=True) as events:
            return [event async for event in events]

    async def both() -> list[Event]:
        stalled = [asyncio.ensure_future(collect("silence")) for _ in range(30)]
        await asyncio.to_thread(fake.wait_until, lambda: fake.open_connections == 30)
        answered = await asyncio.wait_for(collect("plain"), GENEROUS)
        for task in stalled:
            task.cancel()
        await asyncio.gather(*stalled, return_exceptions=True)
        await client.close()
        return answered

    assert "".join(e.text for e in asyncio.run(both()) if isinstance(e, Delta)) == upstream.SENTENCE
    assert fake.wait_closed(abandoned=30)


def test_an_error_is_raised_on_entering_so_that_nobody_was_promised_a_stream(
    fake: Upstream,
) -> None:
    async def enter() -> None:
        async with client.stream(hasty(fake.url), scenario("status-503"), model="m", thinking=True):
            pytest.fail("the stream opened")

    with pytest.raises(AppError):
        asyncio.run(enter())
