"""/api/admin/invites: create, list, export and deactivate invite codes."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, BaseModel, Field

from functions.admin.creation import create_once
from functions.admin.lists import list_page
from shared.accounts import auth
from shared.accounts.codes import new_code
from shared.accounts.tokens import Claims
from shared.database.connection import Connection
from shared.database.transactions import transaction
from shared.errors import ExportTooLarge
from shared.exports.spreadsheet import CSV_MARK, Cell, csv_line
from shared.limits.idempotency import client_key
from shared.problems import Problem
from shared.repos import audit, invites, users
from shared.repos.invites import Invite
from shared.repos.users import User
from shared.times import iso_utc, iso_utc_if, now_ms
from shared.web.endpoint import Request, Response, endpoint
from shared.web.fields import Note
from shared.web.pagination import ListQuery
from shared.web.periods import Moment, Period, milliseconds

_CODE_GROUPS = 3  # of four characters: 59 bits, too many to guess
_COLUMNS = (
    *("code", "owner_id", "max_uses", "used", "initial_fen", "note", "is_active"),
    *("expires_at", "created_by", "created_at"),
)
_MOST_CODES = 500
_MOST_EXPORTED = 50_000  # about 10 MB


def _in_the_future(moment: datetime) -> datetime:
    if (milliseconds(moment) or 0) <= now_ms():
        raise ValueError(Problem("must be in the future", "必须是将来的时间"))
    return moment


class CreateInvites(BaseModel):
    """`count` codes with the same properties."""

    count: int = Field(default=1, ge=1, le=_MOST_CODES)
    max_uses: int = Field(default=1, ge=1, le=1_000_000)
    initial_fen: Annotated[int, Field(strict=True, ge=0, le=10_000_000)] = 0
    note: Note = ""
    expires_at: Annotated[Moment, AfterValidator(_in_the_future)] | None = None
    owner_id: str | None = None


class InvitesQuery(ListQuery):
    active: bool | None = None


@endpoint("GET", "/api/admin/invites", query=InvitesQuery)
def list_invites(request: Request) -> Response:
    return list_page(request, InvitesQuery, _find, invite_json)


@endpoint("POST", "/api/admin/invites", body=CreateInvites)
def create_invites(request: Request) -> Response:
    claims, key = auth.admitted_administrator(request), client_key(request)
    body = request.parse(CreateInvites)
    return Response.ok(transaction(create_once, claims, key, _add, body), 201)


@endpoint("DELETE", "/api/admin/invites/{code}")
def deactivate_invite(request: Request) -> Response:
    claims = auth.admitted_administrator(request)
    return Response.ok(transaction(_deactivate, claims, request.path["code"].upper()))


@endpoint("GET", "/api/admin/invites/export", query=Period)
def export_invites(request: Request) -> Response:
    """`inline`, because the platform removes `attachment`."""
    claims, period = auth.admitted_administrator(request), request.parse_query(Period)
    is_head = request.method == "HEAD"  # no data leaves, so nothing is audited
    return Response.of(
        b"" if is_head else transaction(_export, claims, period),
        "text/csv; charset=utf-8",
        content_disposition=f'inline; filename="invites-{iso_utc(now_ms())[:10]}.csv"',
    )


def _find(db: Connection, query: InvitesQuery) -> Sequence[Invite]:
    return invites.list_newest(
        db, is_active=query.active, after=query.after, count=query.fetch_count
    )


def _add(db: Connection, admin: User, body: CreateInvites) -> dict[str, object]:
    """Raises: NotFound: the owner is not an account."""
    owner_id = users.get(db, body.owner_id).id if body.owner_id else None
    created = [_add_one(db, admin, body, owner_id) for _ in range(body.count)]
    audit.record(db, admin.id, "invites.create", body.model_dump(mode="json"))
    return {"invites": [invite_json(invite) for invite in created]}


def _add_one(db: Connection, admin: User, body: CreateInvites, owner_id: str | None) -> Invite:
    """Add an invite; try another code in the rare case that the code exists already."""
    invite = Invite(
        code=new_code(groups=_CODE_GROUPS),
        owner_id=owner_id,
        max_uses=body.max_uses,
        used=0,
        initial_fen=body.initial_fen,
        note=body.note,
        is_active=True,
        expires_at_ms=milliseconds(body.expires_at),
        created_by=admin.id,
        created_at_ms=now_ms(),
    )
    return invite if invites.add(db, invite) else _add_one(db, admin, body, owner_id)


def _deactivate(db: Connection, claims: Claims, code: str) -> Mapping[str, object]:
    admin = auth.administrator(db, claims)
    invites.deactivate(db, code)
    invite = invites.get(db, code)
    audit.record(db, admin.id, "invite.deactivate", {"code": invite.code, "used": invite.used})
    return invite_json(invite)


def _export(db: Connection, claims: Claims, period: Period) -> bytes:
    """Raises: ExportTooLarge."""
    admin = auth.administrator(db, claims)
    rows = invites.list_created(db, period.from_ms, period.to_ms, count=_MOST_EXPORTED + 1)
    if len(rows) > _MOST_EXPORTED:
        raise ExportTooLarge
    detail = {**period.model_dump(mode="json", by_alias=True), "rows": len(rows)}
    audit.record(db, admin.id, "invites.export", detail)
    return (
        CSV_MARK
        + csv_line(_COLUMNS)
        + b"".join(csv_line(invite_json(row).values()) for row in rows)
    )


def invite_json(invite: Invite) -> dict[str, Cell]:
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


endpoints = (list_invites, create_invites, deactivate_invite, export_invites)
