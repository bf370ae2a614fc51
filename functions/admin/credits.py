"""/api/admin/credits: look at somebody's ledger; give them money, or take it back."""

from functools import partial
from typing import Annotated, Literal

from pydantic import BaseModel, Field, StringConstraints, model_validator

from shared.accounts import auth
from shared.accounts.tokens import Claims
from shared.database.connection import Connection
from shared.database.transactions import read, transaction
from shared.errors import BalanceTooLow
from shared.ids import new_id
from shared.limits.idempotency import ClientKey, client_key, once
from shared.repos import audit, users, wallets
from shared.repos.reports import user_search
from shared.repos.users import User
from shared.repos.wallets import Entry
from shared.times import iso_utc, now_ms, shanghai_day
from shared.web.endpoint import Request, Response, endpoint
from shared.web.pagination import ListQuery, page

_MOST_FEN = 1_000_000_000


class Adjustment(BaseModel):
    """Whole fen: positive gives, negative takes."""

    user_id: str
    amount_fen: Annotated[int, Field(strict=True, ge=-_MOST_FEN, le=_MOST_FEN)]
    reason: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
    kind: Literal["adjustment", "grant"] = "adjustment"

    @model_validator(mode="after")
    def _moves_money(self) -> "Adjustment":
        if self.amount_fen == 0:
            raise ValueError("amount_fen must not be 0")
        if self.kind == "grant" and self.amount_fen < 0:
            raise ValueError("a grant must be positive")
        return self


class Wanted(ListQuery):
    user_id: str


@endpoint("GET", "/api/admin/credits")
def ledger(request: Request) -> Response:
    auth.admitted_administrator(request)
    return Response.ok(read(_ledger, request.parse_query(Wanted)))


@endpoint("POST", "/api/admin/credits")
def adjust(request: Request) -> Response:
    claims, key = auth.admitted_administrator(request), client_key(request)
    wanted = request.parse(Adjustment)
    user_id = read(users.get, wanted.user_id).id
    transaction(wallets.open_wallet, user_id)
    return Response.ok(transaction(_adjust, claims, key, user_id, wanted), status=201)


def _ledger(db: Connection, wanted: Wanted) -> dict[str, object]:
    """Raises: NotFound."""
    user_id = user_search.get(db, wanted.user_id, shanghai_day(now_ms())).id
    rows = wallets.list_entries(db, user_id, after=wanted.after, count=wanted.fetch_count)
    return page("transactions", rows, wanted, tell)


def _adjust(
    db: Connection, claims: Claims, key: ClientKey | None, user_id: str, wanted: Adjustment
) -> dict[str, object]:
    admin = auth.administrator(db, claims)
    return once(db, admin.id, key, partial(_book, db, admin, user_id, wanted))


def _book(db: Connection, admin: User, user_id: str, wanted: Adjustment) -> dict[str, object]:
    """Raises: BalanceTooLow."""
    entry = wallets.book(
        db,
        user_id,
        wanted.kind,
        wanted.amount_fen,
        key=f"admin:{new_id()}",
        reason=wanted.reason,
    )
    if entry is None:
        raise BalanceTooLow
    told = {"user_id": user_id, **tell(entry)}
    audit.record(db, admin.id, "credits.adjust", told)
    return told


def tell(entry: Entry) -> dict[str, object]:
    """`business_key` says what it is for, such as `charge:` and the id of a message."""
    return {
        "id": entry.id,
        "kind": entry.kind,
        "amount_fen": entry.amount_fen,
        "balance_after_fen": entry.balance_after_fen,
        "business_key": entry.business_key,
        "reason": entry.reason,
        "created_at": iso_utc(entry.created_at_ms),
    }


endpoints = (ledger, adjust)
