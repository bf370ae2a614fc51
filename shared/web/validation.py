"""Validation of input: the instance of a model, or a 422 that names each bad field."""

from collections.abc import Iterator, Mapping, Sequence
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
        details = _details(problem, value, where, model)
    raise InvalidRequest(details=details)


def _details(
    problem: Any, value: object, where: str, model: "type[BaseModel]"
) -> list[dict[str, str]]:
    if problem.error_count() > _MOST_PROBLEMS:
        return [detail(where, Problem("has too many problems to list", "问题过多，无法逐一列出"))]
    found = problem.errors(include_url=False, include_input=False)[:MOST_DETAILS]
    return [_detail(error, value, where, model) for error in found]


def _detail(
    error: Mapping[str, Any], value: object, where: str, model: "type[BaseModel]"
) -> dict[str, str]:
    place = error["loc"]
    if error["type"] == "extra_forbidden":
        problem: str = unknown(str(place[-1]), names_at(model, place[:-1]))
    else:
        problem = problem_of(error)
    is_absent = error["type"] in ("missing", "extra_forbidden")
    named = [*_in_input(place[:-1], value), place[-1]] if is_absent else _in_input(place, value)
    return detail(field_path(where, *named), problem)


def _in_input(place: Sequence[Any], value: Any) -> Iterator[object]:
    """The parts of a place that the input has; pydantic also names the branches of unions."""
    for part in place:
        is_index = isinstance(value, list) and isinstance(part, int)
        if is_index or (isinstance(value, Mapping) and part in value):
            value = value[part]
            yield part


def field_path(where: str, *parts: object) -> str:
    """Names of clients are cut, and lone surrogates in them replaced."""
    names = (str(part)[:LONGEST_NAME].encode("utf-8", "replace").decode() for part in parts)
    return ".".join([where, *names])
