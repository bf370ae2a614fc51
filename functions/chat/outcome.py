"""Outcome of an answer, as the client receives it at the end and on each replay."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache

from shared.errors import AppError, UpstreamFailed


@dataclass(frozen=True)
class Outcome:
    """The outcome as JSON, and the failure that it names, if any."""

    data: Mapping[str, object]
    failure: AppError | None = None

    @classmethod
    def of(cls, data: Mapping[str, object], cause: AppError | None = None) -> "Outcome":
        """Only the name of a failure is stored, so the name in `data` decides.

        `cause` is the error that happened in this instance. It has a context for the
        log, and is used only if its name is the same.
        """
        name = data.get("error")
        if name is None:
            return cls(data)
        if cause is not None and cause.name == name:
            return cls(data, cause)
        return cls(data, _errors_by_name().get(name, UpstreamFailed)())


@cache
def _errors_by_name() -> Mapping[object, type[AppError]]:
    return {error.name: error for error in _subclasses(AppError)}


def _subclasses(error: type[AppError]) -> Iterator[type[AppError]]:
    """Base classes come last, so that an inherited name belongs to the class that defines it."""
    for subclass in error.__subclasses__():
        yield from _subclasses(subclass)
        yield subclass
