"""Models stored by administrators."""

from dataclasses import dataclass

from shared.database.connection import Connection, DuplicateKey
from shared.errors import NameTaken, NotFound


@dataclass(frozen=True)
class Model:
    name: str
    title: str
    is_enabled: int
    created_at_ms: int
    updated_at_ms: int


@dataclass(frozen=True)
class ModelStatus:
    """A model with the numbers of its stored upstreams.

    All of them, the enabled ones, and those of the enabled ones that take pictures.
    """

    name: str
    title: str
    is_enabled: int
    created_at_ms: int
    upstreams: int
    enabled_upstreams: int
    seeing_upstreams: int


def add(db: Connection, model: Model) -> None:
    """Raises: NameTaken."""
    try:
        db.execute(
            """
            INSERT INTO models (name, title, is_enabled, created_at_ms, updated_at_ms)
            VALUES (:name, :title, :is_enabled, :created_at_ms, :updated_at_ms)
            """,
            **vars(model),
        )
    except DuplicateKey:
        raise NameTaken from None


def get(db: Connection, name: str) -> Model:
    """Raises: NotFound."""
    found = db.find(
        Model,
        """
        SELECT name, title, is_enabled, created_at_ms, updated_at_ms
        FROM models
        WHERE name = :name
        """,
        name=name,
    )
    if found is None or found.name != name:  # MySQL overlooks blanks at the end
        raise NotFound
    return found


def change(
    db: Connection, name: str, *, title: str | None, is_enabled: bool | None, at_ms: int
) -> None:
    """Change the values that are not None."""
    db.execute(
        """
        UPDATE models
        SET title = COALESCE(:title, title),
            is_enabled = COALESCE(:is_enabled, is_enabled),
            updated_at_ms = :at_ms
        WHERE name = :name
        """,
        name=name,
        title=title,
        is_enabled=is_enabled,
        at_ms=at_ms,
    )


def list_all(db: Connection) -> list[Model]:
    return db.find_all(
        Model,
        """
        SELECT name, title, is_enabled, created_at_ms, updated_at_ms
        FROM models
        ORDER BY name
        """,
    )


def list_statuses(db: Connection) -> list[ModelStatus]:
    return db.find_all(
        ModelStatus,
        """
        SELECT m.name, m.title, m.is_enabled, m.created_at_ms, COUNT(u.id) AS upstreams,
            COUNT(CASE WHEN u.is_enabled = 1 THEN 1 END) AS enabled_upstreams,
            COUNT(CASE WHEN u.is_enabled = 1 AND u.vision = 1 THEN 1 END) AS seeing_upstreams
        FROM models AS m
        LEFT JOIN upstreams AS u ON u.model = m.name
        GROUP BY m.name, m.title, m.is_enabled, m.created_at_ms
        ORDER BY m.name
        """,
    )
