"""What asking the upstreams came to."""

from dataclasses import dataclass

from shared.database.connection import Connection
from shared.pricing import Costs, Tokens, cost_ufen


@dataclass(frozen=True)
class Attempt:
    """`first_token_ms` is None where nothing came; `outcome` is ok or the name of a failure.

    `costs` are what the upstream takes, where somebody said.
    """

    upstream: str
    outcome: str
    first_token_ms: int | None
    duration_ms: int
    costs: Costs | None = None

    def cost_ufen(self, tokens: Tokens) -> int | None:
        """An upstream that said nothing takes nothing; only one of a turn ever speaks."""
        if self.costs is None:
            return None
        return cost_ufen(self.costs, tokens) if self.first_token_ms is not None else 0


def add(
    db: Connection,
    message_id: str,
    number: int,
    attempt: Attempt,
    tokens: Tokens,
    *,
    model: str,
    at_ms: int,
) -> None:
    """`tokens` are those of the turn."""
    db.execute(
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
        upstream=attempt.upstream,
        outcome=attempt.outcome,
        first_token_ms=attempt.first_token_ms,
        duration_ms=attempt.duration_ms,
        cost_ufen=attempt.cost_ufen(tokens),
    )
