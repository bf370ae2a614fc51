"""/api/admin/credits: read the ledger of a user, and adjust the balance."""

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import BaseModel, Field, StringConstraints, model_validator

from functions.admin.creation import create_once
from functions.admin.lists import list_page
from shared.accounts import auth
from shared.database.connection import Connection
from shared.database.transactions import read, transaction
from shared.errors import BalanceTooLow
from shared.ids import new_id
from shared.limits.idempotency import client_key
from shared.problems import Problem
from shared.repos import audit, users, wallets
from shared.repos.reports import user_search
from shared.repos.users import User
from shared.repos.wallets import LedgerEntry, NumberedLedgerEntry
from shared.times import iso_utc, now_ms, shanghai_day
from shared.web.endpoint import Request, Response, endpoint
from shared.web.pagination import ListQuery

_MOST_FEN = 1_000_000_000


class AdjustBalance(BaseModel):
    """Whole fen: a positive amount is added, a negative one is taken away."""

    user_id: str
    amount_fen: Annotated[int, Field(strict=True, ge=-_MOST_FEN, le=_MOST_FEN)]
    reason: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
    kind: Literal["adjustment", "grant"] = "adjustment"

    @model_validator(mode="after")
    def _moves_money(self) -> "AdjustBalance":
        if self.amount_fen == 0:
            raise ValueError(Problem("amount_fen must not be 0", "amount_fen 不能为 0"))
        if self.kind == "grant" and self.amount_fen < 0:
            raise ValueError(Problem("a grant must be positive", "赠送金额必须为正数"))
        return self


class LedgerQuery(ListQuery):
    user_id: str


@endpoint("GET", "/api/admin/credits", query=LedgerQuery)
def list_transactions(request: Request) -> Response:
    return list_page(request, LedgerQuery, _find, entry_json)


@endpoint("POST", "/api/admin/credits", body=AdjustBalance)
def adjust_balance(request: Request) -> Response:
    claims, key = auth.admitted_administrator(request), client_key(request)
    body = request.parse(AdjustBalance)
    transaction(wallets.open_wallet, read(users.get, body.user_id).id)
    return Response.ok(transaction(create_once, claims, key, _book, body), 201)


def _find(db: Connection, query: LedgerQuery) -> Sequence[NumberedLedgerEntry]:
    """Raises: NotFound: there is no such user."""
    user_id = user_search.get(db, query.user_id, shanghai_day(now_ms())).id
    return wallets.list_entries(db, user_id, after=query.after, count=query.fetch_count)


def _book(db: Connection, admin: User, body: AdjustBalance) -> dict[str, object]:
    """Raises: BalanceTooLow."""
    entry = wallets.book(
        db,
        body.user_id,
        body.kind,
        body.amount_fen,
        key=f"admin:{new_id()}",
        reason=body.reason,
    )
    if entry is None:
        raise BalanceTooLow
    booked = {"user_id": body.user_id, **entry_json(entry)}
    audit.record(db, admin.id, "credits.adjust", booked)
    return booked


def entry_json(entry: LedgerEntry) -> dict[str, object]:
    """`business_key` names the reason of the entry, such as `charge:` and a message id."""
    return {
        "id": entry.id,
        "kind": entry.kind,
        "amount_fen": entry.amount_fen,
        "balance_after_fen": entry.balance_after_fen,
        "business_key": entry.business_key,
        "reason": entry.reason,
        "created_at": iso_utc(entry.created_at_ms),
    }


endpoints = (list_transactions, adjust_balance)
