"""/api/admin/models: what people may choose from."""

from functools import partial

from pydantic import BaseModel

from functions.admin.fields import ModelName, Title
from shared.accounts import auth
from shared.accounts.tokens import Claims
from shared.database.connection import Connection
from shared.database.transactions import read, transaction
from shared.limits.idempotency import ClientKey, client_key, once
from shared.repos import audit, models
from shared.repos.models import Model
from shared.repos.users import User
from shared.times import iso_utc, now_ms
from shared.web.endpoint import Request, Response, endpoint


class New(BaseModel):
    """One of the environment may be stored too: then it is as this says."""

    name: ModelName
    title: Title | None = None
    enabled: bool = True


class Change(BaseModel):
    """The name stands here because it may hold a slash. What is not given stays as it is."""

    name: ModelName
    title: Title | None = None
    enabled: bool | None = None


@endpoint("GET", "/api/admin/models")
def listing(request: Request) -> Response:
    auth.admitted_administrator(request)
    return Response.ok({"models": [tell(model) for model in read(models.list_all)]})


@endpoint("POST", "/api/admin/models")
def create(request: Request) -> Response:
    claims, key = auth.admitted_administrator(request), client_key(request)
    return Response.ok(transaction(_create, claims, key, request.parse(New)), 201)


@endpoint("PATCH", "/api/admin/models")
def change(request: Request) -> Response:
    claims = auth.admitted_administrator(request)
    return Response.ok(tell(transaction(_change, claims, request.parse(Change))))


def _create(db: Connection, claims: Claims, key: ClientKey | None, new: New) -> dict[str, object]:
    admin = auth.administrator(db, claims)
    return once(db, admin.id, key, partial(_add, db, admin, new))


def _add(db: Connection, admin: User, new: New) -> dict[str, object]:
    at_ms = now_ms()
    model = Model(new.name, new.title or new.name, int(new.enabled), at_ms, at_ms)
    models.add(db, model)
    detail = {"name": model.name, "title": model.title, "enabled": new.enabled}
    audit.record(db, admin.id, "model.create", detail)
    return tell(model)


def _change(db: Connection, claims: Claims, wanted: Change) -> Model:
    admin = auth.administrator(db, claims)
    known = models.get(db, wanted.name)
    models.change(db, known.name, title=wanted.title, is_enabled=wanted.enabled, at_ms=now_ms())
    audit.record(db, admin.id, "model.change", wanted.model_dump(exclude_none=True))
    return models.get(db, known.name)


def tell(model: Model) -> dict[str, object]:
    return {
        "name": model.name,
        "title": model.title,
        "enabled": bool(model.is_enabled),
        "created_at": iso_utc(model.created_at_ms),
        "updated_at": iso_utc(model.updated_at_ms),
    }


endpoints = (listing, create, change)
