"""History of a conversation: its last messages, in the form that models take."""

from collections.abc import Callable
from typing import Any

from shared.database.connection import Connection
from shared.errors import AppError, InProgress, NotFound
from shared.repos import conversations, running_answers
from shared.repos.conversations import ContextMessage

_CONTEXT_MESSAGES = 20  # ten turns

History = Callable[[], list[dict[str, Any]]]


def ask_history(db: Connection, conversation_id: str | None, user_id: str | None) -> History:
    """Defer the reading of the last messages; the result returns them, oldest first.

    There are none for guests and for a new conversation. An answer of reasoning alone has no
    text. It is left out, because upstreams refuse empty messages.

    The result raises: NotFound, also for a conversation of another user; InProgress: the first
    answer of the conversation still runs.
    """
    if user_id is None or conversation_id is None:
        return list
    asked = conversations.list_last(db, conversation_id, user_id, count=_CONTEXT_MESSAGES)

    def history() -> list[dict[str, Any]]:
        newest_first = asked.rows(ContextMessage)
        # MySQL overlooks blanks at the end of an id.
        if not newest_first or newest_first[0].conversation_id != conversation_id:
            raise _without_history(db, conversation_id, user_id)
        return [
            {"role": message.role, "content": message.content}
            for message in reversed(newest_first)
            if message.content
        ]

    return history


def _without_history(db: Connection, conversation_id: str, user_id: str) -> AppError:
    running = {answer.message_id for answer in running_answers.list_of(db, user_id)}
    return InProgress(conversation_id) if conversation_id in running else NotFound()
