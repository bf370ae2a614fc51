"""Pagination: query parameters of lists, pages of rows, and the opaque cursors between them."""

import base64
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Protocol, TypeVar

from pydantic import AfterValidator, BaseModel, Field

from shared.cursor import Cursor
from shared.problems import Problem
from shared.web.lists import list_json


class HasCursor(Protocol):
    @property
    def cursor(self) -> Cursor: ...


Row = TypeVar("Row", bound=HasCursor)


def encode_cursor(cursor: Cursor) -> str:
    """Base64, so that clients do not rely on the content."""
    return base64.urlsafe_b64encode(f"{cursor.at} {cursor.id}".encode()).decode().rstrip("=")


def decode_cursor(text: str) -> Cursor:
    """Raises: ValueError: the text is not a cursor of this product."""
    try:
        decoded = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except ValueError:
        decoded = b""
    match = re.fullmatch(rb"(\d{1,15}) ([\w-]{1,64})", decoded)
    if match is None:
        raise ValueError(
            Problem("must be a next_cursor that this path gave", "必须是此接口返回的 next_cursor")
        )
    return Cursor(int(match[1]), match[2].decode())


def _decodable(text: str) -> str:
    decode_cursor(text)
    return text


class ListQuery(BaseModel):
    """Query parameters of every list; lists with filters add their own."""

    limit: int = Field(default=20, ge=1, le=100)
    cursor: Annotated[str, Field(max_length=120), AfterValidator(_decodable)] | None = None

    @property
    def after(self) -> Cursor | None:
        """The cursor of the last row of the page before."""
        return decode_cursor(self.cursor) if self.cursor else None

    @property
    def fetch_count(self) -> int:
        """One row more than a page shows; if it exists, there is a next page."""
        return self.limit + 1


def page(
    rows: Sequence[Row],
    query: ListQuery,
    row_json: Callable[[Row], Mapping[str, object]],
) -> dict[str, object]:
    """One page as JSON. `rows` are the first `query.fetch_count` rows after `query.after`."""
    shown, more = rows[: query.limit], len(rows) > query.limit
    next_cursor = encode_cursor(shown[-1].cursor) if more else None
    return list_json([row_json(row) for row in shown], next_cursor)
