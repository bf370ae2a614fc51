"""Medicines in the lists of users, with their expiry dates."""

from dataclasses import dataclass, fields

from shared.cursor import END, START, Cursor
from shared.database.connection import Connection
from shared.errors import ChangedMeanwhile, ListFull, NotFound

UNKNOWN_EXPIRY = 99_999_999


@dataclass(frozen=True)
class DrugFields:
    """The fields of a medicine that its owner sets. `media_ids` is a JSON list."""

    name: str
    generic_name: str | None
    approval_number: str | None
    manufacturer: str | None
    specification: str | None
    batch_number: str | None
    produced_on: str | None
    expires_on: str | None
    dosage: str | None
    storage: str | None
    warnings: str | None
    media_ids: str

    @property
    def expires_key(self) -> int:
        """The date as a number, by which the list is sorted; an unknown one is the highest."""
        return int(self.expires_on.replace("-", "")) if self.expires_on else UNKNOWN_EXPIRY


@dataclass(frozen=True)
class Drug(DrugFields):
    """A medicine of a user. `version` counts its changes."""

    id: str
    user_id: str
    ai_generated: int
    version: int
    created_at_ms: int
    updated_at_ms: int

    @property
    def cursor(self) -> Cursor:
        """The cursor of the list that is sorted by the time of creation."""
        return Cursor(self.created_at_ms, self.id)


@dataclass(frozen=True)
class DrugByExpiry(Drug):
    """A medicine of the list that is sorted by expiry."""

    @property
    def cursor(self) -> Cursor:
        return Cursor(self.expires_key, self.id)


@dataclass(frozen=True)
class DrugFilter:
    """None means any. `text` is a part of the search text, `until_key` the last expiry."""

    text: str | None = None
    until_key: int | None = None


_COLUMNS = ", ".join(field.name for field in fields(Drug))
_MATCHING = """
    AND (:pattern IS NULL OR search_text LIKE :pattern ESCAPE '!')
    AND (:until_key IS NULL OR expires_key <= :until_key)
"""


def add(db: Connection, drug: Drug, *, search_text: str, most: int) -> None:
    """Add the medicine unless the user has `most` of them.

    The count is changed first. It locks the account, so that nothing is added to an account
    that is being deleted.

    Raises: ListFull.
    """
    counted = db.execute(
        """
        UPDATE users
        SET drug_count = drug_count + 1
        WHERE id = :user_id AND drug_count < :most AND erased_at_ms IS NULL
        """,
        user_id=drug.user_id,
        most=most,
    )
    if not counted:
        raise ListFull
    db.defer(
        f"""
        INSERT INTO drugs ({_COLUMNS}, expires_key, search_text)
        VALUES (:{_COLUMNS.replace(", ", ", :")}, :expires_key, :search_text)
        """,  # noqa: S608  # names of columns
        expires_key=drug.expires_key,
        search_text=search_text,
        **vars(drug),
    )


def get_for(db: Connection, drug_id: str, user_id: str) -> Drug:
    """Raises: NotFound, also for a medicine of another user."""
    found = db.find(
        Drug,
        f"""
        SELECT {_COLUMNS}
        FROM drugs
        WHERE id = :id AND user_id = :user_id
        """,  # noqa: S608  # names of columns
        id=drug_id,
        user_id=user_id,
    )
    if found is None or found.id != drug_id:  # MySQL overlooks blanks at the end
        raise NotFound
    return found


def list_by_expiry(
    db: Connection, user_id: str, filters: DrugFilter, *, after: Cursor | None, count: int
) -> list[DrugByExpiry]:
    """The next to expire first, those of unknown expiry last."""
    return db.find_all(
        DrugByExpiry,
        f"""
        SELECT {_COLUMNS}
        FROM drugs /*! FORCE INDEX (ix_drugs_user_expires) */
        WHERE user_id = :user_id
            AND expires_key >= :at AND (expires_key > :at OR id > :id)
            {_MATCHING}
        ORDER BY expires_key, id
        LIMIT :count
        """,  # noqa: S608  # our own columns and conditions
        user_id=user_id,
        pattern=_pattern(filters.text),
        until_key=filters.until_key,
        count=count,
        **vars(after or START),
    )


def list_by_creation(
    db: Connection, user_id: str, filters: DrugFilter, *, after: Cursor | None, count: int
) -> list[Drug]:
    """The newest first."""
    return db.find_all(
        Drug,
        f"""
        SELECT {_COLUMNS}
        FROM drugs /*! FORCE INDEX (ix_drugs_user_created) */
        WHERE user_id = :user_id
            AND created_at_ms <= :at AND (created_at_ms < :at OR id < :id)
            {_MATCHING}
        ORDER BY created_at_ms DESC, id DESC
        LIMIT :count
        """,  # noqa: S608  # our own columns and conditions
        user_id=user_id,
        pattern=_pattern(filters.text),
        until_key=filters.until_key,
        count=count,
        **vars(after or END),
    )


def change(
    db: Connection, drug: Drug, new: DrugFields, *, search_text: str, version: int, at_ms: int
) -> None:
    """Replace the fields of the medicine if it still has this version.

    Raises: ChangedMeanwhile.
    """
    names = [field.name for field in fields(DrugFields)]
    changed = db.execute(
        f"""
        UPDATE drugs
        SET {", ".join(f"{name} = :{name}" for name in names)},
            expires_key = :expires_key,
            search_text = :search_text,
            version = version + 1,
            updated_at_ms = :at_ms
        WHERE id = :id AND user_id = :user_id AND version = :version
        """,  # noqa: S608  # names of columns
        id=drug.id,
        user_id=drug.user_id,
        version=version,
        expires_key=new.expires_key,
        search_text=search_text,
        at_ms=at_ms,
        **{name: getattr(new, name) for name in names},
    )
    if not changed:
        raise ChangedMeanwhile


def remove(db: Connection, drug_id: str, user_id: str) -> None:
    """Delete the medicine. The account is locked first, as in `add`. Raises: NotFound."""
    if drug_id.endswith(" "):  # MySQL ignores blanks at the end
        raise NotFound
    db.execute("UPDATE users SET drug_count = drug_count - 1 WHERE id = :id", id=user_id)
    removed = db.execute(
        "DELETE FROM drugs WHERE id = :id AND user_id = :user_id", id=drug_id, user_id=user_id
    )
    if not removed:
        raise NotFound


def remove_all(db: Connection, user_id: str) -> None:
    """Delete the list of an account; the account is locked first, as in `add`."""
    db.execute("UPDATE users SET drug_count = 0 WHERE id = :id", id=user_id)
    db.execute("DELETE FROM drugs WHERE user_id = :user_id", user_id=user_id)


def _pattern(text: str | None) -> str | None:
    """A LIKE pattern for texts that contain this one; wildcards in it are escaped."""
    if not text:
        return None
    escaped = text.replace("!", "!!").replace("%", "!%").replace("_", "!_")
    return f"%{escaped}%"
