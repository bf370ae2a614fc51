"""All routes of all functions, and one way to call them."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from types import FunctionType
from typing import cast
from urllib.parse import quote

from pydantic import BaseModel

from scripts.tooling.environment import ROOT
from shared.web.asgi import WebHandler
from shared.web.endpoint import Endpoint
from tests.events import Reply, invoke
from tests.web import WebFunction


@dataclass(frozen=True)
class Route:
    """One route. `ids_in_body` are the fields of its body that hold ids."""

    function: str
    method: str
    path: str
    ids_in_body: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def writes(self) -> bool:
        return self.method not in {"GET", "HEAD"}

    def at(self, *ids: str) -> str:
        """The path with these values as its parameters."""
        given = iter(ids)
        return re.sub(r"{\w+(?::path)?}", lambda name: next(given, name[0]), self.path)


def _of(function: str) -> list[Route]:
    handler = import_module(f"functions.{function}.index").handler
    return [
        Route(function, one.method, path, () if one.method == "GET" else _ids_in_body(one))
        for one in getattr(handler, "endpoints", ())
        for path in one.paths
    ]


# Ids in bodies that name nothing of ours.
CHOSEN_BY_CLIENTS = {"client_message_id"}


def _ids_in_body(endpoint: Endpoint) -> tuple[str, ...]:
    """The id fields in the body models that the endpoint's code names."""
    run = cast(FunctionType, endpoint.run)
    models = [run.__globals__.get(name) for name in run.__code__.co_names]
    return tuple(
        field
        for model in models
        if isinstance(model, type) and issubclass(model, BaseModel)
        for field in model.model_fields
        if field.endswith(("_id", "_ids")) and field not in CHOSEN_BY_CLIENTS
    )


FUNCTIONS = sorted(path.parent.name for path in ROOT.glob("functions/*/index.py"))
ROUTES = [route for function in FUNCTIONS for route in _of(function)]


@dataclass(frozen=True)
class Caller:
    """Calls any route: chat over HTTP in its process `web`, other functions with events."""

    web: WebFunction

    def ask(
        self,
        route: Route,
        *ids: str,
        token: str = "",
        body: object = None,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        handler = import_module(f"functions.{route.function}.index").handler
        named = {"Authorization": f"Bearer {token}"} if token else {}
        if not isinstance(handler, WebHandler):
            return invoke(
                handler,
                route.method,
                route.at(*ids),
                json_body=body,
                query=query,
                headers={**named, **(headers or {})},
            )
        answer = self.web.client.request(
            route.method,
            route.at(*map(quote, ids)),
            content=b"" if body is None else json.dumps(body).encode(),
            params=dict(query or {}),
            headers={**named, **(headers or {})},
        )
        return Reply(answer.status_code, answer.headers, answer.content)
