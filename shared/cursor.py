"""Where a row stands in a list, so that the next page can begin after it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Place:
    """By a time or a number, and among equals by an id."""

    at: int
    id: str


START = Place(0, "")  # of a list that counts up
END = Place(2**63 - 1, "")  # of one that counts down
