"""Models and upstreams of the environment and of the tables: precedence, and delay of changes."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import TypeVar

import pytest

from shared.database import threads, transactions
from shared.database.transactions import transaction
from shared.errors import DatabaseUnavailable
from shared.llm.catalog import Catalog, Known
from shared.repos import upstreams
from shared.repos.upstreams import Changes
from shared.times import now_ms
from tests.conftest import Configure
from tests.offering import KEYS_SECRET, offer, store, swap_keys, switch

URL = "https://stored.example.com/v1/chat/completions"
DOWN = "mysql://nobody@127.0.0.1:1/none"
OTHER = "https://other.example.com/v1/chat/completions"

Made = TypeVar("Made")


class Clock:
    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(autouse=True)
def _environment(configure: Configure) -> None:
    listed = [
        {"name": "a", "url": "https://a.example.com", "key": "key-a"},
        {"name": "b", "url": "https://b.example.com", "key": "key-b", "serves": "other"},
    ]
    configure(
        OPENAI_API_KEY="unused",
        OPENAI_MODEL="ours",
        UPSTREAMS=json.dumps(listed),
        UPSTREAM_KEYS_SECRET=KEYS_SECRET,
        DATABASE_CONNECTIONS="1",  # in one thread, so that a test can close it
    )
    threads._threads.cache_clear()


def run(work: Callable[[Catalog, Clock], Awaitable[Made]]) -> Made:
    """Run in a new thread, and close its connection afterwards."""

    async def whole() -> Made:
        clock = Clock()
        return await work(Catalog(clock), clock)

    try:
        return asyncio.run(whole())
    finally:
        threads._threads().submit(transactions.disconnect).result()
        threads._threads().shutdown()
        threads._threads.cache_clear()


def move(configure: Configure, url: str) -> None:
    """Change to another database; the thread closes its connection."""
    configure(DATABASE_URL=url)
    threads._threads().submit(transactions.disconnect).result()


def known() -> Known:
    async def look(catalog: Catalog, clock: Clock) -> Known:
        return await catalog.current()

    return run(look)


def models_and_upstreams(known: Known) -> tuple[list[str], dict[str, list[str]]]:
    """The names of the models, and the upstreams of each."""
    serving: dict[str, list[str]] = {}
    for upstream in known.upstreams:
        serving.setdefault(upstream.serves, []).append(upstream.name)
    return [model.name for model in known.models], serving


def test_without_a_database_there_is_the_environment() -> None:
    assert models_and_upstreams(known()) == (["ours", "other"], {"ours": ["a"], "other": ["b"]})


@pytest.mark.usefixtures("database")
def test_a_stored_model_is_asked_of_its_own_upstreams_with_their_own_keys() -> None:
    offer("new", title="The new one")
    store("new", URL, name="s1", key="sk-of-s1", vendor_model="qwen-max", costs=(1, 2, 3))
    store("new", OTHER, name="s2", enabled=False)

    found = known()

    assert models_and_upstreams(found)[0] == ["ours", "other", "new"]
    [upstream] = [one for one in found.upstreams if one.serves == "new"]
    assert [model.title for model in found.models] == ["ours", "other", "The new one"]
    assert upstream.settings.api_key.reveal() == "sk-of-s1"
    assert (upstream.name, upstream.settings.url, upstream.vendor_model) == ("s1", URL, "qwen-max")
    assert upstream.costs is not None
    assert vars(upstream.costs) == {"input_ufen": 1, "cached_ufen": 2, "output_ufen": 3}
    assert not upstream.public_only


@pytest.mark.usefixtures("database")
def test_the_tables_win_over_the_environment_model_by_model() -> None:
    offer("ours", title="Ours")
    offer("other")
    store("other", URL, name="s1")

    assert models_and_upstreams(known()) == (["ours", "other"], {"ours": ["a"], "other": ["s1"]})


@pytest.mark.usefixtures("database")
def test_a_disabled_model_is_gone_wherever_it_came_from() -> None:
    offer("ours", enabled=False)
    offer("new", enabled=False)
    store("new", URL)

    assert models_and_upstreams(known()) == (["other"], {"other": ["b"]})


@pytest.mark.usefixtures("database")
def test_a_model_without_an_enabled_upstream_is_not_offered() -> None:
    offer("ours")
    store("ours", URL, enabled=False)
    offer("new")

    assert models_and_upstreams(known()) == (["other"], {"other": ["b"]})


@pytest.mark.parametrize("database", ["mariadb"], indirect=True)
def test_in_production_stored_upstreams_must_be_public_and_others_need_not(
    configure: Configure, database: str
) -> None:
    offer("new")
    store("new", URL, name="s1")
    configure(APP_ENV="production")

    found = {one.name: one.public_only for one in known().upstreams}

    assert found == {"a": False, "b": False, "s1": True}


@pytest.mark.usefixtures("database")
def test_keys_in_each_others_rows_are_of_no_use(capsys: pytest.CaptureFixture[str]) -> None:
    offer("new")
    one, other = store("new", URL, name="s1"), store("new", OTHER, name="s2")
    store("new", OTHER, name="s3")
    swap_keys(one, other)

    found = known()

    assert models_and_upstreams(found) == (
        ["ours", "other", "new"],
        {"ours": ["a"], "other": ["b"], "new": ["s3"]},
    )
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(line["event"], line["upstream"]) for line in lines] == [
        ("upstream_unusable", "s1"),
        ("upstream_unusable", "s2"),
    ]


@pytest.mark.usefixtures("database")
def test_without_the_secret_only_stored_upstreams_are_lost(
    configure: Configure, capsys: pytest.CaptureFixture[str]
) -> None:
    offer("new")
    store("new", URL)
    configure(UPSTREAM_KEYS_SECRET=None)

    assert models_and_upstreams(known())[1] == {"ours": ["a"], "other": ["b"]}
    assert "UPSTREAM_KEYS_SECRET is not set" in capsys.readouterr().out


@pytest.mark.usefixtures("database")
def test_a_change_is_seen_within_half_a_minute_and_nobody_waits_for_it() -> None:
    offer("new")
    store("new", URL)

    async def look(catalog: Catalog, clock: Clock) -> list[bool]:
        def is_there(known: Known) -> bool:
            return "new" in models_and_upstreams(known)[0]

        seen = [is_there(await catalog.current())]
        await asyncio.to_thread(switch, "new", enabled=False)
        for seconds in (14.9, 0.2, 0):
            clock.now += seconds
            seen.append(is_there(await catalog.current()))
        assert catalog._reading
        await catalog._reading  # what those have begun
        return [*seen, is_there(await catalog.current())]

    assert run(look) == [True, True, True, True, False]


@pytest.mark.usefixtures("database")
def test_while_it_is_fresh_the_database_is_not_asked(configure: Configure) -> None:
    async def look(catalog: Catalog, clock: Clock) -> bool:
        first = await catalog.current()
        move(configure, DOWN)
        found = []
        for _ in range(100):
            clock.now += 0.149
            found.append(await catalog.current())
        return all(known is first for known in found) and catalog._retry_at == 0

    assert run(look)


@pytest.mark.usefixtures("database")
def test_an_instance_that_was_frozen_looks_before_it_answers() -> None:
    async def look(catalog: Catalog, clock: Clock) -> list[str]:
        await catalog.current()
        await asyncio.to_thread(offer, "ours", enabled=False)
        clock.now += 3600
        return models_and_upstreams(await catalog.current())[0]

    assert run(look) == ["other"]


@pytest.mark.usefixtures("database")
def test_those_who_come_together_ask_the_database_once() -> None:
    async def look(catalog: Catalog, clock: Clock) -> int:
        found = await asyncio.gather(*(catalog.current() for _ in range(20)))
        return len({id(known) for known in found})

    assert run(look) == 1


def test_a_database_that_is_down_leaves_what_was_known(configure: Configure, database: str) -> None:
    offer("ours", title="Ours")

    async def look(catalog: Catalog, clock: Clock) -> list[Known]:
        first = await catalog.current()
        move(configure, DOWN)
        clock.now += 3600
        return [first, await catalog.current(), await catalog.current()]

    first, *later = run(look)

    assert all(known is first for known in later)


@pytest.mark.usefixtures("database")
def test_a_failure_nobody_foresaw_leaves_it_too_and_is_logged(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The table lacks a column."""

    def rename(column: str, name: str) -> None:
        sql = f"ALTER TABLE upstreams RENAME COLUMN {column} TO {name}"
        transaction(lambda db: db.execute(sql))

    async def look(catalog: Catalog, clock: Clock) -> bool:
        first = await catalog.current()
        rename("key_hint", "key_hint_away")
        clock.now += 3600
        return await catalog.current() is first and await catalog.current() is first

    try:
        assert run(look)
    finally:
        rename("key_hint_away", "key_hint")
    assert capsys.readouterr().out.count('"event": "crash"') == 1


def test_what_has_never_been_known_cannot_be_made_up(configure: Configure) -> None:
    configure(DATABASE_URL=DOWN)

    with pytest.raises(DatabaseUnavailable):
        known()


@pytest.mark.usefixtures("database")
def test_breakers_live_on_until_the_upstream_is_another() -> None:
    offer("new")
    stored = store("new", URL, name="s1")

    async def look(catalog: Catalog, clock: Clock) -> list[bool]:
        async def breakers() -> dict[str, object]:
            clock.now += 3600
            return {one.name: one.breaker for one in (await catalog.current()).upstreams}

        before = await breakers()
        changes = Changes(name="renamed", weight=7)
        await asyncio.to_thread(transaction, upstreams.change, stored, changes, at_ms=now_ms())
        renamed = await breakers()
        moved = Changes(url=f"{URL}/2")
        await asyncio.to_thread(transaction, upstreams.change, stored, moved, at_ms=now_ms())
        after = await breakers()
        return [
            before["a"] is after["a"],
            before["s1"] is renamed["renamed"],
            renamed["renamed"] is after["renamed"],
        ]

    assert run(look) == [True, True, False]
