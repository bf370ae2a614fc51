"""Lists, a page at a time: how they are asked for, and the cursor that asks for the next page."""

import base64
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Protocol, TypeVar

from pydantic import AfterValidator, BaseModel, Field

from shared.cursor import Place


class Placed(Protocol):
    @property
    def place(self) -> Place: ...


Row = TypeVar("Row", bound=Placed)


def cursor_of(place: Place) -> str:
    """Opaque, so that nobody counts on what it is made of."""
    return base64.urlsafe_b64encode(f"{place.at} {place.id}".encode()).decode().rstrip("=")


def place_of(cursor: str) -> Place:
    """Read a cursor of ours. Raises: ValueError."""
    try:
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
    except ValueError:
        text = b""
    match = re.fullmatch(rb"(\d{1,15}) ([\w-]{1,64})", text)
    if match is None:
        raise ValueError("must be a next_cursor that this path gave")
    return Place(int(match[1]), match[2].decode())


def _readable(cursor: str) -> str:
    place_of(cursor)
    return cursor


class Paging(BaseModel):
    """What every list takes; one with filters adds them."""

    limit: int = Field(default=20, ge=1, le=100)
    cursor: Annotated[str, Field(max_length=120), AfterValidator(_readable)] | None = None

    @property
    def last(self) -> Place | None:
        """Where the page before ended."""
        return place_of(self.cursor) if self.cursor else None

    @property
    def count(self) -> int:
        """One more than is shown: it tells whether there is another page."""
        return self.limit + 1


def page(
    name: str, rows: Sequence[Row], paging: Paging, tell: Callable[[Row], Mapping[str, object]]
) -> dict[str, object]:
    """`rows` are the first `paging.count` of those after `paging.last`."""
    shown, more = rows[: paging.limit], len(rows) > paging.limit
    return {
        name: [tell(row) for row in shown],
        "next_cursor": cursor_of(shown[-1].place) if more else None,
    }
