"""How conversations are paged, renamed and told."""

from collections.abc import Callable, Sequence
from typing import Annotated, TypeVar

from pydantic import AfterValidator, BaseModel, Field, StringConstraints

from shared import paging
from shared.repos.conversations import Listed, Message, Place
from shared.times import iso_utc

Row = TypeVar("Row", Listed, Message)


def cursor_of(place: Place) -> str:
    return paging.cursor_of(f"{place.at_ms} {place.id}")


def _cursor(text: str) -> str:
    _place(text)
    return text


def _place(cursor: str) -> Place:
    match = paging.place_of(cursor, rb"(\d{1,15}) (\w{1,26})")
    return Place(int(match[1]), match[2].decode())


class Paging(BaseModel):
    limit: int = Field(default=20, ge=1, le=100)
    cursor: Annotated[str, Field(max_length=100), AfterValidator(_cursor)] | None = None

    @property
    def last(self) -> Place | None:
        """Where the page before ended."""
        return _place(self.cursor) if self.cursor else None


class Change(BaseModel):
    title: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100)]


def page(
    name: str, rows: Sequence[Row], limit: int, tell: Callable[[Row], dict[str, object]]
) -> dict[str, object]:
    """`rows` are one more than the limit where there is another page."""
    shown, more = rows[:limit], len(rows) > limit
    return {
        name: [tell(row) for row in shown],
        "next_cursor": cursor_of(shown[-1].place) if more else None,
    }


def conversation(row: Listed) -> dict[str, object]:
    return {
        "id": row.id,
        "title": row.title,
        "created_at": iso_utc(row.created_at_ms),
        "updated_at": iso_utc(row.updated_at_ms),
    }


def message(row: Message) -> dict[str, object]:
    said: dict[str, object] = {
        "id": row.id,
        "role": row.role,
        "content": row.content,
        "created_at": iso_utc(row.created_at_ms),
    }
    if row.role == "user":
        return said
    usage = {"prompt_tokens": row.prompt_tokens, "completion_tokens": row.completion_tokens}
    return {
        **said,
        "model": row.model,
        "finish_reason": row.finish_reason,
        "usage": usage,
        "ai_generated": True,
    }
