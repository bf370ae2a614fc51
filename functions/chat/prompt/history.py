"""History of a conversation: its last messages, with the last media of its questions."""

from collections import defaultdict
from collections.abc import Callable, Sequence

from functions.chat.prompt.message import PromptMessage
from shared.database.connection import Connection
from shared.errors import AppError, InProgress, NotFound
from shared.repos import conversations, message_media, running_answers
from shared.repos.conversations import ContextMessage
from shared.repos.message_media import PromptMedia

_CONTEXT_MESSAGES = 20  # ten turns
_CONTEXT_MEDIA = 16

History = Callable[[], list[PromptMessage]]


def ask_history(
    db: Connection, conversation_id: str | None, user_id: str | None, *, characters: int
) -> History:
    """Defer the reading of the last messages; the result returns them, oldest first.

    Their media are read if there are any, with so many characters of the text of each.

    There are none for guests and for a new conversation. An answer of reasoning alone has no
    text. It is left out, because upstreams refuse empty messages.

    The result raises: NotFound, also for a conversation of another user; InProgress: the first
    answer of the conversation still runs.
    """
    if user_id is None or conversation_id is None:
        return list
    asked = conversations.list_last(db, conversation_id, user_id, count=_CONTEXT_MESSAGES)

    def history() -> list[PromptMessage]:
        newest_first = asked.rows(ContextMessage)
        # MySQL overlooks blanks at the end of an id.
        if not newest_first or newest_first[0].conversation_id != conversation_id:
            raise _without_history(db, conversation_id, user_id)
        media = _media_of(db, newest_first, characters)
        return [
            PromptMessage(str(message.role), message.content, media[message.id])
            for message in reversed(newest_first)
            if message.content
        ]

    return history


def _media_of(
    db: Connection, messages: Sequence[ContextMessage], characters: int
) -> dict[str | None, list[PromptMedia]]:
    """The last media by the id of their message."""
    ids = [message.id for message in messages if message.id and message.media_count]
    by_message = defaultdict[str | None, list[PromptMedia]](list)
    if ids:
        for one in message_media.list_of_messages(
            db, ids, characters=characters, count=_CONTEXT_MEDIA
        ):
            by_message[one.message_id].append(one)
    return by_message


def _without_history(db: Connection, conversation_id: str, user_id: str) -> AppError:
    running = {answer.message_id for answer in running_answers.list_of(db, user_id)}
    return InProgress(conversation_id) if conversation_id in running else NotFound()
