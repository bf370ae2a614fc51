"""Places that users reported; their coordinates are rounded before they come here."""

from dataclasses import dataclass

from shared.cursor import END, Cursor
from shared.database.connection import Connection
from shared.errors import NotFound
from shared.ids import lowest_id

_AT_ONCE = 20_000


@dataclass(frozen=True)
class Location:
    """`accuracy_m` is None where the device did not say it."""

    id: str
    user_id: str
    latitude: float
    longitude: float
    coordinate_system: str
    accuracy_m: int | None
    recorded_at_ms: int
    consented_at_ms: int

    @property
    def cursor(self) -> Cursor:
        return Cursor(self.recorded_at_ms, self.id)


@dataclass(frozen=True)
class RecordedPeriod:
    """None means no limit; `to_ms` is excluded."""

    from_ms: int | None = None
    to_ms: int | None = None


def add(db: Connection, location: Location) -> None:
    db.execute(
        """
        INSERT INTO locations
            (id, user_id, latitude, longitude, coordinate_system, accuracy_m,
             recorded_at_ms, consented_at_ms)
        VALUES
            (:id, :user_id, :latitude, :longitude, :coordinate_system, :accuracy_m,
             :recorded_at_ms, :consented_at_ms)
        """,
        **vars(location),
    )


def get_for(db: Connection, location_id: str, user_id: str) -> Location:
    """Raises: NotFound, also for a location of another user."""
    found = db.find(
        Location,
        """
        SELECT id, user_id, latitude, longitude, coordinate_system, accuracy_m,
            recorded_at_ms, consented_at_ms
        FROM locations
        WHERE id = :id AND user_id = :user_id
        """,
        id=location_id,
        user_id=user_id,
    )
    if found is None:
        raise NotFound
    return found


def list_of(
    db: Connection, user_id: str, period: RecordedPeriod, *, after: Cursor | None, count: int
) -> list[Location]:
    """The locations of one user, the last recorded first."""
    return db.find_all(
        Location,
        """
        SELECT id, user_id, latitude, longitude, coordinate_system, accuracy_m,
            recorded_at_ms, consented_at_ms
        FROM locations /*! FORCE INDEX (ix_locations_user) */
        WHERE user_id = :user_id
            AND recorded_at_ms <= :at AND (recorded_at_ms < :at OR id < :id)
            AND (:from_ms IS NULL OR recorded_at_ms >= :from_ms)
            AND (:to_ms IS NULL OR recorded_at_ms < :to_ms)
        ORDER BY recorded_at_ms DESC, id DESC
        LIMIT :count
        """,
        user_id=user_id,
        count=count,
        **vars(period),
        **vars(after or END),
    )


def remove_for(db: Connection, location_id: str, user_id: str) -> bool:
    """Delete a location of this user; return whether it was there."""
    return bool(
        db.execute(
            "DELETE FROM locations WHERE id = :id AND user_id = :user_id",
            id=location_id,
            user_id=user_id,
        )
    )


def remove_all(db: Connection, user_id: str) -> int:
    """Delete the locations of a user, by statements that each end in time; return how many.

    A user may have 200,000, and a statement ends after some seconds.
    """
    removed = 0
    while (last_ms := _find_recorded_ms(db, user_id, number=_AT_ONCE)) is not None:
        removed += db.execute(
            "DELETE FROM locations WHERE user_id = :user_id AND recorded_at_ms <= :last_ms",
            user_id=user_id,
            last_ms=last_ms,
        )
    return removed + db.execute("DELETE FROM locations WHERE user_id = :user_id", user_id=user_id)


def _find_recorded_ms(db: Connection, user_id: str, *, number: int) -> int | None:
    """The time of the location of this number, from the oldest; None if there are fewer."""
    return db.find(
        lambda recorded_at_ms: int(recorded_at_ms),
        """
        SELECT recorded_at_ms
        FROM locations /*! FORCE INDEX (ix_locations_user) */
        WHERE user_id = :user_id
        ORDER BY recorded_at_ms, id
        LIMIT 1 OFFSET :skipped
        """,
        user_id=user_id,
        skipped=number - 1,
    )


def list_reported(db: Connection, *, before_ms: int, after: str, count: int) -> list[str]:
    """Locations that were reported before, by their ids, which are ordered by time."""
    return db.find_all(
        lambda id: str(id),
        """
        SELECT id
        FROM locations
        WHERE id > :after AND id < :lowest_id
        ORDER BY id
        LIMIT :count
        """,
        after=after,
        lowest_id=lowest_id(before_ms),
        count=count,
    )


def remove(db: Connection, location_id: str) -> bool:
    """Delete a location; return whether it was there."""
    return bool(db.execute("DELETE FROM locations WHERE id = :id", id=location_id))
