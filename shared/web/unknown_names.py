"""Names of parameters and fields that a route does not know, and the nearest that it knows."""

import difflib
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, get_args

from shared.problems import Problem

if TYPE_CHECKING:  # health ships without pydantic
    from pydantic import BaseModel

LONGEST_NAME = 64
_LEAST_LIKENESS = 0.7


def unknown(name: str, known: Iterable[str]) -> Problem:
    """The problem of a name that is not among the known ones."""
    names = list(known)
    nearest = _nearest(name[:LONGEST_NAME], names)
    if nearest:
        return Problem(f"is not known; did you mean {nearest}?", f"未知；是否应为 {nearest}？")
    if names:
        listed = ", ".join(names)
        return Problem(f"is not known; known are {listed}", f"未知；可用的有 {listed}")
    return Problem("is not known; there are none here", "未知；此接口不接受任何参数")


def _nearest(name: str, known: Sequence[str]) -> str | None:
    """Case and separators do not count: `conversationId` is nearest to `conversation_id`."""
    plain = {_plain(one): one for one in known}
    found = difflib.get_close_matches(_plain(name), plain, n=1, cutoff=_LEAST_LIKENESS)
    return plain[found[0]] if found else None


def _plain(name: str) -> str:
    return name.lower().replace("_", "").replace("-", "")


def names_of(model: "type[BaseModel]") -> list[str]:
    """The names by which clients send the fields of a model, without deprecated ones."""
    return [
        field.alias or name for name, field in model.model_fields.items() if not field.deprecated
    ]


def names_at(model: "type[BaseModel]", path: Sequence[object]) -> list[str]:
    """The names that are known at a place inside of the input, such as `("messages", 0)`.

    Of a union they are the names of all its models.
    """
    models = [model]
    for part in path:
        holders = [one for one in models if part in one.model_fields]
        if holders:
            annotations = (one.model_fields[str(part)].annotation for one in holders)
            models = [inner for one in annotations for inner in _models_in(one)] or holders
    return list(dict.fromkeys(name for one in models for name in names_of(one)))


def _models_in(annotation: object) -> "Iterator[type[BaseModel]]":
    if isinstance(annotation, type) and hasattr(annotation, "model_fields"):
        yield annotation
    for part in get_args(annotation):
        yield from _models_in(part)
