"""Lists without pages, and exports: each reads about the rows that it returns."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from shared.database.connection import Connection
from shared.database.transactions import read, transaction
from shared.exports.datasets import DATASETS, OWN_DATASETS
from shared.ids import lowest_id
from shared.repos import (
    conversations,
    daily_messages,
    daily_uploads,
    export_jobs,
    invites,
    locations,
    media,
    models,
    object_deletions,
    prices,
    running_answers,
    sessions,
    turns,
    uploads,
    upstreams,
)
from shared.repos.reports import usage, user_search
from shared.repos.reports.dataset import Dataset
from shared.repos.reports.user_search import UserFilter
from tests.shared.database.test_deep_pages import (
    ALL,
    ANNA,
    BEN,
    OTHERS,
    ROWS,
    TALK,
    TALKS,
    USERS,
    WALLETS,
    Row,
    audit_entry,
    drug,
    entry,
    export,
    identifier,
    insert,
    invite,
    listed_conversation,
    location,
    message,
    ms,
    order,
    price,
    rows_read,
    user,
)

CURRENT = identifier(0)
# Two periods near the end of the rows: of about 100 of them.
FROM_MS, TO_MS = ms(ROWS), ms(ROWS + 100)
NONE_AT = 2_000_000_000_000


@dataclass(frozen=True)
class Query:
    """A query on generated rows. `most` is how many rows it may read for each row it returns."""

    run: Callable[[Connection], int]
    tables: Mapping[str, Sequence[Row]]
    most: float = 4
    parents: Mapping[str, Sequence[Row]] = field(default_factory=dict)


def generated(row: Callable[[int], Row]) -> list[Row]:
    return [row(number) for number in range(ALL)]


def session(number: int) -> Row:
    """1,400 live ones of Anna; the others are of Ben."""
    moments = {"created_at_ms": ms(number), "used_at_ms": ms(number), "ended_at_ms": None}
    return {"id": identifier(number), "user_id": owner_of_session(number), **moments}


def owner_of_session(number: int) -> str:
    return ANNA if number < 1400 else BEN


def token(number: int) -> Row:
    """Each session of Anna has one that is not used yet, and one or two used ones."""
    session_id, used = identifier(number % 1400), number >= 1400
    used_at = {"used_at_ms": 1 if used else None}
    return {
        "token_hash": f"{number:064}",
        "session_id": session_id,
        "issued_at_ms": 1,
        "expires_at_ms": NONE_AT,
        **used_at,
    }


def turn(number: int) -> Row:
    texts = {"subject": ANNA, "model": "one", "payment": "free", "day": "2026-01-01", "price": "{}"}
    counts = dict.fromkeys(("daily_limit", "reserved_fen", "prompt_tokens", "stop_requested"), 1)
    moments = {"created_at_ms": ms(number), "ended_at_ms": ms(number), "lease_until_ms": 1}
    of = {"message_id": identifier(number), "user_id": ANNA if number < ROWS else BEN}
    return {**of, **texts, **counts, **moments, "state": "settled"}


def open_turn(number: int) -> Row:
    """Every other one is of Ben."""
    of = {"user_id": ANNA if number % 2 else BEN, "conversation_id": TALK, "question": "Why?"}
    return {**turn(number), **of, "state": "open", "ended_at_ms": None}


def attempt(number: int) -> Row:
    of = {"message_id": identifier(number), "attempt": 1, "upstream": "one", "model": "one"}
    return {**of, "outcome": "ok", "duration_ms": 1, "at_ms": ms(number)}


def model(number: int) -> Row:
    return {"name": f"model-{number}", "title": "", "is_enabled": 1, **CHANGED}


CHANGED: Row = {"created_at_ms": 1, "updated_at_ms": 1}


def upstream(number: int) -> Row:
    texts = {"url": "", "vendor_model": "", "sealed_key": "", "key_hint": ""}
    of = {"id": identifier(number), "model": f"model-{number}", "name": f"upstream-{number}"}
    costs = {"input_ufen": 1, "cached_ufen": 1, "output_ufen": 1, "weight": 1, "is_enabled": 1}
    return {**of, **texts, **costs, **CHANGED}


def named_user(number: int) -> Row:
    return {**user(identifier(number), ms(number)), "email": f"{number:05}@example.com"}


def one_media(number: int) -> Row:
    of = {"id": identifier(number), "user_id": ANNA if number < ROWS else BEN}
    texts = {"filename": "a.png", "content_type": "image/png", "crc64": "1"}
    own = {"upload_id": identifier(number), "object_key": f"media/{number}"}
    return {**of, **own, **texts, "size": 1, "created_at_ms": ms(number)}


def one_upload(number: int) -> Row:
    texts = {"filename": "a", "content_type": "image/png", "method": "post", "state": "open"}
    counts = {"size": 1, "lease_until_ms": 0, "expires_at_ms": 1, "created_at_ms": ms(number)}
    return {"id": identifier(number), "user_id": ANNA, **texts, **counts}


def deletion(number: int) -> Row:
    moments = {"queued_at_ms": 1, "next_at_ms": ms(number)}
    return {"object_key": f"media/{number:05}", "attempts": 0, **moments}


def search(db: Connection, text: str) -> int:
    return len(user_search.search(db, UserFilter(text), "2026-01-01", after=None, count=101))


def list_sessions(db: Connection) -> int:
    listed = sessions.list_live(db, ANNA, current=CURRENT, at_ms=1_000, count=100)
    assert [one.used_at_ms for one in listed] == sorted(
        (one.used_at_ms for one in listed), reverse=True
    )
    return len(listed)


def exported(dataset: Dataset) -> Callable[[Connection], int]:
    return lambda db: streamed(dataset.exported.read(db, from_ms=FROM_MS, to_ms=TO_MS))


def own(dataset: Dataset) -> Callable[[Connection], int]:
    return lambda db: streamed(dataset.own.read(db, user_id=BEN))


def streamed(batches: Any) -> int:
    return sum(len(batch) for batch in batches)


SESSIONS = {"sessions": generated(session), "refresh_tokens": generated(token)}
TURNS = {"turns": generated(turn), "upstream_attempts": generated(attempt)}
ORDERS = {"orders": generated(order)}
LEDGER = {"ledger": generated(entry)}
MESSAGES = {"messages": generated(message)}
CONVERSATIONS = {"conversations": generated(listed_conversation)}
NAMED = {"users": generated(named_user)}
MODELS = {"models": generated(model), "upstreams": generated(upstream)}
OWN_INVITES = {"invites": [{**one, "owner_id": BEN} for one in generated(invite)[:OTHERS]]}
INACTIVE = {"invites": [{**invite(n), "is_active": int(n % 50 == 0)} for n in range(ALL)]}
MEDIA = {"media": generated(one_media)}
OTHER_TALKS: Mapping[str, Sequence[Row]] = {
    **USERS,
    "conversations": [
        {**one, "user_id": BEN if one["id"] != TALK else ANNA} for one in TALKS["conversations"]
    ],
}

QUERIES: dict[str, Query] = {
    "sessions": Query(list_sessions, SESSIONS, parents=USERS),
    "logout everywhere": Query(
        lambda db: sessions.end_all(db, ANNA, at_ms=1), SESSIONS, parents=USERS
    ),
    "end of other sessions": Query(
        lambda db: sessions.end_all(db, ANNA, at_ms=1, but=CURRENT), SESSIONS, parents=USERS
    ),
    "users by text": Query(lambda db: search(db, "000"), NAMED),
    "user by text": Query(lambda db: search(db, "00010@"), NAMED, most=20),
    "active invites": Query(
        lambda db: len(invites.list_newest(db, is_active=True, after=None, count=51)),
        INACTIVE,
        parents=USERS,
    ),
    "latest prices": Query(
        lambda db: len(prices.list_latest(db)), {"prices": generated(price)}, most=10
    ),
    "models": Query(lambda db: len(models.list_statuses(db)), MODELS, most=7),
    "upstreams": Query(lambda db: len(upstreams.list_all(db)), MODELS),
    "usage of a period": Query(
        lambda db: usage.sums(db, "day", FROM_MS, TO_MS, count=9)[0].requests,
        TURNS,
        most=22,
        parents=USERS,
    ),
    "usage of upstreams": Query(
        lambda db: usage.sums(db, "upstream", FROM_MS, TO_MS, count=9)[0].requests,
        TURNS,
        most=22,
        parents=USERS,
    ),
    "running answers": Query(
        lambda db: len(running_answers.list_of(db, ANNA)),
        {**TURNS, "turns": [*generated(turn), *(open_turn(n) for n in range(ALL, ALL + 20))]},
        parents=USERS,
    ),
    "media": Query(
        lambda db: len(media.list_of(db, ANNA, after=None, count=51)), MEDIA, parents=USERS
    ),
    "objects to delete": Query(
        lambda db: len(object_deletions.list_due(db, ms(300), count=100)),
        {"object_deletions": generated(deletion)},
    ),
    "turns of a period": Query(
        lambda db: usage.count_turns(db, FROM_MS, TO_MS), TURNS, parents=USERS
    ),
}
Tables = Mapping[str, Sequence[Row]]


def listed(query: Callable[..., Sequence[object]], **parameters: object) -> Callable[..., int]:
    """The first batch of what maintenance removes: rows from before the 301st one."""
    return lambda db: len(query(db, before_ms=AGED_MS + 300, count=100, **parameters))


def aged(row: Callable[[int], Row], id_column: str, *moments: str) -> list[Row]:
    """Rows whose ids are ordered by time, each a millisecond younger than the one before."""
    numbers = range(ALL)
    at = {number: dict.fromkeys(moments, AGED_MS + number) for number in numbers}
    return [{**row(n), id_column: lowest_id(AGED_MS + n), **at[n]} for n in numbers]


def dead_code(number: int) -> Row:
    return {**invite(number), "is_active": number % 2, "expires_at_ms": AGED_MS + number}


def day(number: int) -> Row:
    return {"subject": identifier(number), "day": f"2026-01-{1 + number // 200:02}", "used": 1}


def upload_day(number: int) -> Row:
    counts = {"files": 1, "bytes": 1}
    return {"user_id": identifier(number), "day": f"2026-01-{1 + number // 200:02}", **counts}


AGED_MS = 1_700_000_000_000
OLD_TALKS = {"conversations": aged(listed_conversation, "id", "updated_at_ms")}
CODES = {"invites": aged(dead_code, "code", "created_at_ms", "expires_at_ms")}
REMOVED = {
    "old turns": Query(
        listed(turns.list_ended, after=""),
        {"turns": aged(turn, "message_id", "created_at_ms", "ended_at_ms")},
        parents=USERS,
    ),
    "old conversations": Query(listed(conversations.list_untouched), OLD_TALKS, parents=USERS),
    "old sessions": Query(
        listed(sessions.list_opened, after=""), {"sessions": aged(session, "id")}, parents=USERS
    ),
    "old exports": Query(
        listed(export_jobs.list_ended, after=""),
        {"exports": aged(export, "id", "created_at_ms", "ended_at_ms")},
        parents=USERS,
    ),
    "old locations": Query(
        listed(locations.list_reported, after=""),
        {"locations": aged(location, "id", "recorded_at_ms", "consented_at_ms")},
        parents=USERS,
    ),
    "deactivated codes": Query(listed(invites.list_deactivated, after=""), CODES, parents=USERS),
    "expired codes": Query(listed(invites.list_expired, after=""), CODES, most=5, parents=USERS),
    "old days": Query(
        lambda db: daily_messages.remove_days(db, "2026-01-03", count=100),
        {"daily_messages": generated(day)},
    ),
    "old days of uploads": Query(
        lambda db: daily_uploads.remove_days(db, "2026-01-03", count=100),
        {"daily_uploads": generated(upload_day)},
    ),
    "old uploads": Query(
        listed(uploads.list_created, after=""),
        {"uploads": aged(one_upload, "id", "created_at_ms")},
        parents=USERS,
    ),
}
EXPORTED: dict[str, tuple[Tables, Tables]] = {
    "users": (NAMED, {}),
    "conversations": (CONVERSATIONS, USERS),
    "messages": (MESSAGES, OTHER_TALKS),
    "media": (MEDIA, USERS),
    "orders": (ORDERS, USERS),
    "transactions": (LEDGER, WALLETS),
    "usage": (TURNS, USERS),
    "audit": ({"audit_log": generated(audit_entry)}, {}),
    "sessions": (SESSIONS, USERS),
    "profile": ({}, USERS),
    "invites": (OWN_INVITES, USERS),
    "locations": ({"locations": generated(location)}, USERS),
    "drugs": ({"drugs": generated(drug)}, USERS),
}


def datasets() -> dict[str, Query]:
    queries = {}
    for kind, known, reading in (("export", DATASETS, exported), ("copy", OWN_DATASETS, own)):
        for name, dataset in known.items():
            tables, parents = EXPORTED[name]
            most = 14 if name == "usage" else 6
            queries[f"{kind} of {name}"] = Query(reading(dataset), tables, most, parents)
    return queries


ALL_QUERIES = {**QUERIES, **datasets(), **REMOVED}


@pytest.mark.parametrize("database", ["mariadb"], indirect=True)
@pytest.mark.parametrize("name", ALL_QUERIES)
@pytest.mark.usefixtures("database")
def test_a_list_reads_about_the_rows_that_it_returns(name: str) -> None:
    query = ALL_QUERIES[name]
    for tables in (query.parents, query.tables):
        for table, values in tables.items():
            for start in range(0, len(values), 500):
                transaction(insert, table, values[start : start + 500])
    for table in (*query.parents, *query.tables):
        read(analyze, table)

    returned, reads = read(measured, query.run)

    assert returned
    assert reads <= query.most * returned + 10, (returned, reads)


def analyze(db: Connection, table: str) -> None:
    db.find_all(dict, f"ANALYZE TABLE {table}")


def measured(db: Connection, run: Callable[[Connection], int]) -> tuple[int, int]:
    """How many rows the query returned or changed, and how many the server read for it."""
    own_reads = -rows_read(db) + rows_read(db)
    before = rows_read(db)
    returned = run(db)
    return returned, rows_read(db) - before - own_reads
