"""The datasets and their columns: a field that is not listed here does not leave."""

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, Generic, TypeVar

from shared.db import Connection
from shared.repos import audit, exports
from shared.spreadsheet import Cell
from shared.times import iso_utc

Row = TypeVar("Row")

# What readers must be able to see beside text of a model (GB 45438-2025, explicit labels).
AI_LABEL = "AI生成 (AI-generated)"


@dataclass(frozen=True)
class Dataset(Generic[Row]):
    """`rows` reads a period; `columns` says how each cell comes from a row."""

    rows: Callable[[Connection, int, int], Generator[Row, None, None]]
    columns: Mapping[str, Callable[[Row], Cell]]
    has_ai_text: bool = False

    def cells(self, row: Row) -> list[Cell]:
        return [cell_of(row) for cell_of in self.columns.values()]


def _is_generated(message: exports.Message) -> bool:
    return message.role == "assistant"


_USERS = Dataset[exports.User](
    exports.users,
    {
        "id": attrgetter("id"),
        "email": attrgetter("email"),
        "username": attrgetter("username"),
        "role": attrgetter("role"),
        "created_at": lambda user: iso_utc(user.created_at_ms),
        "disabled_at": lambda user: iso_utc(user.disabled_at_ms) if user.disabled_at_ms else None,
    },
)

_CONVERSATIONS = Dataset[exports.Conversation](
    exports.conversations,
    {
        "id": attrgetter("id"),
        "user_id": attrgetter("user_id"),
        "title": attrgetter("title"),
        "created_at": lambda conversation: iso_utc(conversation.created_at_ms),
        "updated_at": lambda conversation: iso_utc(conversation.updated_at_ms),
    },
)

_MESSAGES = Dataset[exports.Message](
    exports.messages,
    {
        "id": attrgetter("id"),
        "conversation_id": attrgetter("conversation_id"),
        "user_id": attrgetter("user_id"),
        "created_at": lambda message: iso_utc(message.created_at_ms),
        "role": attrgetter("role"),
        "ai_generated": _is_generated,
        "ai_label": lambda message: AI_LABEL if _is_generated(message) else None,
        "content": attrgetter("content"),
        "model": attrgetter("model"),
        "finish_reason": attrgetter("finish_reason"),
        "prompt_tokens": attrgetter("prompt_tokens"),
        "completion_tokens": attrgetter("completion_tokens"),
    },
    has_ai_text=True,
)

_AUDIT = Dataset[audit.Entry](
    exports.audit_log,
    {
        "id": attrgetter("id"),
        "at": lambda entry: iso_utc(entry.at_ms),
        "actor_id": attrgetter("actor_id"),
        "action": attrgetter("action"),
        "detail": attrgetter("detail"),
    },
)

DATASETS: Mapping[str, Dataset[Any]] = {
    "users": _USERS,
    "conversations": _CONVERSATIONS,
    "messages": _MESSAGES,
    "audit": _AUDIT,
}
