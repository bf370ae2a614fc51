"""Lists: a page reads about the rows that it shows, however deep it is."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

import pytest

from shared.cursor import Cursor
from shared.database.connection import Connection
from shared.database.transactions import read, transaction
from shared.repos import (
    audit,
    conversations,
    drugs,
    export_jobs,
    invites,
    locations,
    orders,
    prices,
    rows,
    wallets,
)
from shared.repos.audit import AuditFilter
from shared.repos.drugs import DrugFilter
from shared.repos.locations import RecordedPeriod
from shared.repos.orders import OrderFilter
from shared.repos.reports import user_search
from shared.repos.reports.user_search import UserFilter

ROWS, OTHERS, SHOWN, MOST_READS = 3000, 500, 100, 400
ANNA, BEN, TALK, OTHER_TALK = ("A" * 26, "B" * 26, "C" * 26, "D" * 26)

Row = Mapping[str, object]


class Listed(Protocol):
    @property
    def cursor(self) -> Cursor: ...


Page = Callable[..., Sequence[Listed]]


@dataclass(frozen=True)
class List:
    """A list, the rows of its table by their numbers, and how many of them it has."""

    table: str
    page: Page
    row: Callable[[int], Row]
    size: int = ROWS
    parents: Mapping[str, Sequence[Row]] = field(default_factory=dict)


def ms(number: int) -> int:
    """Some rows are of the same moment."""
    return 1_000_000 + number // 3


def identifier(number: int) -> str:
    return f"{number * 7919 % 10_007:026}"


def owner(number: int) -> str:
    return ANNA if number < ROWS else BEN


def user(user_id: str, at_ms: int = 1) -> Row:
    return {"id": user_id, "role": "user", "created_at_ms": at_ms}


def wallet(user_id: str) -> Row:
    columns = ("balance_fen", "reserved_fen", "entries", "open_turns")
    return {"user_id": user_id, **dict.fromkeys(columns, 0)}


def conversation(conversation_id: str, user_id: str, at_ms: int) -> Row:
    moments = {"created_at_ms": at_ms, "updated_at_ms": at_ms}
    return {"id": conversation_id, "user_id": user_id, "title": "", **moments}


def listed_conversation(number: int) -> Row:
    return conversation(identifier(number), owner(number), ms(number))


def message(number: int) -> Row:
    talk = TALK if number < ROWS else OTHER_TALK
    text = {"role": "user", "content": "Hello"}
    return {
        "id": identifier(number),
        "conversation_id": talk,
        **text,
        "created_at_ms": ms(number),
    }


def entry(number: int) -> Row:
    key = identifier(number)
    amounts = {"amount_fen": 1, "balance_after_fen": 1}
    texts = {"kind": "grant", "business_key": key, "reason": ""}
    numbers = {"entry_number": number, "created_at_ms": ms(number)}
    return {"id": key, "user_id": owner(number), **numbers, **amounts, **texts}


def audit_entry(number: int) -> Row:
    who = {"actor_id": owner(number), "action": "one" if number < ROWS else "other"}
    return {"id": identifier(number), "at_ms": ms(number), "detail": "{}", **who}


def order(number: int) -> Row:
    what = {"package_id": "p", "amount_fen": 1, "credit_fen": 1}
    status = {"status": "paid" if number < ROWS else "closed", "created_at_ms": ms(number)}
    return {"number": identifier(number), "user_id": owner(number), **what, **status}


def invite(number: int) -> Row:
    uses = {"max_uses": 1, "used": 0, "initial_fen": 0, "is_active": 1}
    about = {"note": "", "created_by": ANNA, "created_at_ms": ms(number)}
    return {"code": identifier(number), **uses, **about}


def export(number: int) -> Row:
    counts = dict.fromkeys(("attempt", "rows_written", "bytes_written", "cancel_asked"), 0)
    state = {"state": "failed", "ended_at_ms": 1, "lease_until_ms": 1, "wanted": "{}"}
    by = {"requested_by": ANNA, "created_at_ms": ms(number)}
    return {"id": identifier(number), **counts, **state, **by}


def price(number: int) -> Row:
    amounts = dict.fromkeys(("message_fen", "input_ufen", "cached_ufen", "output_ufen"), 1)
    model = {"model": "one" if number < ROWS else "other", "version": number}
    return {**model, "unit": "token", **amounts, "changed_by": ANNA, "created_at_ms": ms(number)}


def location(number: int) -> Row:
    place = {"latitude": 39.9, "longitude": 116.4, "coordinate_system": "gcj02"}
    moments = {"recorded_at_ms": ms(number), "consented_at_ms": ms(number)}
    return {"id": identifier(number), "user_id": owner(number), **place, **moments}


def drug(number: int) -> Row:
    """Every tenth one is of unknown expiry."""
    key = drugs.UNKNOWN_EXPIRY if number % 10 == 0 else 20_270_000 + number // 3
    texts = {"name": "Aspirin", "media_ids": "[]", "search_text": "aspirin"}
    numbers = {"ai_generated": 0, "version": 1, "expires_key": key, "updated_at_ms": 1}
    expiry = None if number % 10 == 0 else f"{key // 10_000}-{key // 100 % 100:02}-{key % 100:02}"
    of = {"id": identifier(number), "user_id": owner(number), "created_at_ms": ms(number)}
    return {**of, **texts, **numbers, "expires_on": expiry}


def search(
    db: Connection, filters: UserFilter, *, after: Cursor | None, count: int
) -> Sequence[Listed]:
    return user_search.search(db, filters, "2026-01-01", after=after, count=count)


ALL = ROWS + OTHERS
USERS = {"users": [user(ANNA), user(BEN)]}
WALLETS = {**USERS, "wallets": [wallet(ANNA), wallet(BEN)]}
TALKS = {**USERS, "conversations": [conversation(one, ANNA, 1) for one in (TALK, OTHER_TALK)]}

EARLY = RecordedPeriod(ms(300), ms(600))

_audit = partial(List, "audit_log", row=audit_entry)
_orders = partial(List, "orders", row=order, parents=USERS)
_users = partial(List, "users", row=lambda n: user(identifier(n), ms(n)), size=ALL)

LISTS: dict[str, List] = {
    "conversations": List(
        "conversations",
        lambda db, **page: conversations.list_of(db, ANNA, **page),
        listed_conversation,
        parents=USERS,
    ),
    "messages": List(
        "messages",
        lambda db, **page: conversations.list_messages(db, TALK, **page),
        message,
        parents=TALKS,
    ),
    "messages, newest first": List(
        "messages",
        lambda db, **page: conversations.list_newest_messages(db, TALK, **page),
        message,
        parents=TALKS,
    ),
    "ledger": List(
        "ledger", lambda db, **page: wallets.list_entries(db, ANNA, **page), entry, parents=WALLETS
    ),
    "audit": _audit(lambda db, **page: audit.list_newest(db, AuditFilter(), **page), size=ALL),
    "audit by actor": _audit(lambda db, **page: audit.list_newest(db, AuditFilter(ANNA), **page)),
    "audit by action": _audit(
        lambda db, **page: audit.list_newest(db, AuditFilter(action="one"), **page)
    ),
    "orders": _orders(lambda db, **page: orders.list_newest(db, OrderFilter(), **page), size=ALL),
    "orders by status": _orders(
        lambda db, **page: orders.list_newest(db, OrderFilter("paid"), **page)
    ),
    "orders by user": _orders(
        lambda db, **page: orders.list_newest(db, OrderFilter(user_id=ANNA), **page)
    ),
    "locations": List(
        "locations",
        lambda db, **page: locations.list_of(db, ANNA, RecordedPeriod(), **page),
        location,
        parents=USERS,
    ),
    "locations of a period": List(
        "locations",
        lambda db, **page: locations.list_of(db, ANNA, EARLY, **page),
        location,
        size=300,
        parents=USERS,
    ),
    "medicines by expiry": List(
        "drugs",
        lambda db, **page: drugs.list_by_expiry(db, ANNA, DrugFilter(), **page),
        drug,
        parents=USERS,
    ),
    "medicines by creation": List(
        "drugs",
        lambda db, **page: drugs.list_by_creation(db, ANNA, DrugFilter("spir"), **page),
        drug,
        parents=USERS,
    ),
    "invites": List("invites", invites.list_newest, invite, ALL, USERS),
    "exports": List("exports", export_jobs.list_latest, export, ALL, USERS),
    "prices": List("prices", lambda db, **page: prices.list_versions(db, "one", **page), price),
    "users": _users(lambda db, **page: search(db, UserFilter(), **page)),
    "users by role": _users(lambda db, **page: search(db, UserFilter(role="user"), **page)),
    "active users": _users(lambda db, **page: search(db, UserFilter(is_disabled=False), **page)),
}


@pytest.mark.parametrize("database", ["mariadb"], indirect=True)
@pytest.mark.parametrize("name", LISTS)
@pytest.mark.usefixtures("database")
def test_every_page_of_a_list_reads_a_few_hundred_rows_at_most(name: str) -> None:
    listed = LISTS[name]
    for table, parents in listed.parents.items():
        transaction(insert, table, parents)
    for start in range(0, ALL, 500):
        transaction(insert, listed.table, [listed.row(n) for n in range(start, start + 500)])
    read(lambda db: db.find_all(dict, f"ANALYZE TABLE {listed.table}"))

    pages = list(read(walk, listed.page))

    shown = [one for page, _ in pages for one in page]
    assert len({one.cursor for one in shown}) == len(shown) == listed.size
    reads = [count for _, count in pages]
    assert max(reads) <= MOST_READS, reads


def insert(db: Connection, table: str, values: Sequence[Row]) -> None:
    columns = list(values[0])
    placeholders, parameters = rows.values(columns, values)
    statement = f"INSERT INTO {table} ({', '.join(columns)}) VALUES {placeholders}"  # noqa: S608
    db.execute(statement, **parameters)


def walk(db: Connection, page: Page) -> list[tuple[Sequence[Listed], int]]:
    """All pages of a list, each with the rows that the server read for it."""
    return list(_walk(db, page))


def _walk(db: Connection, page: Page) -> Iterator[tuple[Sequence[Listed], int]]:
    own = -rows_read(db) + rows_read(db)  # what the counting itself reads
    after = None
    while True:
        before = rows_read(db)
        found = page(db, after=after, count=SHOWN + 1)
        yield found[:SHOWN], rows_read(db) - before - own
        if len(found) <= SHOWN:
            break
        after = found[SHOWN - 1].cursor


def rows_read(db: Connection) -> int:
    counters: list[dict[str, str]] = db.find_all(dict, "SHOW SESSION STATUS LIKE 'Handler_read%'")
    return sum(int(one["Value"]) for one in counters)
