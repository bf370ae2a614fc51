"""Turn of the chat: the request, the identity of its answer, and the input of the model."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from shared.repos import turns

LEASE_MS = 30_000  # after it, the sweeper ends a turn whose instance has not renewed it


class AnswerRequest(Protocol):
    """A request for an answer, from either API."""

    @property
    def model(self) -> str | None: ...
    @property
    def conversation_id(self) -> str | None: ...
    @property
    def client_message_id(self) -> str | None: ...
    @property
    def max_tokens(self) -> int | None: ...
    @property
    def options(self) -> Mapping[str, object]: ...
    @property
    def has_pictures(self) -> bool: ...
    @property
    def question(self) -> str | None:
        """The text to store in a conversation, or None: nothing is stored."""

    @property
    def title(self) -> str | None:
        """The title of a new conversation; None: it is made from the question."""

    def prompt(
        self, history: list[dict[str, Any]], fallback_language: str, most_tokens: int
    ) -> list[dict[str, Any]]:
        """`most_tokens` is the longest prompt that the model takes."""


@dataclass(frozen=True)
class AnswerHead:
    """Identity of an answer: its ids, its model and its start time."""

    message_id: str
    conversation_id: str | None
    model: str
    started_ms: int

    @classmethod
    def of(cls, row: turns.Turn) -> "AnswerHead":
        return cls(row.message_id, row.conversation_id, row.model, row.created_at_ms)


@dataclass(frozen=True)
class PreparedTurn:
    """A turn that is ready for the model. `row` is None where nothing is counted or stored.

    `most_output` is the number of tokens after which the answer is ended.
    """

    head: AnswerHead
    prompt: list[dict[str, Any]]
    prompt_tokens: int
    options: Mapping[str, object]
    most_output: int
    row: turns.Turn | None = None
