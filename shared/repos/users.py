"""Accounts."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace

from shared.database.connection import Connection, DuplicateKey
from shared.errors import Conflict, EmailTaken, NotFound, UsernameTaken


@dataclass(frozen=True)
class User:
    id: str
    email: str | None
    username: str | None
    password_hash: str | None
    role: str
    created_at_ms: int
    disabled_at_ms: int | None

    @property
    def is_active(self) -> bool:
        return self.disabled_at_ms is None

    @property
    def is_admin(self) -> bool:
        return self.role == "admin" and self.is_active


def add(db: Connection, user: User) -> None:
    """Raises: EmailTaken, UsernameTaken."""
    with _naming():
        db.execute(
            """
            INSERT INTO users
                (id, email, username, password_hash, role, created_at_ms, disabled_at_ms)
            VALUES
                (:id, :email, :username, :password_hash, :role, :created_at_ms, :disabled_at_ms)
            """,
            **vars(user),
        )


def add_nameless(db: Connection, user: User) -> None:
    """Add without email and username; `name` sets them at the end of the transaction."""
    add(db, replace(user, email=None, username=None))


def name(db: Connection, user: User) -> None:
    """Raises: EmailTaken, UsernameTaken."""
    with _naming():
        db.execute(
            "UPDATE users SET email = :email, username = :username WHERE id = :id",
            id=user.id,
            email=user.email,
            username=user.username,
        )


@contextmanager
def _naming() -> Iterator[None]:
    try:
        yield
    except DuplicateKey as taken:
        raise _taken(taken) from None


def _taken(error: DuplicateKey) -> Conflict:
    return UsernameTaken() if error.constraint == "uq_users_username" else EmailTaken()


def add_first_admin(db: Connection, admin: User) -> bool:
    """Add the admin unless a concurrent request did; return whether there is one now."""
    with suppress(EmailTaken, UsernameTaken):
        add(db, admin)
        return True
    return has_admin(db)


def find(db: Connection, user_id: str) -> User | None:
    return db.find(
        User,
        """
        SELECT id, email, username, password_hash, role, created_at_ms, disabled_at_ms
        FROM users
        WHERE id = :id
        """,
        id=user_id,
    )


def get(db: Connection, user_id: str) -> User:
    """Raises: NotFound, also for an account that was deleted."""
    found = db.find(
        User,
        """
        SELECT id, email, username, password_hash, role, created_at_ms, disabled_at_ms
        FROM users
        WHERE id = :id AND erased_at_ms IS NULL
        """,
        id=user_id,
    )
    if found is None or found.id != user_id:  # MySQL overlooks blanks at the end
        raise NotFound
    return found


# The account `u` is not disabled, and its session `s` has not ended.
IS_ACTIVE = """
    s.id = :session_id AND s.ended_at_ms IS NULL
    AND u.id = :user_id AND u.disabled_at_ms IS NULL
