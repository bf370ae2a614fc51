"""Finish reasons as OpenAI's API has them, from the words of vendors. Does no I/O."""

from functions.chat.outcome import Outcome
from shared.errors import AnswerInterrupted, AppError, ContentFiltered

_KNOWN = ("stop", "length", "content_filter", "tool_calls", "function_call")
_WORDS = {
    **{word: word for word in _KNOWN},
    **dict.fromkeys(
        ("eos", "eos_token", "end_turn", "end", "stop_sequence", "complete", "completed", "normal"),
        "stop",
    ),
    **dict.fromkeys(
        ("max_tokens", "max_length", "model_length", "truncated", "repetition_truncation"),
        "length",
    ),
    **dict.fromkeys(
        ("sensitive", "safety", "content_filtered", "refusal", "risk", "error_toxic"),
        "content_filter",
    ),
    **dict.fromkeys(("tool_use", "tool_call"), "tool_calls"),
}
# The upstream or this instance gave up before the end.
_INCOMPLETE = frozenset(
    {"interrupted", "error", "abort", "aborted", "cancelled", "insufficient_system_resource"}
    | {"network_error", "model_error", "system_error", "timeout"}
)


def whole_reason(outcome: Outcome) -> str:
    """The reason of a whole answer. One that is not complete has no better word than `length`.

    A word that is in no table is one for an ordinary end, in a vendor's own language.
    """
    if outcome.failure:
        return "content_filter" if outcome.failure.name == ContentFiltered.name else "length"
    word = _word(outcome)
    return "length" if word in _INCOMPLETE else _WORDS.get(word, "stop")


def interruption(outcome: Outcome) -> AppError | None:
    """The failure with which the stream of an incomplete answer ends, instead of a reason."""
    if outcome.failure:
        return outcome.failure
    return AnswerInterrupted() if _word(outcome) in _INCOMPLETE else None


def _word(outcome: Outcome) -> str:
    return str(outcome.data.get("finish_reason", "error")).lower()
