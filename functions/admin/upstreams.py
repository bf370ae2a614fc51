"""/api/admin/upstreams: whom stored models are answered by, and trying one of them."""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial

from pydantic import BaseModel

from functions.admin.fields import (
    ModelName,
    Ufen,
    UpstreamKey,
    UpstreamName,
    UpstreamUrl,
    Weight,
)
from shared.accounts import auth
from shared.accounts.tokens import Claims
from shared.config import Secret
from shared.database.connection import Connection
from shared.database.transactions import read, transaction
from shared.errors import InvalidRequest, NotFound
from shared.ids import new_id
from shared.limits.idempotency import ClientKey, client_key, once
from shared.llm import sealing
from shared.repos import audit, models, upstreams
from shared.repos.upstreams import Changes, Upstream
from shared.repos.users import User
from shared.times import iso_utc, now_ms
from shared.web.endpoint import Request, Response, endpoint

_LEAST_HINTED = 16  # the end of a shorter key would be too much of it


class New(BaseModel):
    model: ModelName
    name: UpstreamName
    url: UpstreamUrl
    key: UpstreamKey
    vendor_model: ModelName | None = None
    weight: Weight = 1
    input_ufen: Ufen = 0
    cached_ufen: Ufen = 0
    output_ufen: Ufen = 0
    enabled: bool = True


class Wanted(BaseModel):
    """What is not given stays as it is."""

    name: UpstreamName | None = None
    url: UpstreamUrl | None = None
    key: UpstreamKey | None = None
    vendor_model: ModelName | None = None
    weight: Weight | None = None
    input_ufen: Ufen | None = None
    cached_ufen: Ufen | None = None
    output_ufen: Ufen | None = None
    enabled: bool | None = None


@endpoint("GET", "/api/admin/upstreams")
def listing(request: Request) -> Response:
    auth.admitted_administrator(request)
    return Response.ok({"upstreams": [tell(upstream) for upstream in read(upstreams.list_all)]})


@endpoint("POST", "/api/admin/upstreams")
def create(request: Request) -> Response:
    claims, key = auth.admitted_administrator(request), client_key(request)
    upstream = _sealed(request.parse(New))
    return Response.ok(transaction(_create, claims, key, upstream), 201)


@endpoint("PATCH", "/api/admin/upstreams/{upstream_id}")
def change(request: Request) -> Response:
    claims = auth.admitted_administrator(request)
    wanted = request.parse(Wanted)
    return Response.ok(tell(transaction(_change, claims, request.path["upstream_id"], wanted)))


@endpoint("DELETE", "/api/admin/upstreams/{upstream_id}")
def delete(request: Request) -> Response:
    claims = auth.admitted_administrator(request)
    transaction(_delete, claims, request.path["upstream_id"])
    return Response.ok({"id": request.path["upstream_id"]})


@endpoint("POST", "/api/admin/upstreams/{upstream_id}/test")
def test(request: Request) -> Response:
    from functions.admin import connection_test  # the model client, which nothing else here needs

    claims = auth.admitted_administrator(request)
    upstream = transaction(_begin_test, claims, request.path["upstream_id"])
    return Response.ok(connection_test.of(upstream))


def _sealed(new: New) -> Upstream:
    upstream_id, at_ms = new_id(), now_ms()
    key = Secret(new.key.get_secret_value())
    return Upstream(
        id=upstream_id,
        model=new.model,
        name=new.name,
        url=new.url,
        vendor_model=new.vendor_model or new.model,
        sealed_key=sealing.seal(key, upstream_id, new.url),
        key_hint=_hint(key),
        weight=new.weight,
        input_ufen=new.input_ufen,
        cached_ufen=new.cached_ufen,
        output_ufen=new.output_ufen,
        is_enabled=int(new.enabled),
        created_at_ms=at_ms,
        updated_at_ms=at_ms,
    )


