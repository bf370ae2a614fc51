"""Choice of the model and of the options that it is called with."""

from collections.abc import Sequence

from functions.chat.turn import AnswerRequest
from shared import settings
from shared.config import load
from shared.llm.model_list import require_offered


def choose_model(body: AnswerRequest, offered: Sequence[str]) -> str:
    """Return the model of the request, or the first one that is offered.

    Raises:
        InvalidRequest: the model is not offered.
        Misconfigured: no model is enabled.
    """
    require_offered(body.model, offered)
    return body.model or offered[0]


def model_options(body: AnswerRequest) -> dict[str, object]:
    """`max_tokens` is always sent, because the reservation covers no more than that."""
    return {**body.options, "max_tokens": max_tokens(body)}


def max_tokens(body: AnswerRequest) -> int:
    limit = load(settings.Chat).max_tokens
    return min(body.max_tokens or limit, limit)
