"""What asking the upstreams came to."""

from dataclasses import dataclass

from shared.db import Connection


@dataclass(frozen=True)
class Attempt:
    """`first_token_ms` is None where nothing came; `outcome` is ok or the name of a failure."""

    upstream: str
    outcome: str
    first_token_ms: int | None
    duration_ms: int


def add(
    db: Connection, message_id: str, number: int, attempt: Attempt, *, model: str, at_ms: int
) -> None:
    db.execute(
        """
        INSERT INTO upstream_attempts
            (message_id, attempt, upstream, model, outcome, first_token_ms, duration_ms, at_ms)
        VALUES
            (:message_id, :number, :upstream, :model, :outcome, :first_token_ms, :duration_ms,
             :at_ms)
        """,
        message_id=message_id,
        number=number,
        model=model,
        at_ms=at_ms,
        **vars(attempt),
    )
