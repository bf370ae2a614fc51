"""Turn of the chat: the request, the identity of its answer, and the input of the model."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from functions.chat.prompt.context import Prompt, Room
from functions.chat.prompt.message import Message, PromptMessage
from shared.credentials import Credentials
from shared.repos import turns
from shared.repos.message_media import PromptMedia

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
    def has_pictures(self) -> bool:
        """Whether the messages have pictures of their own, which are not media."""

    @property
    def media_ids(self) -> Sequence[str]:
        """The media of the question."""

    @property
    def question(self) -> str | None:
        """The text to store in a conversation, or None: nothing is stored."""

    @property
    def title(self) -> str | None:
        """The title of a new conversation; None: it is made from the question."""

    def prompt(
        self,
        history: Sequence[PromptMessage],
        media: Sequence[PromptMedia],
        fallback_language: str,
        room: Room,
    ) -> Prompt:
        """`media` are those of the question."""


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

    `most_output` is the number of tokens after which the answer is ended; `called_with` are
    the credentials of the request, with which stored pictures are read.
    """

    head: AnswerHead
    prompt: list[Message]
    prompt_tokens: int
    options: Mapping[str, object]
    most_output: int
    row: turns.Turn | None = None
    called_with: Credentials | None = None
