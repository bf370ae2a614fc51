"""Database calls from an event loop: limited in connections and in time."""

import asyncio
import time
from collections.abc import Iterator

import pytest

from shared import settings
from shared.database import threads
from shared.database.connection import Connection
from shared.errors import DatabaseUnavailable
from tests.conftest import Configure
from tests.fakes.proxy import Proxy, proxy_to
from tests.patience import HANG_SECONDS, promised


@pytest.fixture(autouse=True)
def _fresh_threads(configure: Configure) -> Iterator[None]:
    """Start without threads and connections of other tests, as in a new process."""
    threads._threads.cache_clear()
    yield
    threads._threads().shutdown()
    threads._threads.cache_clear()


@pytest.fixture
def proxy(mariadb_database: str, configure: Configure) -> Iterator[Proxy]:
    target = settings.database_url(mariadb_database)
    with proxy_to(target.host, target.port) as between:
        here = mariadb_database.replace(f":{target.port}/", f":{between.port}/")
        configure(DATABASE_URL=here, DATABASE_CONNECTIONS="4")
        yield between


def slow_connection_id(connection: Connection) -> int:
    connection.find(dict, "SELECT SLEEP(0.05) AS slept")
    found = connection.find(lambda id: int(id), "SELECT CONNECTION_ID() AS id")
    return found or 0


def process_count(connection: Connection) -> int:
    sql = "SELECT COUNT(*) AS n FROM information_schema.processlist WHERE db = DATABASE()"
    return connection.find(lambda n: int(n), sql) or 0


async def outcome(number: int) -> tuple[str, float]:
    started = time.monotonic()
    try:
        await (threads.read, threads.transaction)[number % 2](slow_connection_id)
    except DatabaseUnavailable:
        return "unavailable", time.monotonic() - started
    return "answered", time.monotonic() - started


async def outcomes(count: int) -> tuple[set[str], float]:
    """The outcomes, and the time of the slowest call."""
    found = await asyncio.gather(*map(outcome, range(count)))
    return {what for what, _ in found}, max(seconds for _, seconds in found)


@pytest.mark.usefixtures("database")
def test_work_is_done_and_its_failure_raised() -> None:
    def one(connection: Connection, *, named: int) -> int:
        return connection.find(lambda n: int(n), "SELECT :named AS n", named=named) or 0

    def broken(connection: Connection) -> None:
        raise LookupError("mine")

    assert asyncio.run(threads.read(one, named=7)) == 7
    assert asyncio.run(threads.transaction(one, named=8)) == 8
    with pytest.raises(LookupError, match="mine"):
        asyncio.run(threads.transaction(broken))


def test_many_calls_share_a_bounded_number_of_connections(proxy: Proxy) -> None:
    async def load() -> list[int]:
        return await asyncio.gather(*(threads.read(slow_connection_id) for _ in range(50)))

    assert len(set(asyncio.run(load()))) == 4
    assert proxy.accepted == 4
    assert asyncio.run(threads.read(process_count)) <= 5  # one may be the test session's own


def test_the_loop_goes_on_while_the_database_is_slow(proxy: Proxy) -> None:
    async def beats() -> int:
        asking = asyncio.ensure_future(threads.read(slow_connection_id))
        count = 0
        while not asking.done():
            await asyncio.sleep(0)
            count += 1
        return count

    assert asyncio.run(beats()) > 100


@pytest.mark.parametrize("connected_before", [True, False])
def test_every_caller_hears_within_5_s_that_the_database_is_stuck(
    proxy: Proxy, connected_before: bool
) -> None:
    if connected_before:
        asyncio.run(outcomes(8))
    proxy.stall()

    said, slowest = asyncio.run(outcomes(50))

    assert said == {"unavailable"}
    assert slowest < promised(5)
    proxy.cut()
    proxy.resume()
    started = time.monotonic()
    while asyncio.run(outcomes(1))[0] != {"answered"} and time.monotonic() - started < HANG_SECONDS:
        pass
    assert asyncio.run(outcomes(20))[0] == {"answered"}