"""


def find_active(db: Connection, user_id: str, *, session_id: str) -> User | None:
    """Find an account that is not disabled, by a session of it that has not ended."""
    return db.find(
        User,
        f"""
        SELECT u.id, u.email, u.username, u.password_hash, u.role, u.created_at_ms,
            u.disabled_at_ms
        FROM sessions AS s
        JOIN users AS u ON u.id = s.user_id
        WHERE {IS_ACTIVE}
        """,  # noqa: S608  # our own condition
        user_id=user_id,
        session_id=session_id,
    )


def find_by_login(db: Connection, identifier: str) -> User | None:
    """Find by e-mail or username; a username cannot hold an @, so at most one matches."""
    return db.find(
        User,
        """
        SELECT id, email, username, password_hash, role, created_at_ms, disabled_at_ms
        FROM users
        WHERE email = :identifier OR username = :identifier
        """,
        identifier=identifier,
    )


def has_admin(db: Connection) -> bool:
    return db.exists("SELECT id FROM users WHERE role = 'admin' LIMIT 1")


def lock_administrators(db: Connection) -> list[str]:
    """The ids of the active administrators, locked until the end of the transaction.

    Call it before demoting, disabling or erasing one: an earlier read may be outdated.
    In SQLite the whole database is locked already.
    """
    return db.find_all(
        lambda id: str(id),
        """
        SELECT id
        FROM users /*! FORCE INDEX (ix_users_role) */
        WHERE role = 'admin' AND disabled_at_ms IS NULL
        ORDER BY id
        /*! FOR UPDATE */
        """,
    )


def set_role(db: Connection, user: User) -> None:
    """Store the role and `disabled_at_ms`. Raises: NotFound: the account has been deleted."""
    if not db.execute(
        """
        UPDATE users
        SET role = :role, disabled_at_ms = :disabled_at_ms
        WHERE id = :id AND erased_at_ms IS NULL
        """,
        id=user.id,
        role=user.role,
        disabled_at_ms=user.disabled_at_ms,
    ):
        raise NotFound


def set_hash(db: Connection, user_id: str, password_hash: str) -> None:
    """Store a new hash in any case. Raises: NotFound: the account has been deleted."""
    if not db.execute(
        "UPDATE users SET password_hash = :new WHERE id = :id AND erased_at_ms IS NULL",
        id=user_id,
        new=password_hash,
    ):
        raise NotFound


def replace_hash(db: Connection, user_id: str, *, old: str | None, new: str) -> bool:
    """Store a new hash if the account is active and `old` is still its hash; return whether.

    Passwords are checked outside of transactions, so the hash may have changed since.
    The row stays locked until the end of this transaction.
    """
    return bool(
        db.execute(
            """
            UPDATE users
            SET password_hash = :new
            WHERE id = :id AND disabled_at_ms IS NULL
                AND (password_hash = :old OR (password_hash IS NULL AND :old IS NULL))
            """,
            id=user_id,
            old=old,
            new=new,
        )
    )


def set_names(
    db: Connection, user_id: str, *, email: str | None, username: str | None, known_hash: str | None
) -> bool:
    """Change the names that are not None, if the hash is still `known_hash` or that is None.

    Raises: EmailTaken, UsernameTaken.
    """
    try:
        return bool(
            db.execute(
                """
                UPDATE users
                SET email = COALESCE(:email, email),
                    username = COALESCE(:username, username)
                WHERE id = :id AND disabled_at_ms IS NULL
                    AND (:known_hash IS NULL OR password_hash = :known_hash)
                """,
                id=user_id,
                email=email,
                username=username,
                known_hash=known_hash,
            )
        )
    except DuplicateKey as taken:
        raise _taken(taken) from None


def erase(db: Connection, user: User, *, at_ms: int) -> bool:
    """Remove all personal data from the row, which the ledger refers to.

    False where the password or the role has changed: the password was confirmed, and
    the role decided whether an administrator is left.
    """
    return bool(
        db.execute(
            """
            UPDATE users
            SET email = NULL, username = NULL, password_hash = NULL, role = 'user',
                disabled_at_ms = :at_ms, erased_at_ms = :at_ms
            WHERE id = :id AND role = :role AND disabled_at_ms IS NULL
                AND (password_hash = :hash OR (password_hash IS NULL AND :hash IS NULL))
            """,
            id=user.id,
            role=user.role,
            hash=user.password_hash,
            at_ms=at_ms,
        )
    )


def is_erased(db: Connection, user_id: str) -> bool:
    return db.exists("SELECT id FROM users WHERE id = :id AND erased_at_ms IS NOT NULL", id=user_id)


def list_erased(db: Connection, *, since_ms: int) -> list[str]:
    return db.find_all(
        lambda id: str(id),
        "SELECT id FROM users WHERE erased_at_ms >= :since_ms",
        since_ms=since_ms,
    )
