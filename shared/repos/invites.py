"""Invite codes, and the accounts opened with them."""

from dataclasses import dataclass
from typing import Any

from shared.cursor import END, Cursor
from shared.database.connection import Connection, DuplicateKey
from shared.errors import NotFound


@dataclass(frozen=True)
class Invite:
    """`owner_id` is the user who gets the rewards; `expires_at_ms` None means never."""

    code: str
    owner_id: str | None
    max_uses: int
    used: int
    initial_fen: int
    note: str
    is_active: bool
    expires_at_ms: int | None
    created_by: str
    created_at_ms: int

    @property
    def cursor(self) -> Cursor:
        return Cursor(self.created_at_ms, self.code)

    def admits_at(self, at_ms: int) -> bool:
        """The result of `use`, unless a concurrent registration takes the last use."""
        expired = self.expires_at_ms is not None and self.expires_at_ms <= at_ms
        return self.is_active and not expired and self.used < self.max_uses


def add(db: Connection, invite: Invite) -> bool:
    """Add the code unless it exists; return whether this call added it."""
    try:
        db.execute(
            """
            INSERT INTO invites
                (code, owner_id, max_uses, used, initial_fen, note, is_active,
                 expires_at_ms, created_by, created_at_ms)
            VALUES
                (:code, :owner_id, :max_uses, :used, :initial_fen, :note, :is_active,
                 :expires_at_ms, :created_by, :created_at_ms)
            """,
            **vars(invite),
        )
    except DuplicateKey:
        return False
    return True


def find(db: Connection, code: str) -> Invite | None:
    found = db.find(
        _invite,
        """
        SELECT code, owner_id, max_uses, used, initial_fen, note, is_active,
            expires_at_ms, created_by, created_at_ms
        FROM invites
        WHERE code = :code
        """,
        code=code,
    )
    return found if found and found.code == code else None  # MySQL overlooks blanks at the end


def get(db: Connection, code: str) -> Invite:
    """Raises: NotFound."""
    found = find(db, code)
    if found is None:
        raise NotFound
    return found


def list_newest(
    db: Connection, *, is_active: bool | None = None, after: Cursor | None, count: int
) -> list[Invite]:
    """The newest first."""
    index = "ix_invites_created" if is_active is None else "ix_invites_active"
    return db.find_all(
        _invite,
        f"""
        SELECT code, owner_id, max_uses, used, initial_fen, note, is_active,
            expires_at_ms, created_by, created_at_ms
        FROM invites /*! FORCE INDEX ({index}) */
        WHERE created_at_ms <= :at AND (created_at_ms < :at OR code < :id)
            AND (:is_active IS NULL OR is_active = :is_active)
        ORDER BY created_at_ms DESC, code DESC
        LIMIT :count
        """,  # noqa: S608  # the index is one of ours
        is_active=is_active,
        count=count,
        **vars(after or END),
    )


def list_created(
    db: Connection, from_ms: int | None, to_ms: int | None, *, count: int
) -> list[Invite]:
    """The codes created in a period, the oldest first."""
    return db.find_all(
        _invite,
        """
        SELECT code, owner_id, max_uses, used, initial_fen, note, is_active,
            expires_at_ms, created_by, created_at_ms
        FROM invites
        WHERE (:from_ms IS NULL OR created_at_ms >= :from_ms)
            AND (:to_ms IS NULL OR created_at_ms < :to_ms)
        ORDER BY created_at_ms, code
        LIMIT :count
        """,
        from_ms=from_ms,
        to_ms=to_ms,
        count=count,
    )


def deactivate(db: Connection, code: str) -> None:
    """Admit no more accounts by this code. Raises: NotFound."""
    if not db.execute("UPDATE invites SET is_active = 0 WHERE code = :code", code=code):
        raise NotFound


def use(db: Connection, code: str, user_id: str, *, at_ms: int) -> bool:
    """Use the code for a new account; return whether it still admitted one.

    The condition in the UPDATE guarantees that at most `max_uses` calls return True.
    """
    admitted = db.execute(
        """
        UPDATE invites
        SET used = used + 1
        WHERE code = :code
            AND is_active = 1
            AND used < max_uses
            AND (expires_at_ms IS NULL OR expires_at_ms > :at_ms)
        """,
        code=code,
        at_ms=at_ms,
    )
    if admitted:
        db.execute(
            """
            INSERT INTO invite_uses (user_id, code, used_at_ms)
            VALUES (:user_id, :code, :at_ms)
            """,
            user_id=user_id,
            code=code,
            at_ms=at_ms,
        )
    return bool(admitted)


def _invite(**row: Any) -> Invite:
    """Databases store booleans as 1 and 0."""
    return Invite(**{**row, "is_active": bool(row["is_active"])})


def list_deactivated(db: Connection, *, before_ms: int, after: str, count: int) -> list[str]:
    """Unused, deactivated codes that are older than `before_ms`."""
    return db.find_all(
        lambda code: str(code),
        """
        SELECT code
        FROM invites /*! FORCE INDEX (ix_invites_unused) */
        WHERE used = 0 AND is_active = 0 AND created_at_ms < :before_ms AND code > :after
        ORDER BY code
        LIMIT :count
        """,
        before_ms=before_ms,
        after=after,
        count=count,
    )


def list_expired(db: Connection, *, before_ms: int, after: str, count: int) -> list[str]:
    """Codes that expired before and that nobody used."""
    return db.find_all(
        lambda code: str(code),
        """
        SELECT code
        FROM invites /*! FORCE INDEX (ix_invites_expires) */
        WHERE used = 0 AND expires_at_ms < :before_ms AND code > :after
        ORDER BY code
        LIMIT :count
        """,
        before_ms=before_ms,
        after=after,
        count=count,
    )


def remove_unused(db: Connection, code: str) -> bool:
    """Delete a code that nobody used; say whether it was there."""
    return bool(db.execute("DELETE FROM invites WHERE code = :code AND used = 0", code=code))
