"""/api/admin/invites: make invite codes, list them, take them away as a file, deactivate them."""

from collections.abc import Mapping
from datetime import datetime
from functools import partial
from typing import Annotated

from pydantic import AfterValidator, BaseModel, Field, StringConstraints

from shared.accounts import auth
from shared.accounts.codes import new_code
from shared.accounts.tokens import Claims
from shared.database.connection import Connection
from shared.database.transactions import read, transaction
from shared.errors import ExportTooLarge
from shared.exports.spreadsheet import CSV_MARK, Cell, csv_line
from shared.limits.idempotency import ClientKey, client_key, once
from shared.repos import audit, invites, users
from shared.repos.invites import Invite
from shared.repos.users import User
from shared.times import iso_utc, iso_utc_if, now_ms
from shared.web.endpoint import Request, Response, endpoint
from shared.web.pagination import ListQuery, page
from shared.web.periods import Moment, Period, milliseconds

_CODE_GROUPS = 3  # of four characters: 59 bits, far more than anybody can try
_COLUMNS = (
    *("code", "owner_id", "max_uses", "used", "initial_fen", "note", "is_active"),
    *("expires_at", "created_by", "created_at"),
)
_MOST_CODES = 500
_MOST_EXPORTED = 50_000  # about 10 MB


def _is_to_come(moment: datetime) -> datetime:
    if (milliseconds(moment) or 0) <= now_ms():
        raise ValueError("must be in the future")
    return moment


class Batch(BaseModel):
    """`count` codes that are alike."""

    count: int = Field(default=1, ge=1, le=_MOST_CODES)
    max_uses: int = Field(default=1, ge=1, le=1_000_000)
    initial_fen: Annotated[int, Field(strict=True, ge=0, le=10_000_000)] = 0
    note: Annotated[str, StringConstraints(strip_whitespace=True, max_length=200)] = ""
    expires_at: Annotated[Moment, AfterValidator(_is_to_come)] | None = None
    owner_id: str | None = None


class Wanted(ListQuery):
    active: bool | None = None


@endpoint("GET", "/api/admin/invites")
def listing(request: Request) -> Response:
    auth.admitted_administrator(request)
    return Response.ok(read(_list, request.parse_query(Wanted)))


@endpoint("POST", "/api/admin/invites")
def create(request: Request) -> Response:
    claims, key = auth.admitted_administrator(request), client_key(request)
    return Response.ok(transaction(_create, claims, key, request.parse(Batch)), status=201)


@endpoint("DELETE", "/api/admin/invites/{code}")
def deactivate(request: Request) -> Response:
    claims = auth.admitted_administrator(request)
    return Response.ok(transaction(_deactivate, claims, request.path["code"].upper()))


@endpoint("GET", "/api/admin/invites/export")
def export(request: Request) -> Response:
    """`inline`, because the platform does not let `attachment` pass."""
    claims, period = auth.admitted_administrator(request), request.parse_query(Period)
    nothing_leaves = request.method == "HEAD"  # so nothing is written down
    return Response.of(
        b"" if nothing_leaves else transaction(_export, claims, period),
        "text/csv; charset=utf-8",
        content_disposition=f'inline; filename="invites-{iso_utc(now_ms())[:10]}.csv"',
    )


def _list(db: Connection, wanted: Wanted) -> dict[str, object]:
    rows = invites.list_newest(
        db, is_active=wanted.active, after=wanted.after, count=wanted.fetch_count
    )
    return page("invites", rows, wanted, tell)


def _create(
    db: Connection, claims: Claims, key: ClientKey | None, batch: Batch
) -> dict[str, object]:
    admin = auth.administrator(db, claims)
    return once(db, admin.id, key, partial(_add, db, admin, batch))


def _add(db: Connection, admin: User, batch: Batch) -> dict[str, object]:
    """Raises: NotFound: the owner is nobody."""
    owner_id = users.get(db, batch.owner_id).id if batch.owner_id else None
    made = [_add_one(db, admin, batch, owner_id) for _ in range(batch.count)]
    audit.record(db, admin.id, "invites.create", batch.model_dump(mode="json"))
    return {"invites": [tell(invite) for invite in made]}


def _add_one(db: Connection, admin: User, batch: Batch, owner_id: str | None) -> Invite:
    """Another code where somebody has this one, once in a very long time."""
    invite = Invite(
        code=new_code(groups=_CODE_GROUPS),
        owner_id=owner_id,
        max_uses=batch.max_uses,
        used=0,
        initial_fen=batch.initial_fen,
        note=batch.note,
        is_active=True,
        expires_at_ms=milliseconds(batch.expires_at),
        created_by=admin.id,
        created_at_ms=now_ms(),
    )
    return invite if invites.add(db, invite) else _add_one(db, admin, batch, owner_id)


def _deactivate(db: Connection, claims: Claims, code: str) -> Mapping[str, object]:
    admin = auth.administrator(db, claims)
    invites.deactivate(db, code)
    invite = invites.get(db, code)
    audit.record(db, admin.id, "invite.deactivate", {"code": invite.code, "used": invite.used})
    return tell(invite)


def _export(db: Connection, claims: Claims, period: Period) -> bytes:
    """Raises: ExportTooLarge."""
    admin = auth.administrator(db, claims)
    rows = invites.list_created(db, period.from_ms, period.to_ms, count=_MOST_EXPORTED + 1)
    if len(rows) > _MOST_EXPORTED:
        raise ExportTooLarge
    detail = {**period.model_dump(mode="json", by_alias=True), "rows": len(rows)}
    audit.record(db, admin.id, "invites.export", detail)
    return CSV_MARK + csv_line(_COLUMNS) + b"".join(csv_line(tell(row).values()) for row in rows)


def tell(invite: Invite) -> dict[str, Cell]:
    return {
        "code": invite.code,
        "owner_id": invite.owner_id,
        "max_uses": invite.max_uses,
        "used": invite.used,
        "initial_fen": invite.initial_fen,
        "note": invite.note,
        "is_active": invite.is_active,
        "expires_at": iso_utc_if(invite.expires_at_ms),
        "created_by": invite.created_by,
        "created_at": iso_utc(invite.created_at_ms),
    }


endpoints = (listing, create, deactivate, export)
