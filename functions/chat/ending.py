"""How an answer ended: what is told of it the first time and each time after that."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from shared.errors import AppError, UpstreamFailed
from shared.repos.answer_chunks import AnswerChunk
from shared.web.endpoint import Request


@dataclass(frozen=True)
class Ended:
    """A whole answer, just given or read from the database. Each door words it in its own shape."""

    identity: Mapping[str, object]
    started_ms: int
    pieces: Sequence[AnswerChunk]
    outcome: Mapping[str, object]
    failure: AppError | None

    @property
    def text(self) -> str:
        return text_of(self.pieces)


def text_of(pieces: Sequence[AnswerChunk]) -> str:
    return "".join(piece.text for piece in pieces if piece.kind == "text")


def failure_of(outcome: Mapping[str, object], cause: AppError | None = None) -> AppError | None:
    """Return the failure an outcome names, or None: it names none.

    The name in the outcome is all that is kept of a failure, so it alone decides
    what is told. `cause` is what happened here; it has what only the first answer
    and the log are given, and counts only where the outcome says the same.
    """
    name = outcome.get("error")
    if name is None:
        return None
    if cause is not None and cause.name == name:
        return cause
    return _by_name().get(name, UpstreamFailed)()


def note(failure: AppError | None, request: Request) -> None:
    """Log the failure of an answer that was given all the same."""
    if failure:
        request.notes.update(error=failure.name, context=failure.context)


@cache
def _by_name() -> Mapping[object, type[AppError]]:
    return {error.name: error for error in _below(AppError)}


def _below(error: type[AppError]) -> Iterator[type[AppError]]:
    """A name that is inherited belongs to the nearest to the root."""
    for one in error.__subclasses__():
        yield from _below(one)
        yield one
