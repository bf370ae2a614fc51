"""/api/admin/models: list, add and change the stored models."""

from pydantic import BaseModel

from functions.admin.creation import create_once
from functions.admin.fields import ModelName, Title
from shared.accounts import auth
from shared.accounts.tokens import Claims
from shared.database.connection import Connection
from shared.database.transactions import read, transaction
from shared.limits.idempotency import client_key
from shared.repos import audit, models
from shared.repos.models import Model
from shared.repos.users import User
from shared.times import iso_utc, now_ms
from shared.web.endpoint import Request, Response, endpoint
from shared.web.lists import list_json


class CreateModel(BaseModel):
    """A stored model overrides the one of the same name in the environment."""

    name: ModelName
    title: Title | None = None
    enabled: bool = True


class ChangeModel(BaseModel):
    """The name is in the body because it may hold a slash. Fields not given stay unchanged."""

    name: ModelName
    title: Title | None = None
    enabled: bool | None = None


@endpoint("GET", "/api/admin/models")
def list_models(request: Request) -> Response:
    auth.admitted_administrator(request)
    return Response.ok(list_json([model_json(model) for model in read(models.list_all)]))


@endpoint("POST", "/api/admin/models", body=CreateModel)
def create_model(request: Request) -> Response:
    claims, key = auth.admitted_administrator(request), client_key(request)
    body = request.parse(CreateModel)
    return Response.ok(transaction(create_once, claims, key, _add, body), 201)


@endpoint("PATCH", "/api/admin/models", body=ChangeModel)
def change_model(request: Request) -> Response:
    claims = auth.admitted_administrator(request)
    return Response.ok(model_json(transaction(_change, claims, request.parse(ChangeModel))))


def _add(db: Connection, admin: User, body: CreateModel) -> dict[str, object]:
    at_ms = now_ms()
    model = Model(body.name, body.title or body.name, int(body.enabled), at_ms, at_ms)
    models.add(db, model)
    detail = {"name": model.name, "title": model.title, "enabled": body.enabled}
    audit.record(db, admin.id, "model.create", detail)
    return model_json(model)


def _change(db: Connection, claims: Claims, body: ChangeModel) -> Model:
    admin = auth.administrator(db, claims)
    known = models.get(db, body.name)
    models.change(db, known.name, title=body.title, is_enabled=body.enabled, at_ms=now_ms())
    audit.record(db, admin.id, "model.change", body.model_dump(exclude_none=True))
    return models.get(db, known.name)


def model_json(model: Model) -> dict[str, object]:
    return {
        "name": model.name,
        "title": model.title,
        "enabled": bool(model.is_enabled),
        "created_at": iso_utc(model.created_at_ms),
        "updated_at": iso_utc(model.updated_at_ms),
    }


endpoints = (list_models, create_model, change_model)
