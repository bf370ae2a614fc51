"""The public list of models and their prices."""

import json
from collections.abc import Iterator

import pytest

from functions.models import index
from functions.models.cache import ModelsCache
from functions.models.index import handler as models
from shared.database.transactions import transaction
from shared.errors import DatabaseUnavailable
from shared.ids import new_id
from shared.money import price_list
from shared.money.price_list import NewPrice
from tests.conftest import Configure
from tests.events import Reply, invoke
from tests.offering import KEYS_SECRET, offer, store, switch

URL = "https://stored.example.com/v1/chat/completions"


@pytest.fixture(autouse=True)
def _fresh_cache(configure: Configure) -> Iterator[None]:
    """Clear the cache, and set the function's variables, without keys and secrets."""
    configure(OPENAI_MODEL="ours", MESSAGE_PRICE_FEN="70", JWT_SECRET=None)
    index._cache.cache_clear()
    yield
    index._cache.cache_clear()


def ask(known: str = "", *, method: str = "GET") -> Reply:
    headers = {"If-None-Match": known} if known else {}
    return invoke(models, method, "/api/models", headers=headers)


def names() -> list[str]:
    index._cache.cache_clear()
    return [model["name"] for model in ask().data["items"]]


def price(model: str, version: int, message_fen: int) -> dict[str, object]:
    return {
        "model": model,
        "version": version,
        "unit": "message",
        "message_fen": message_fen,
        "input_fen_per_million": 0,
        "cached_fen_per_million": 0,
        "output_fen_per_million": 0,
        "formula": "amount_fen = message_fen",
    }


@pytest.mark.usefixtures("database")
def test_the_models_are_told_with_their_prices_and_may_be_kept(configure: Configure) -> None:
    configure(UPSTREAM_KEYS_SECRET=KEYS_SECRET)
    offer("new", title="The new one")
    store("new", URL)
    configure(UPSTREAM_KEYS_SECRET=None)
    wanted = NewPrice("new", "message", message_fen=30)
    transaction(price_list.change, wanted, changed_by=new_id())

    reply = ask()

    assert reply.status == 200
    assert reply.data == {
        "default": "ours",
        "items": [
            {"name": "ours", "title": "ours", "vision": False, "price": price("ours", 0, 70)},
            {
                "name": "new",
                "title": "The new one",
                "vision": False,
                "price": price("new", 1, 30),
            },
        ],
        "next_cursor": None,
    }
    assert reply.headers["Cache-Control"] == "public, max-age=300"
    assert reply.headers["Age"] == "0"
    assert URL not in reply.body.decode()


@pytest.mark.usefixtures("database")
def test_what_the_client_has_is_not_sent_again() -> None:
    etag = ask().headers["ETag"]

    for known in (etag, f'"x", {etag}', etag.removeprefix("W/"), "*"):
        reply = ask(known)
        assert (reply.status, reply.body, reply.headers["ETag"]) == (304, b"", etag)
    assert ask('W/"x"').status == 200
    offer("ours", title="Another title")
    index._cache.cache_clear()
    assert ask(etag).status == 200


@pytest.mark.usefixtures("database")
def test_only_what_can_be_asked_is_told(configure: Configure) -> None:
    configure(UPSTREAM_KEYS_SECRET=KEYS_SECRET)
    offer("ours")
    offer("empty")
    offer("new")
    stored = store("new", URL)
    assert names() == ["ours", "new"]

    switch("ours", enabled=False)
    assert names() == ["new"]
    transaction(lambda db: db.execute("UPDATE upstreams SET is_enabled = 0"))
    assert names() == []
    assert stored.model == "new"


@pytest.mark.usefixtures("database")
def test_where_nothing_is_sold_there_are_no_prices(configure: Configure) -> None:
    configure(ENABLE_CREDIT_SYSTEM="false")

    assert ask().data["items"] == [
        {"name": "ours", "title": "ours", "vision": False, "price": None}
    ]


def seeing() -> list[str]:
    index._cache.cache_clear()
    return [model["name"] for model in ask().data["items"] if model["vision"]]


@pytest.mark.usefixtures("database")
def test_models_that_take_pictures_are_told_apart(configure: Configure) -> None:
    configure(UPSTREAM_KEYS_SECRET=KEYS_SECRET)
    offer("blind")
    store("blind", URL)
    offer("eyes")
    store("eyes", URL, vision=True)
    assert seeing() == ["eyes"]

    transaction(lambda db: db.execute("UPDATE upstreams SET is_enabled = 0 WHERE vision = 1"))
    store("eyes", URL)
    assert seeing() == []

    configure(OPENAI_VISION="true")
    assert seeing() == ["ours"]
    offer("ours")
    store("ours", URL)  # takes the place of the environment's
    assert seeing() == []


def test_upstreams_of_the_environment_say_whether_they_take_pictures(configure: Configure) -> None:
    listed = [
        {"name": "a", "url": URL, "key": "k", "serves": "eyes", "vision": True},
        {"name": "b", "url": URL, "key": "k", "serves": "blind"},
        {"name": "c", "url": URL, "key": "k", "vision": False},
    ]
    configure(UPSTREAMS=json.dumps(listed), OPENAI_VISION="true")

    assert names() == ["ours", "eyes", "blind"]
    assert seeing() == ["eyes"]


def test_without_a_database_there_are_the_models_of_the_environment() -> None:
    assert ask().data == {
        "default": "ours",
        "items": [{"name": "ours", "title": "ours", "vision": False, "price": None}],
        "next_cursor": None,
    }


def test_a_database_that_is_down_is_told_where_nothing_is_known(configure: Configure) -> None:
    configure(DATABASE_URL="mysql://me:secret@127.0.0.1:1/shop")

    reply = ask()

    assert (reply.status, reply.error) == (503, "database_unavailable")
    assert reply.headers["Cache-Control"] == "no-store"


def test_memory_lasts_a_minute_or_five_while_the_database_is_down() -> None:
    now, looks = [1000.0], list[float]()
    cache = ModelsCache(lambda: now[0])

    def look() -> dict[str, object]:
        looks.append(now[0])
        if now[0] in {1060.0, 1299.0, 1300.0}:
            raise DatabaseUnavailable
        return {"at": now[0]}

    told = []
    for at in (1000.0, 1059.0, 1060.0, 1299.0):
        now[0] = at
        told.append(cache.get(look))
    now[0] = 1300.0
    with pytest.raises(DatabaseUnavailable):
        cache.get(look)
    now[0] = 1301.0
    told.append(cache.get(look))

    first = {"at": 1000.0}
    assert told == [(first, 0), (first, 59), (first, 60), (first, 299), ({"at": 1301.0}, 0)]
    assert looks == [1000.0, 1060.0, 1299.0, 1300.0, 1301.0]
