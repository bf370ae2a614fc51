"""Validation of input: the instance of a model, or a 422 that names each bad field."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from shared.errors import InvalidRequest
from shared.problems import Problem, detail
from shared.web.problem_texts import problem_of
from shared.web.unknown_names import LONGEST_NAME, names_at, unknown

if TYPE_CHECKING:  # health ships without pydantic
    from pydantic import BaseModel

    Model = TypeVar("Model", bound=BaseModel)

MOST_DETAILS = 20
_MOST_PROBLEMS = 10_000  # pydantic lists all or none; a million take seconds and gigabytes


def validated(model: "type[Model]", value: object, where: str, *, strict: bool) -> "Model":
    """`where` is body or query. If strict, unknown names are refused, in nested models too.

    Raises: InvalidRequest.
    """
    try:
        return model.model_validate(value, extra="forbid" if strict else None)
    except ValueError as problem:  # pydantic's ValidationError, without importing it
        if not hasattr(problem, "errors"):
            raise
        details = _details(problem, where, model)
    raise InvalidRequest(details=details)


def _details(problem: Any, where: str, model: "type[BaseModel]") -> list[dict[str, str]]:
    if problem.error_count() > _MOST_PROBLEMS:
        return [detail(where, Problem("has too many problems to list", "问题过多，无法逐一列出"))]
    found = problem.errors(include_url=False, include_input=False)[:MOST_DETAILS]
    return [_detail(error, where, model) for error in found]


def _detail(error: Mapping[str, Any], where: str, model: "type[BaseModel]") -> dict[str, str]:
    place = error["loc"]
    if error["type"] == "extra_forbidden":
        problem: str = unknown(str(place[-1]), names_at(model, place[:-1]))
    else:
        problem = problem_of(error)
    return detail(field_path(where, *place), problem)


def field_path(where: str, *parts: object) -> str:
    """Names of clients are cut, and lone surrogates in them replaced."""
    names = (str(part)[:LONGEST_NAME].encode("utf-8", "replace").decode() for part in parts)
    return ".".join([where, *names])
