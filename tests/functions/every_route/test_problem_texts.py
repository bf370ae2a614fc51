"""Problems of fields are short sentences in English and Chinese, whatever the field."""

import ast
import re
from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from scripts.tooling.environment import ROOT
from shared.web.problem_texts import TEXTS
from tests.functions.every_route.fair_requests import person
from tests.functions.every_route.routes import FUNCTIONS, ROUTES, Caller

# The types of errors that each kind of pydantic's core schema, and each constraint, can raise.
BY_KIND: Mapping[str, set[str]] = {
    "any": set(),
    "bool": {"bool_type", "bool_parsing"},
    "datetime": {"datetime_parsing", "datetime_from_date_parsing"},
    "default": set(),
    "float": {"float_type"},  # strict, and within bounds
    "function-after": set(),
    "function-before": set(),
    "function-plain": set(),
    "int": {"int_type", "int_parsing", "int_from_float", "int_parsing_size", "finite_number"},
    "is-instance": set(),  # of a secret, which JSON holds as text
    "json-or-python": set(),
    "lax-or-strict": set(),
    "list": {"list_type"},
    "literal": {"literal_error"},
    "model": {"model_type", "model_attributes_type"},
    "model-field": set(),
    "model-fields": set(),
    "none": set(),  # only inside of a validator that refuses everything else
    "nullable": set(),
    "str": {"string_type"},
    "union": set(),  # of a secret, as above
}
BY_CONSTRAINT: Mapping[tuple[str, str], str] = {
    ("float", "ge"): "greater_than_equal",
    ("float", "le"): "less_than_equal",
    ("int", "ge"): "greater_than_equal",
    ("int", "le"): "less_than_equal",
    ("str", "min_length"): "string_too_short",
    ("str", "max_length"): "string_too_long",
    ("list", "min_length"): "too_short",
    ("list", "max_length"): "too_long",
}
CONSTRAINTS = {"ge", "gt", "le", "lt", "min_length", "max_length", "pattern", "multiple_of"}


def models() -> list[type[BaseModel]]:
    """The models of all routes of our own."""
    handlers = [import_module(f"functions.{name}.index").handler for name in FUNCTIONS]
    endpoints = [one for handler in handlers for one in getattr(handler, "endpoints", ())]
    found = {model for one in endpoints for model in (one.query, one.body) if model}
    return sorted(found, key=lambda model: model.__name__)


def nodes(schema: Any) -> Iterator[dict[str, Any]]:
    """All parts of a core schema that have a type, without those that only name functions."""
    if isinstance(schema, dict):
        if isinstance(schema.get("type"), str) and schema["type"] not in {"no-info", "with-info"}:
            yield schema
        for name, part in schema.items():
            if name not in {"metadata", "serialization", "ref", "expected"}:
                yield from nodes(part)
    elif isinstance(schema, list | tuple):
        for part in schema:
            yield from nodes(part)


def test_every_error_of_every_model_has_its_sentences() -> None:
    assert len(models()) > 20
    raised = {"missing"}
    for model in models():
        for node in nodes(model.__pydantic_core_schema__):
            assert node["type"] in BY_KIND, (model, node["type"])
            raised |= BY_KIND[node["type"]]
            for constraint in CONSTRAINTS & node.keys():
                raised.add(BY_CONSTRAINT[node["type"], constraint])

    assert raised - TEXTS.keys() == set()
    assert TEXTS.keys() - raised == set()
    assert all(is_chinese(zh) and not is_chinese(en) for en, zh in TEXTS.values())


def is_chinese(text: str) -> bool:
    return bool(re.search(r"[\u4e00-\u9fff]", text))


def product_files() -> list[Path]:
    """All but those of `/v1`, whose readers are developers: it explains itself in English."""
    folders = (ROOT / "functions", ROOT / "shared" / "web")
    found = (file for folder in folders for file in folder.rglob("*.py"))
    return sorted(file for file in found if "openai_api" not in file.parts)


def test_every_validator_of_ours_says_it_in_both_languages() -> None:
    bare = [
        f"{file.relative_to(ROOT)}:{node.lineno}"
        for file in product_files()
        for node in ast.walk(ast.parse(file.read_text("utf-8")))
        if isinstance(node, ast.Call)
        and getattr(node.func, "id", "") == "ValueError"
        and not _is_problem(node.args[0])
    ]
    assert bare == []


def test_every_detail_of_ours_says_it_in_both_languages() -> None:
    """Details are made by `detail`, with a Problem or a variable that holds one."""
    shared = (file for file in (ROOT / "shared").rglob("*.py") if file.parent.name != "llm")
    files = [*product_files(), *shared]
    texts = [
        f"{file.relative_to(ROOT)}:{getattr(node, 'lineno', 0)}"
        for file in files
        if file != ROOT / "shared" / "problems.py"
        for node in ast.walk(ast.parse(file.read_text("utf-8")))
        if _is_plain_detail(node)
    ]
    assert texts == []


def _is_problem(node: ast.expr) -> bool:
    """Also a constant that holds one."""
    if isinstance(node, ast.Name) and node.id.isupper():
        return True
    return isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Problem"


def _is_plain_detail(node: ast.AST) -> bool:
    if isinstance(node, ast.Dict):
        keys = {key.value for key in node.keys if isinstance(key, ast.Constant)}
        return {"field", "problem"} <= keys
    if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "detail":
        return isinstance(node.args[1], ast.Constant | ast.JoinedStr)
    return False


WRONG_VALUES: list[object] = ["", "x" * 40_000, -1, 10**30, 1.5, True, None, [], [0], {}, {"a": 1}]


def test_no_wrong_value_of_any_field_is_explained_in_english_to_a_chinese_reader(
    caller: Caller,
) -> None:
    admin, chinese = person("admin"), {"Accept-Language": "zh-CN"}
    seen = set()
    for route, model, where in declared():
        for name in model.model_fields:
            field = model.model_fields[name].alias or name
            for value in WRONG_VALUES if where == "body" else ["", "x" * 300, "-1", "9" * 30]:
                sent: dict[str, Any] = {where: {field: value}, "headers": chinese}
                reply = caller.ask(route, token=admin.token, **sent)
                for one in reply.json.get("details", ()) if reply.status == 422 else ():
                    seen.add(one["problem"])
                    assert is_chinese(one["problem"]), (str(route), field, value, one)

    assert len(seen) > 20
    assert "不合法" not in seen  # what is said of an error without sentences


def declared() -> Iterator[Any]:
    """The routes with models of their own: the route, the model, and where it stands."""
    for route in (one for one in ROUTES if not one.path.startswith("/v1/")):
        handler = import_module(f"functions.{route.function}.index").handler
        for one in handler.endpoints:
            if (one.method, route.path) == (route.method, one.paths[0]):
                if one.query:
                    yield route, one.query, "query"
                if one.body:
                    yield route, one.body, "body"


@pytest.mark.parametrize(
    ("language", "problem"),
    [("zh-CN", "至少 8 个字符"), ("en", "must have at least 8 characters")],
)
def test_a_short_password_is_explained(caller: Caller, language: str, problem: str) -> None:
    route = next(one for one in ROUTES if one.path == "/api/auth/register")
    body = {"email": "anna@example.com", "password": "short"}

    reply = caller.ask(route, body=body, headers={"Accept-Language": language})

    assert reply.json["details"] == [{"field": "body.password", "problem": problem}]
