"""Checks of a user's money that must always hold."""

from shared.database.connection import Connection
from shared.repos import wallets


def adds_up(connection: Connection, user_id: str) -> wallets.Wallet:
    """Check that the ledger sums up to the balance, never negative; return the wallet."""
    entries = connection.find_all(
        lambda **row: row,
        """
        SELECT entry_number, amount_fen, balance_after_fen
        FROM ledger
        WHERE user_id = :id
        ORDER BY entry_number
        """,
        id=user_id,
    )
    balance = 0
    for number, entry in enumerate(entries, start=1):
        balance += entry["amount_fen"]
        assert entry == {**entry, "entry_number": number, "balance_after_fen": balance}
        assert balance >= 0
    wallet = wallets.find(connection, user_id)
    assert wallet is not None
    open_turns = connection.find_all(
        lambda reserved_fen: int(reserved_fen),
        "SELECT reserved_fen FROM turns WHERE user_id = :id AND state = 'open'",
        id=user_id,
    )
    assert wallet == wallets.Wallet(balance, sum(open_turns), len(entries), len(open_turns))
    return wallet
