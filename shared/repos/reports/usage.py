"""Usage of a period in groups: requests, tokens, times, revenue and costs."""

from dataclasses import dataclass

from shared.database.connection import Connection


@dataclass(frozen=True)
class UsageTotals:
    """The sums of one group. `name` is None for the requests of guests.

    Percentiles are by nearest rank. `cost_ufen` is None where no cost is known.
    """

    name: str | None
    requests: int
    answered: int
    prompt_tokens: int
    cached_tokens: int
    completion_tokens: int
    first_fiftieth: int | None
    first_ninety_fifth: int | None
    first_ninety_ninth: int | None
    total_fiftieth: int | None
    total_ninety_fifth: int | None
    total_ninety_ninth: int | None
    charged_fen: int
    cost_ufen: int | None


def count_turns(db: Connection, from_ms: int, to_ms: int) -> int:
    [count] = db.find_all(
        lambda turns: int(turns),
        """
        SELECT COUNT(*) AS turns
        FROM turns
        WHERE created_at_ms >= :from_ms AND created_at_ms < :to_ms
        """,
        from_ms=from_ms,
        to_ms=to_ms,
    )
    return count


_GROUPS = {"day": "t.day", "model": "t.model", "user": "t.user_id", "upstream": "a.upstream"}

# One row per ended turn. A call has the time of its turn.
_BY_TURN = """
    SELECT {name} AS name,
        t.state = 'settled' AS is_answered,
        t.counted_prompt_tokens AS prompt_tokens,
        t.cached_tokens,
        t.completion_tokens,
        t.charged_fen,
        a.cost_ufen,
        CASE WHEN t.state = 'settled' THEN a.first_token_ms END AS first_ms,
        CASE WHEN t.state = 'settled' THEN t.ended_at_ms - t.created_at_ms END AS total_ms
    FROM turns AS t
    LEFT JOIN (
        SELECT message_id, SUM(cost_ufen) AS cost_ufen, MAX(first_token_ms) AS first_token_ms
        FROM upstream_attempts
        WHERE at_ms >= :from_ms AND at_ms < :to_ms
        GROUP BY message_id
    ) AS a ON a.message_id = t.message_id
    WHERE t.created_at_ms >= :from_ms AND t.created_at_ms < :to_ms AND t.state <> 'open'
"""

# One row per call of an upstream. The call that answered, at most one per turn, carries the
# tokens and charge of the turn. `left`: we cancelled the call; the upstream did not fail.
_BY_ATTEMPT = """
    SELECT {name} AS name,
        a.outcome IN ('ok', 'left') AS is_answered,
        t.counted_prompt_tokens AS prompt_tokens,
        t.cached_tokens,
        t.completion_tokens,
        t.charged_fen,
        a.cost_ufen,
        CASE WHEN a.outcome IN ('ok', 'left') THEN a.first_token_ms END AS first_ms,
        CASE WHEN a.outcome = 'ok' THEN a.duration_ms END AS total_ms
    FROM upstream_attempts AS a
    LEFT JOIN turns AS t ON t.message_id = a.message_id AND a.first_token_ms IS NOT NULL
    WHERE a.at_ms >= :from_ms AND a.at_ms < :to_ms
"""

# The nearest rank of the p-th of n is the first r with r * 100 >= n * p.
_SUMMED = """
, ranked AS (
    SELECT name, is_answered, prompt_tokens, cached_tokens, completion_tokens, charged_fen,
        cost_ufen, first_ms, total_ms,
        COUNT(first_ms) OVER (PARTITION BY name) AS firsts,
        COUNT(total_ms) OVER (PARTITION BY name) AS totals,
        ROW_NUMBER() OVER (PARTITION BY name ORDER BY first_ms IS NULL, first_ms) AS first_place,
        ROW_NUMBER() OVER (PARTITION BY name ORDER BY total_ms IS NULL, total_ms) AS total_place
    FROM requests
)
SELECT name,
    COUNT(*) AS requests,
    CAST(SUM(is_answered) AS SIGNED) AS answered,
    CAST(COALESCE(SUM(prompt_tokens), 0) AS SIGNED) AS prompt_tokens,
    CAST(COALESCE(SUM(cached_tokens), 0) AS SIGNED) AS cached_tokens,
    CAST(COALESCE(SUM(completion_tokens), 0) AS SIGNED) AS completion_tokens,
    MIN(CASE WHEN first_place * 100 >= firsts * 50 THEN first_ms END) AS first_fiftieth,
    MIN(CASE WHEN first_place * 100 >= firsts * 95 THEN first_ms END) AS first_ninety_fifth,
    MIN(CASE WHEN first_place * 100 >= firsts * 99 THEN first_ms END) AS first_ninety_ninth,
    MIN(CASE WHEN total_place * 100 >= totals * 50 THEN total_ms END) AS total_fiftieth,
    MIN(CASE WHEN total_place * 100 >= totals * 95 THEN total_ms END) AS total_ninety_fifth,
    MIN(CASE WHEN total_place * 100 >= totals * 99 THEN total_ms END) AS total_ninety_ninth,
    CAST(COALESCE(SUM(charged_fen), 0) AS SIGNED) AS charged_fen,
    CAST(SUM(cost_ufen) AS SIGNED) AS cost_ufen
FROM ranked
GROUP BY name
ORDER BY requests DESC, name
LIMIT :count
"""


def sums(db: Connection, group: str, from_ms: int, to_ms: int, *, count: int) -> list[UsageTotals]:
    """The sums by day, model, user or upstream, most requests first."""
    rows = _BY_ATTEMPT if group == "upstream" else _BY_TURN
    return db.find_all(
        UsageTotals,
        f"WITH requests AS ({rows.format(name=_GROUPS[group])}) {_SUMMED}",  # texts of this module
        from_ms=from_ms,
        to_ms=to_ms,
        count=count,
    )
