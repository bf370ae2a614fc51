"""The JSON of every list: its items, and the cursor of the next page."""

from collections.abc import Sequence


def list_json(items: Sequence[object], next_cursor: str | None = None) -> dict[str, object]:
    """Without a cursor there is no next page; lists that are never cut have none."""
    return {"items": items, "next_cursor": next_cursor}
