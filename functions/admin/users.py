"""/api/admin/users: find accounts and look at them."""

from typing import Literal

from shared import auth
from shared.db import Connection, read
from shared.fields import Search
from shared.http import Request, Response, endpoint
from shared.paging import Paging, page
from shared.repos import directory
from shared.repos.directory import Filter, Listed
from shared.times import iso_utc, now_ms, shanghai_day


class Wanted(Paging):
    q: Search | None = None
    role: Literal["user", "admin"] | None = None
    disabled: bool | None = None


@endpoint("GET", "/api/admin/users")
def listing(request: Request) -> Response:
    auth.admitted_administrator(request)
    return Response.ok(read(_list, request.parse_query(Wanted)))


@endpoint("GET", "/api/admin/users/*")
def one(request: Request) -> Response:
    auth.admitted_administrator(request)
    return Response.ok(read(_told, request.last_segment))


def _list(db: Connection, wanted: Wanted) -> dict[str, object]:
    sought = Filter(wanted.q, wanted.role, wanted.disabled)
    rows = directory.search(db, sought, _today(), after=wanted.last, count=wanted.count)
    return page("users", rows, wanted, tell)


def _told(db: Connection, user_id: str) -> dict[str, object]:
    return tell(directory.get(db, user_id, _today()))


def _today() -> str:
    return shanghai_day(now_ms())


def tell(user: Listed) -> dict[str, object]:
    """`balance_fen` is what may still be spent, as the account itself is told."""
    return {
        "id": user.id,
        "email": user.email,
        "username": user.username,
        "role": user.role,
        "created_at": iso_utc(user.created_at_ms),
        "disabled_at": iso_utc(user.disabled_at_ms) if user.disabled_at_ms else None,
        "deleted_at": iso_utc(user.erased_at_ms) if user.erased_at_ms else None,
        "balance_fen": user.balance_fen - user.reserved_fen,
        "reserved_fen": user.reserved_fen,
        "used_today": user.used_today,
    }


endpoints = (listing, one)
