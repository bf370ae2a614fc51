"""Outcome of a turn as JSON, as the client receives it at the end. Does no I/O."""

import json
from collections.abc import Mapping
from typing import Any

from shared.pricing import Tokens, formula
from shared.repos.turns import Turn


def outcome_json(
    finish_reason: str,
    tokens: Tokens,
    *,
    latency_ms: int,
    error: str = "",
    charge: Mapping[str, object] | None = None,
    quota: Mapping[str, object] | None = None,
    is_truncated: bool = False,
) -> dict[str, object]:
    """`charge` and `quota` are None, and left out, where nothing is counted.

    `truncated` is there if the model was given only the beginning of a document.
    """
    return {
        "finish_reason": finish_reason,
        "usage": usage_json(tokens),
        **({} if charge is None else {"charge": charge}),
        **({} if quota is None else {"quota": quota}),
        "latency_ms": max(latency_ms, 0),
        **({"truncated": True} if is_truncated else {}),
        **({"error": error} if error else {}),
    }


def usage_json(tokens: Tokens) -> dict[str, object]:
    return {
        "prompt_tokens": tokens.prompt,
        "cached_tokens": tokens.cached,
        "completion_tokens": tokens.completion,
        "source": tokens.source,
    }


def outcome_text(outcome: Mapping[str, Any]) -> str:
    """The outcome as it is stored: JSON without the formula, which follows from the unit."""
    charge = outcome.get("charge") or {}
    if charge.get("receipt"):
        receipt = {name: value for name, value in charge["receipt"].items() if name != "formula"}
        outcome = {**outcome, "charge": {**charge, "receipt": receipt}}
    return json.dumps(outcome, ensure_ascii=False, separators=(",", ":"))


def stored_outcome(turn: Turn) -> dict[str, Any]:
    """The outcome that was recorded when the turn ended; empty while it is open."""
    outcome: dict[str, Any] = json.loads(turn.outcome) if turn.outcome else {}
    receipt = (outcome.get("charge") or {}).get("receipt")
    if receipt:
        receipt["formula"] = formula(receipt["price"]["unit"])
    return outcome
