"""GET /api/credits, /transactions and /pricing: quota and balance, ledger, prices."""

from functions.credits import logic
from shared import settings
from shared.accounts import auth
from shared.accounts.tokens import Claims
from shared.config import load
from shared.database.connection import Connection
from shared.database.transactions import read
from shared.money import price_list
from shared.repos import daily_messages, wallets
from shared.times import now_ms, shanghai_day
from shared.web.endpoint import Request, Response, endpoint, serve
from shared.web.pagination import ListQuery, page


@endpoint("GET", "/api/credits")
def get_credits(request: Request) -> Response:
    return Response.ok(read(_credits, auth.signed_in(request)))


@endpoint("GET", "/api/credits/transactions", query=ListQuery)
def list_transactions(request: Request) -> Response:
    claims = auth.signed_in(request)
    return Response.ok(read(_transactions, claims, request.parse_query(ListQuery)))


@endpoint("GET", "/api/credits/pricing")
def get_pricing(request: Request) -> Response:
    return Response.ok(read(_pricing, auth.signed_in(request)))


def _credits(db: Connection, claims: Claims) -> dict[str, object]:
    user = auth.active_user(db, claims)
    used = daily_messages.find_used(db, user.id, shanghai_day(now_ms())) or 0
    wallet = wallets.find(db, user.id) or wallets.EMPTY
    return logic.credits_json(load(settings.Quota).daily_free_messages, used, wallet)


def _transactions(db: Connection, claims: Claims, query: ListQuery) -> dict[str, object]:
    user = auth.active_user(db, claims)
    rows = wallets.list_entries(db, user.id, after=query.after, count=query.fetch_count)
    return page(rows, query, logic.transaction_json)


def _pricing(db: Connection, claims: Claims) -> dict[str, object]:
    auth.active_user(db, claims)
    return logic.pricing_json(load(settings.Quota), price_list.list_current(db))


handler = serve(get_credits, list_transactions, get_pricing)
