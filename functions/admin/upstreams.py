"""/api/admin/upstreams: list, add, change, delete and test the upstreams of stored models."""

from collections.abc import Mapping
from dataclasses import replace

from functions.admin.creation import create_once
from functions.admin.fields import (
    ModelName,
    UpstreamKey,
    UpstreamName,
    UpstreamUrl,
    Weight,
)
from functions.admin.token_prices import TokenPrices, exact
from shared.accounts import auth
from shared.accounts.tokens import Claims
from shared.config import Secret
from shared.database.connection import Connection
from shared.database.transactions import read, transaction
from shared.errors import InvalidRequest, NotFound
from shared.ids import new_id
from shared.limits.idempotency import client_key
from shared.llm import sealing
from shared.pricing import Costs, rates_json
from shared.problems import Problem, detail
from shared.repos import audit, models, upstreams
from shared.repos.upstreams import Changes, StoredUpstream
from shared.repos.users import User
from shared.times import iso_utc, now_ms
from shared.web.endpoint import Request, Response, endpoint
from shared.web.lists import list_json

_LEAST_HINTED = 16  # four characters of a shorter key would reveal too much of it


class CreateUpstream(TokenPrices):
    """Input from a cache costs as much as other input where no cost of it is given."""

    model: ModelName
    name: UpstreamName
    url: UpstreamUrl
    key: UpstreamKey
    vendor_model: ModelName | None = None
    weight: Weight = 1
    enabled: bool = True
    vision: bool = False


class ChangeUpstream(TokenPrices):
    """Fields not given stay unchanged."""

    name: UpstreamName | None = None
    url: UpstreamUrl | None = None
    key: UpstreamKey | None = None
    vendor_model: ModelName | None = None
    weight: Weight | None = None
    enabled: bool | None = None
    vision: bool | None = None


@endpoint("GET", "/api/admin/upstreams")
def list_upstreams(request: Request) -> Response:
    auth.admitted_administrator(request)
    return Response.ok(list_json([upstream_json(one) for one in read(upstreams.list_all)]))


@endpoint("POST", "/api/admin/upstreams", body=CreateUpstream)
def create_upstream(request: Request) -> Response:
    claims, key = auth.admitted_administrator(request), client_key(request)
    upstream = _sealed(request.parse(CreateUpstream, parse_float=exact))
    return Response.ok(transaction(create_once, claims, key, _add, upstream), 201)


@endpoint("PATCH", "/api/admin/upstreams/{upstream_id}", body=ChangeUpstream)
def change_upstream(request: Request) -> Response:
    claims = auth.admitted_administrator(request)
    body = request.parse(ChangeUpstream, parse_float=exact)
    changed = transaction(_change, claims, request.path["upstream_id"], body)
    return Response.ok(upstream_json(changed))


@endpoint("DELETE", "/api/admin/upstreams/{upstream_id}")
def delete_upstream(request: Request) -> Response:
    claims = auth.admitted_administrator(request)
    transaction(_delete, claims, request.path["upstream_id"])
    return Response.ok({"id": request.path["upstream_id"]})


@endpoint("POST", "/api/admin/upstreams/{upstream_id}/test")
def test_upstream(request: Request) -> Response:
    from functions.admin import connection_test  # loads the model client, which only this needs

    claims = auth.admitted_administrator(request)
    upstream = transaction(_begin_test, claims, request.path["upstream_id"])
    return Response.ok(connection_test.run(upstream))


def _sealed(body: CreateUpstream) -> StoredUpstream:
    upstream_id, at_ms = new_id(), now_ms()
    key = Secret(body.key.get_secret_value())
    return StoredUpstream(
        id=upstream_id,
        model=body.model,
        name=body.name,
        url=body.url,
        vendor_model=body.vendor_model or body.model,
        sealed_key=sealing.seal(key, upstream_id, body.url),
        key_hint=_hint(key),
        weight=body.weight,
        **vars(_costs(body)),
        is_enabled=int(body.enabled),
        vision=int(body.vision),
        created_at_ms=at_ms,
        updated_at_ms=at_ms,
    )


