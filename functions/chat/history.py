"""History of a conversation: its last messages, in the form that models take."""

from typing import Any

from shared.database.connection import Connection
from shared.repos import conversations

_CONTEXT_MESSAGES = 20  # ten turns


def last_messages(
    db: Connection, conversation_id: str | None, user_id: str | None
) -> list[dict[str, Any]]:
    """Return none for guests and for a new conversation.

    An answer of reasoning alone has no text. It is left out, because upstreams refuse
    empty messages.

    Raises: NotFound, also for a conversation of another user.
    """
    if user_id is None or conversation_id is None:
        return []
    conversations.get_for(db, conversation_id, user_id)
    messages = conversations.list_last(db, conversation_id, count=_CONTEXT_MESSAGES)
    return [vars(message) for message in messages if message.content]
