"""An administrator, data to export, and readers of exported files."""

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import openpyxl  # type: ignore[import-untyped]  # it has no types, and nobody stubs it here

from functions.export.index import handler as export
from shared.accounts.tokens import Claims, issue_access
from shared.database.connection import Connection
from shared.database.transactions import read, transaction
from shared.repos import audit, conversations, media, users, wallets
from shared.repos.conversations import Conversation, Message
from shared.repos.media import Media
from shared.repos.users import User
from shared.times import iso_utc
from tests.events import Reply, invoke
from tests.people import NOON_MS, add_user, open_session

PATH = "/api/admin/export"
HASH = "sha384-canary-of-a-password-hash"
SESSION = "canary-of-a-session"

ROOT = User("01ROOT", "root@example.com", "root", HASH, "admin", NOON_MS, None)
ANNA = User("01ANNA", "anna@example.com", None, HASH, "user", NOON_MS + 1, None)


def add_users(*accounts: User) -> None:
    for account in accounts:
        add_user(**vars(account))
        open_session(account.id, _session(account), device="canary of a device")


def _session(user: User) -> str:
    return f"{SESSION}-{user.id}"


def token_of(user: User, *, role: str = "") -> str:
    return issue_access(Claims(user.id, _session(user), role or user.role))


def admin_token() -> str:
    add_users(ROOT)
    return token_of(ROOT)


def message(number: int, content: str, **more: Any) -> Message:
    asked = Message(f"m{number:04}", "c1", "user", content, NOON_MS + number)
    return replace(asked, **more)


def add_messages(*messages: Message) -> None:
    """Add messages to one conversation of Anna."""
    add_users(ANNA)
    transaction(conversations.add, Conversation("c1", ANNA.id, "Mangoes", NOON_MS))
    transaction(_append_all, messages)


def _append_all(db: Connection, messages: tuple[Message, ...]) -> None:
    for one in messages:
        conversations.append(db, one)
        conversations.touch(db, "c1", at_ms=one.created_at_ms)


def ask(token: str, *, method: str = "GET", language: str = "en", **query: str) -> Reply:
    named = {name.rstrip("_"): text for name, text in query.items()}
    headers = {"Accept-Language": language}
    return invoke(export, method, PATH, token=token, headers=headers, query=named)


def add_rows(at: Sequence[int]) -> None:
    """Add one numbered row to each dataset for each of these times."""
    transaction(_add_rows, at)


def _add_rows(db: Connection, at: Sequence[int]) -> None:
    for n, at_ms in enumerate(at):
        users.add(db, User(f"u{n:03}", f"{n}@example.com", None, HASH, "user", at_ms, None))
        conversations.add(db, Conversation(f"c{n:03}", f"u{n:03}", "Title", at_ms))
        conversations.append(db, Message(f"m{n:03}", f"c{n:03}", "user", "Hello", at_ms))
        file = (f"u{n:03}", f"media/{n}", "box.png", "image/png", 9, "1", at_ms)
        media.add(db, Media(f"m{n:03}", f"up{n:03}", *file))
        audit.add(db, audit.AuditEntry(f"a{n:03}", at_ms, f"u{n:03}", "test", "{}"))
        place = {"latitude": 1, "longitude": 1, "coordinate_system": "gcj02", "recorded_at_ms": 1}
        insert(db, "locations", id=f"l{n:03}", user_id=f"u{n:03}", consented_at_ms=at_ms, **place)
        _add_money(db, n, at_ms)


def _add_money(db: Connection, n: int, at_ms: int) -> None:
    """Add an order, a ledger entry and a turn, which do not fit together, and a medicine."""
    wallets.open_wallet(db, f"u{n:03}")
    made = [("orders", _order(n)), ("ledger", _entry(n)), ("turns", _turn(n)), ("drugs", _drug(n))]
    for table, row in made:
        insert(db, table, user_id=f"u{n:03}", created_at_ms=at_ms, **row)


def _drug(n: int) -> dict[str, object]:
    numbers = {"ai_generated": 1, "version": 1, "expires_key": 20270331, "updated_at_ms": 1}
    return {"id": f"d{n:03}", "name": "Aspirin", "media_ids": "[]", "search_text": "", **numbers}


def _order(n: int) -> dict[str, object]:
    return {"number": f"o{n:03}", "package_id": "s", "amount_fen": 1, "credit_fen": 1} | {
        "status": "pending"
    }


def _entry(n: int) -> dict[str, object]:
    return {"id": f"t{n:03}", "entry_number": 1, "kind": "grant", "amount_fen": 1} | {
        "balance_after_fen": 1,
        "business_key": f"grant:{n}",
        "reason": "",
    }


def _turn(n: int) -> dict[str, object]:
    counts = ("daily_limit", "reserved_fen", "prompt_tokens", "stop_requested", "lease_until_ms")
    return {"message_id": f"u{n:03}", "subject": f"u{n:03}", **dict.fromkeys(counts, 0)} | {
        "model": "m",
        "payment": "free",
        "day": "2026-11-22",
        "price": "",
        "state": "open",
    }


def insert(db: Connection, table: str, /, **row: object) -> None:
    names = ", ".join(row)
    values = ", ".join(f":{name}" for name in row)
    db.execute(f"INSERT INTO {table} ({names}) VALUES ({values})", **row)  # noqa: S608  # names


@dataclass(frozen=True)
class Audited:
    id: str
    at: str
    actor_id: str
    action: str
    detail: str


def audit_entries() -> list[Audited]:
    """The entries of the audit dataset, oldest first."""
    return read(_audit_entries)


def _audit_entries(db: Connection) -> list[Audited]:
    return db.find_all(
        lambda at_ms, **entry: Audited(at=iso_utc(at_ms), **entry),
        "SELECT id, at_ms, actor_id, action, detail FROM audit_log ORDER BY at_ms, id",
    )


def csv_rows(body: bytes) -> list[list[str]]:
    """Read CSV rows; a private character replaces NUL, which Python 3.10 cannot read."""
    text = body.decode("utf-8-sig").replace("\0", "\ue000")
    rows = csv.reader(io.StringIO(text, newline=""), strict=True)
    return [[cell.replace("\ue000", "\0") for cell in row] for row in rows]


def json_lines(body: bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in body.split(b"\n") if line]


def sheet(body: bytes) -> Any:
    return openpyxl.load_workbook(io.BytesIO(body)).active


def sheet_rows(body: bytes) -> list[list[Any]]:
    return [list(row) for row in sheet(body).iter_rows(values_only=True)]


def sheet_column(body: bytes, heading: str) -> list[Any]:
    """The cells of a column, below its heading."""
    columns = sheet(body).iter_cols()
    return next(list(column[1:]) for column in columns if column[0].value == heading)
