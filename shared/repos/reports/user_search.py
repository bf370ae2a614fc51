"""Accounts as administrators see them: with what they have, and what they used today."""

from dataclasses import dataclass

from shared.cursor import END, Cursor
from shared.database.connection import Connection
from shared.errors import NotFound


@dataclass(frozen=True)
class Listed:
    """An account without its password hash."""

    id: str
    email: str | None
    username: str | None
    role: str
    created_at_ms: int
    disabled_at_ms: int | None
    erased_at_ms: int | None
    balance_fen: int
    reserved_fen: int
    used_today: int

    @property
    def cursor(self) -> Cursor:
        return Cursor(self.created_at_ms, self.id)


@dataclass(frozen=True)
class Filter:
    """`text` is how an e-mail address, a username or an id begins: an index finds that."""

    text: str | None = None
    role: str | None = None
    is_disabled: bool | None = None


def search(
    db: Connection, wanted: Filter, day: str, *, after: Cursor | None, count: int
) -> list[Listed]:
    """The newest first."""
    beginning = _beginning_with(wanted.text) if wanted.text else None
    return db.find_all(
        Listed,
        """
        SELECT u.id, u.email, u.username, u.role, u.created_at_ms, u.disabled_at_ms, u.erased_at_ms,
            COALESCE(w.balance_fen, 0) AS balance_fen,
            COALESCE(w.reserved_fen, 0) AS reserved_fen,
            COALESCE(d.used, 0) AS used_today
        FROM users AS u
        LEFT JOIN wallets AS w ON w.user_id = u.id
        LEFT JOIN daily_messages AS d ON d.subject = u.id AND d.day = :day
        WHERE (u.created_at_ms < :at OR (u.created_at_ms = :at AND u.id < :id))
            AND (:role IS NULL OR u.role = :role)
            AND (
                :is_disabled IS NULL
                OR (:is_disabled = 0 AND u.disabled_at_ms IS NULL)
                OR (:is_disabled = 1 AND u.disabled_at_ms IS NOT NULL)
            )
            AND (
                :name IS NULL
                OR u.email LIKE :name ESCAPE '!'
                OR u.username LIKE :name ESCAPE '!'
                OR u.id LIKE :upper_name ESCAPE '!'
            )
        ORDER BY u.created_at_ms DESC, u.id DESC
        LIMIT :count
        """,
        day=day,
        role=wanted.role,
        is_disabled=wanted.is_disabled,
        name=beginning,
        upper_name=beginning and beginning.upper(),
        count=count,
        **vars(after or END),
    )


def get(db: Connection, user_id: str, day: str) -> Listed:
    """Raises: NotFound."""
    found = db.find(
        Listed,
        """
        SELECT u.id, u.email, u.username, u.role, u.created_at_ms, u.disabled_at_ms, u.erased_at_ms,
            COALESCE(w.balance_fen, 0) AS balance_fen,
            COALESCE(w.reserved_fen, 0) AS reserved_fen,
            COALESCE(d.used, 0) AS used_today
        FROM users AS u
        LEFT JOIN wallets AS w ON w.user_id = u.id
        LEFT JOIN daily_messages AS d ON d.subject = u.id AND d.day = :day
        WHERE u.id = :id
        """,
        day=day,
        id=user_id,
    )
    if found is None or found.id != user_id:  # MySQL overlooks blanks at the end
        raise NotFound
    return found


def _beginning_with(text: str) -> str:
    """A pattern for LIKE; its wildcards in the text stand for themselves."""
    escaped = text.replace("!", "!!").replace("%", "!%").replace("_", "!_")
    return f"{escaped}%"
