"""Accounts with their balance and today's usage, for administrators."""

from dataclasses import dataclass

from shared.cursor import END, Cursor
from shared.database.connection import Connection
from shared.errors import NotFound


@dataclass(frozen=True)
class ListedUser:
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
class UserFilter:
    """None means any value. `text` is a prefix of the e-mail address, the username or the id."""

    text: str | None = None
    role: str | None = None
    is_disabled: bool | None = None


def search(
    db: Connection, filters: UserFilter, day: str, *, after: Cursor | None, count: int
) -> list[ListedUser]:
    """The newest first."""
    prefix = _prefix_pattern(filters.text) if filters.text else None
    return db.find_all(
        ListedUser,
        f"""
        SELECT u.id, u.email, u.username, u.role, u.created_at_ms, u.disabled_at_ms, u.erased_at_ms,
            COALESCE(w.balance_fen, 0) AS balance_fen,
            COALESCE(w.reserved_fen, 0) AS reserved_fen,
            COALESCE(d.used, 0) AS used_today
        FROM users AS u{_index_hint(filters)}
        LEFT JOIN wallets AS w ON w.user_id = u.id
        LEFT JOIN daily_messages AS d ON d.subject = u.id AND d.day = :day
        WHERE u.created_at_ms <= :at AND (u.created_at_ms < :at OR u.id < :id)
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
        """,  # noqa: S608  # the index is one of ours
        day=day,
        role=filters.role,
        is_disabled=filters.is_disabled,
        name=prefix,
        upper_name=prefix and prefix.upper(),
        count=count,
        **vars(after or END),
    )


def get(db: Connection, user_id: str, day: str) -> ListedUser:
    """Raises: NotFound."""
    found = db.find(
        ListedUser,
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


def _index_hint(filters: UserFilter) -> str:
    """The index with the order of the list: left alone, MariaDB sorts all rows for deep pages.

    Disabled accounts, and those that a text finds, are few, and have indexes of their own.
    """
    if filters.text:
        return ""
    if filters.role is not None:
        return " /*! FORCE INDEX (ix_users_role) */"
    return "" if filters.is_disabled else " /*! FORCE INDEX (ix_users_created) */"


def _prefix_pattern(text: str) -> str:
    """A LIKE pattern for texts with this prefix; wildcards in the text are escaped."""
    escaped = text.replace("!", "!!").replace("%", "!%").replace("_", "!_")
    return f"{escaped}%"
