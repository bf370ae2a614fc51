"""Balances and the ledger behind them."""

from contextlib import suppress
from dataclasses import dataclass

from shared.cursor import END, Cursor
from shared.database.connection import Connection, DuplicateKey
from shared.database.deferred import Deferred
from shared.ids import new_id
from shared.times import now_ms


@dataclass(frozen=True)
class Wallet:
    balance_fen: int
    reserved_fen: int
    entries: int
    open_turns: int


EMPTY = Wallet(0, 0, 0, 0)


@dataclass(frozen=True)
class LedgerEntry:
    id: str
    kind: str
    amount_fen: int
    balance_after_fen: int
    business_key: str
    reason: str
    created_at_ms: int


@dataclass(frozen=True)
class NumberedLedgerEntry(LedgerEntry):
    """An entry with its number in the wallet's ledger."""

    entry_number: int

    @property
    def cursor(self) -> Cursor:
        return Cursor(self.entry_number, self.id)


def open_wallet(db: Connection, user_id: str) -> None:
    """Insert a wallet unless it exists; in its own transaction, as daily_messages.open_day."""
    with suppress(DuplicateKey):
        db.execute(
            """
            INSERT INTO wallets (user_id, balance_fen, reserved_fen, entries, open_turns)
            VALUES (:user_id, 0, 0, 0, 0)
            """,
            user_id=user_id,
        )


def find(db: Connection, user_id: str) -> Wallet | None:
    return db.find(
        Wallet,
        """
        SELECT balance_fen, reserved_fen, entries, open_turns
        FROM wallets
        WHERE user_id = :user_id
        """,
        user_id=user_id,
    )


def lock(db: Connection, user_id: str) -> Wallet | None:
    """The wallet as it is now, locked until the end of the transaction.

    `find` reads the snapshot of the transaction, which may be older than the row that a
    conditional update has just refused.
    """
    return db.find(
        Wallet,
        """
        SELECT balance_fen, reserved_fen, entries, open_turns
        FROM wallets
        WHERE user_id = :user_id
        /*! FOR UPDATE */
        """,
        user_id=user_id,
    )


def start_turn(db: Connection, user_id: str, *, hold_fen: int, most_open: int) -> Deferred:
    """Reserve the amount and count one more open turn, if balance and limit allow both."""
    return db.defer(
        """
        UPDATE wallets
        SET reserved_fen = reserved_fen + :hold_fen,
            open_turns = open_turns + 1
        WHERE user_id = :user_id
            AND balance_fen - reserved_fen >= :hold_fen
            AND open_turns < :most_open
        """,
        user_id=user_id,
        hold_fen=hold_fen,
        most_open=most_open,
    )


def hold(db: Connection, user_id: str, *, hold_fen: int) -> Deferred:
    """Reserve the amount for a turn that `start_turn` has counted, if the balance allows it."""
    return db.defer(
        """
        UPDATE wallets
        SET reserved_fen = reserved_fen + :hold_fen
        WHERE user_id = :user_id AND balance_fen - reserved_fen >= :hold_fen
        """,
        user_id=user_id,
        hold_fen=hold_fen,
    )


def end_turn(db: Connection, user_id: str, *, held_fen: int, charged_fen: int = 0) -> None:
    """Undo `start_turn`, and take the charge from the balance.

    Call it exactly once per turn, when the turn leaves `open`. `add_charge` adds the ledger
    entry of a charge. The balance covers it, because it covers what was held.
    """
    db.defer(
        """
        UPDATE wallets
        SET reserved_fen = reserved_fen - :held_fen,
            open_turns = open_turns - 1,
            balance_fen = balance_fen - :charged_fen,
            entries = entries + :entries
        WHERE user_id = :user_id
        """,
        user_id=user_id,
        held_fen=held_fen,
        charged_fen=charged_fen,
        entries=int(charged_fen > 0),
    )


def add_charge(
    db: Connection, user_id: str, amount_fen: int, *, key: str, balance_fen: int, entries: int
) -> None:
    """Add the ledger entry of a charge. Balance and entries are those of the locked wallet."""
    after_fen = balance_fen - amount_fen
    entry = LedgerEntry(new_id(), "charge", -amount_fen, after_fen, key, "", now_ms())
    _add_entry(db, user_id, entry, entry_number=entries + 1)


def book(
    db: Connection, user_id: str, kind: str, amount_fen: int, *, key: str, reason: str = ""
) -> LedgerEntry | None:
    """Change the balance and add the ledger entry of the change.

    `key` identifies the change: each key is booked at most once. Return None, with
    no effect, if the balance does not cover the amount or the key was booked before.
    """
    if db.exists("SELECT id FROM ledger WHERE business_key = :key", key=key):
        return None
    covered = _move(db, user_id, amount_fen, entries=1)
    after = find(db, user_id)
    if not covered or after is None:
        return None
    entry = LedgerEntry(new_id(), kind, amount_fen, after.balance_fen, key, reason, now_ms())
    try:
        _add_entry(db, user_id, entry, entry_number=after.entries)
        db.send()
    except DuplicateKey:  # booked after the snapshot of this transaction
        _move(db, user_id, -amount_fen, entries=-1)
        return None
    return entry


def _move(db: Connection, user_id: str, amount_fen: int, *, entries: int) -> bool:
    """Change the balance, if the part that is not reserved covers it."""
    return bool(
        db.execute(
            """
            UPDATE wallets
            SET balance_fen = balance_fen + :amount_fen,
                entries = entries + :entries
            WHERE user_id = :user_id AND balance_fen - reserved_fen + :amount_fen >= 0
            """,
            user_id=user_id,
            amount_fen=amount_fen,
            entries=entries,
        )
    )


def _add_entry(db: Connection, user_id: str, entry: LedgerEntry, *, entry_number: int) -> None:
    db.defer(
        """
        INSERT INTO ledger
            (id, user_id, entry_number, kind, amount_fen, balance_after_fen,
             business_key, reason, created_at_ms)
        VALUES
            (:id, :user_id, :entry_number, :kind, :amount_fen, :balance_after_fen,
             :business_key, :reason, :created_at_ms)
        """,
        user_id=user_id,
        entry_number=entry_number,
        **vars(entry),
    )


def list_entries(
    db: Connection, user_id: str, *, after: Cursor | None, count: int
) -> list[NumberedLedgerEntry]:
    """The newest first."""
    return db.find_all(
        NumberedLedgerEntry,
        """
        SELECT id, kind, amount_fen, balance_after_fen, business_key, reason, created_at_ms,
            entry_number
        FROM ledger /*! FORCE INDEX (uq_ledger_user_id_entry_number) */
        WHERE user_id = :user_id AND entry_number < :before
        ORDER BY entry_number DESC
        LIMIT :count
        """,
        user_id=user_id,
        before=(after or END).at,
        count=count,
    )


def keep_receipt(db: Connection, message_id: str, receipt: str) -> None:
    """Store the receipt (JSON) of a charge beside it, because its turn will be deleted."""
    db.execute(
        "UPDATE ledger SET receipt = :receipt WHERE business_key = :key",
        receipt=receipt,
        key=f"charge:{message_id}",
    )
