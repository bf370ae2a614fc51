"""Calls to upstreams: outcome, duration and cost of each."""

from dataclasses import dataclass

from shared.database.connection import Connection
from shared.pricing import Costs, Tokens, cost_ufen


@dataclass(frozen=True)
class UpstreamCall:
    """`first_token_ms` is None where no token came; `outcome` is ok, left (the
    call was cancelled) or the name of a failure, as in `upstream_misconfigured:401` with a code.

    `costs` are the upstream's prices, where they are known. `has_worked` is False where
    the upstream refused the request or could not be reached, and so did no work.
    """

    upstream: str
    outcome: str
    first_token_ms: int | None
    duration_ms: int
    costs: Costs | None = None
    has_worked: bool = True

    def cost_ufen(self, tokens: Tokens) -> int | None:
        """The cost of the turn's tokens, 0 where no token came, None where costs are unknown."""
        if self.costs is None:
            return None
        return cost_ufen(self.costs, tokens) if self.first_token_ms is not None else 0


def are_recorded(db: Connection, message_id: str) -> bool:
    return db.exists(
        "SELECT attempt FROM upstream_attempts WHERE message_id = :message_id",
        message_id=message_id,
    )


def add(
    db: Connection,
    message_id: str,
    number: int,
    call: UpstreamCall,
    tokens: Tokens,
    *,
    model: str,
    at_ms: int,
) -> None:
    """`number` counts the calls of one turn; `tokens` are the turn's."""
    db.defer(
        """
        INSERT INTO upstream_attempts
            (message_id, attempt, upstream, model, outcome, first_token_ms, duration_ms,
             cost_ufen, at_ms)
        VALUES
            (:message_id, :number, :upstream, :model, :outcome, :first_token_ms, :duration_ms,
             :cost_ufen, :at_ms)
        """,
        message_id=message_id,
        number=number,
        model=model,
        at_ms=at_ms,
        upstream=call.upstream,
        outcome=call.outcome,
        first_token_ms=call.first_token_ms,
        duration_ms=call.duration_ms,
        cost_ufen=call.cost_ufen(tokens),
    )


def remove(db: Connection, message_id: str) -> None:
    """Delete the calls of a turn."""
    db.execute("DELETE FROM upstream_attempts WHERE message_id = :id", id=message_id)