def _costs(body: CreateUpstream) -> Costs:
    given = body.in_ufen
    fresh, cached = given["input_ufen"] or 0, given["cached_ufen"]
    return Costs(fresh, fresh if cached is None else cached, given["output_ufen"] or 0)


def _hint(key: Secret) -> str:
    return key.reveal()[-4:] if len(key.reveal()) >= _LEAST_HINTED else ""


def _add(db: Connection, admin: User, upstream: StoredUpstream) -> dict[str, object]:
    try:
        models.get(db, upstream.model)
    except NotFound:
        problem = Problem("must be a stored model", "必须是已保存的模型")
        raise InvalidRequest(details=[detail("body.model", problem)]) from None
    upstreams.add(db, upstream)
    audit.record(db, admin.id, "upstream.create", _described(upstream))
    return upstream_json(upstream)


def _change(
    db: Connection, claims: Claims, upstream_id: str, body: ChangeUpstream
) -> StoredUpstream:
    admin = auth.administrator(db, claims)
    known = upstreams.get(db, upstream_id)
    upstreams.change(db, known, _changes(known, body), at_ms=now_ms())
    given = body.model_dump(exclude={"key"}, exclude_none=True)
    detail = {"id": known.id, **given, "key_replaced": body.key is not None}
    audit.record(db, admin.id, "upstream.change", detail)
    return upstreams.get(db, known.id)


def _changes(known: StoredUpstream, body: ChangeUpstream) -> Changes:
    """The changes to store. A key is sealed for one server and is never sent to another.

    Raises: InvalidRequest: the URL names another server, and the key was not given again.
    """
    url, key = body.url or known.url, body.key
    if key is None and sealing.origin_of(url) != sealing.origin_of(known.url):
        problem = Problem("must be given again for another server", "更换服务器时须重新填写")
        raise InvalidRequest(details=[detail("body.key", problem)])
    changes = Changes(
        name=body.name,
        url=body.url,
        vendor_model=body.vendor_model,
        weight=body.weight,
        **body.in_ufen,
        is_enabled=body.enabled,
        vision=body.vision,
    )
    if key is None:
        return changes
    secret = Secret(key.get_secret_value())
    sealed = sealing.seal(secret, known.id, url)
    return replace(changes, sealed_key=sealed, key_hint=_hint(secret))


def _delete(db: Connection, claims: Claims, upstream_id: str) -> None:
    """Its calls stay in the usage report, under its name."""
    admin = auth.administrator(db, claims)
    known = upstreams.get(db, upstream_id)
    upstreams.remove(db, known.id)
    audit.record(db, admin.id, "upstream.delete", _described(known))


def _begin_test(db: Connection, claims: Claims, upstream_id: str) -> StoredUpstream:
    """Record the test in the audit log, because it costs money; return the upstream."""
    admin = auth.administrator(db, claims)
    known = upstreams.get(db, upstream_id)
    audit.record(db, admin.id, "upstream.test", {"id": known.id, "name": known.name})
    return known


def _described(upstream: StoredUpstream) -> Mapping[str, object]:
    """The upstream as the audit log records it: nothing of the key, no times."""
    hidden = {"key_hint", "created_at", "updated_at"}
    return {name: value for name, value in upstream_json(upstream).items() if name not in hidden}


def upstream_json(upstream: StoredUpstream) -> dict[str, object]:
    """Without the key itself; `key_hint`, its last characters, identifies it."""
    return {
        "id": upstream.id,
        "model": upstream.model,
        "name": upstream.name,
        "url": upstream.url,
        "vendor_model": upstream.vendor_model,
        "key_hint": upstream.key_hint,
        "weight": upstream.weight,
        **rates_json(upstream),
        "enabled": bool(upstream.is_enabled),
        "vision": bool(upstream.vision),
        "created_at": iso_utc(upstream.created_at_ms),
        "updated_at": iso_utc(upstream.updated_at_ms),
    }


endpoints = (list_upstreams, create_upstream, change_upstream, delete_upstream, test_upstream)