def _hint(key: Secret) -> str:
    return key.reveal()[-4:] if len(key.reveal()) >= _LEAST_HINTED else ""


def _create(
    db: Connection, claims: Claims, key: ClientKey | None, upstream: Upstream
) -> dict[str, object]:
    admin = auth.administrator(db, claims)
    return once(db, admin.id, key, partial(_add, db, admin, upstream))


def _add(db: Connection, admin: User, upstream: Upstream) -> dict[str, object]:
    try:
        models.get(db, upstream.model)
    except NotFound:
        problem = {"field": "body.model", "problem": "must be a stored model"}
        raise InvalidRequest(details=[problem]) from None
    upstreams.add(db, upstream)
    audit.record(db, admin.id, "upstream.create", _described(upstream))
    return tell(upstream)


def _change(db: Connection, claims: Claims, upstream_id: str, wanted: Wanted) -> Upstream:
    admin = auth.administrator(db, claims)
    known = upstreams.get(db, upstream_id)
    upstreams.change(db, known, _changes(known, wanted), at_ms=now_ms())
    given = wanted.model_dump(exclude={"key"}, exclude_none=True)
    detail = {"id": known.id, **given, "key_replaced": wanted.key is not None}
    audit.record(db, admin.id, "upstream.change", detail)
    return upstreams.get(db, known.id)


def _changes(known: Upstream, wanted: Wanted) -> Changes:
    """A key is sealed for one server, so that nobody can have it sent to another.

    Raises: InvalidRequest: the URL leads elsewhere, and the key was not given again.
    """
    url, key = wanted.url or known.url, wanted.key
    if key is None and sealing.origin_of(url) != sealing.origin_of(known.url):
        problem = {"field": "body.key", "problem": "must be given again for another server"}
        raise InvalidRequest(details=[problem])
    changes = Changes(
        name=wanted.name,
        url=wanted.url,
        vendor_model=wanted.vendor_model,
        weight=wanted.weight,
        input_ufen=wanted.input_ufen,
        cached_ufen=wanted.cached_ufen,
        output_ufen=wanted.output_ufen,
        is_enabled=wanted.enabled,
    )
    if key is None:
        return changes
    secret = Secret(key.get_secret_value())
    sealed = sealing.seal(secret, known.id, url)
    return replace(changes, sealed_key=sealed, key_hint=_hint(secret))


def _delete(db: Connection, claims: Claims, upstream_id: str) -> None:
    """What it was asked stays in the usage, by its name."""
    admin = auth.administrator(db, claims)
    known = upstreams.get(db, upstream_id)
    upstreams.remove(db, known.id)
    audit.record(db, admin.id, "upstream.delete", _described(known))


def _begin_test(db: Connection, claims: Claims, upstream_id: str) -> Upstream:
    """It costs something, so it is written down."""
    admin = auth.administrator(db, claims)
    known = upstreams.get(db, upstream_id)
    audit.record(db, admin.id, "upstream.test", {"id": known.id, "name": known.name})
    return known


def _described(upstream: Upstream) -> Mapping[str, object]:
    """Without anything of the key."""
    hidden = {"key_hint", "created_at", "updated_at"}
    return {name: value for name, value in tell(upstream).items() if name not in hidden}


def tell(upstream: Upstream) -> dict[str, object]:
    """The key itself never leaves; its end tells which one it is."""
    return {
        "id": upstream.id,
        "model": upstream.model,
        "name": upstream.name,
        "url": upstream.url,
        "vendor_model": upstream.vendor_model,
        "key_hint": upstream.key_hint,
        "weight": upstream.weight,
        "input_ufen": upstream.input_ufen,
        "cached_ufen": upstream.cached_ufen,
        "output_ufen": upstream.output_ufen,
        "enabled": bool(upstream.is_enabled),
        "created_at": iso_utc(upstream.created_at_ms),
        "updated_at": iso_utc(upstream.updated_at_ms),
    }


endpoints = (listing, create, change, delete, test)
