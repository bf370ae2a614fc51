"""Storage of a question and its answer as messages of a conversation."""

from dataclasses import dataclass

from shared.answers.ending import Ending
from shared.database.connection import Connection
from shared.database.deferred import Deferred
from shared.ids import new_id
from shared.invisible import without_invisible
from shared.repos import conversations
from shared.repos.conversations import Conversation, Message
from shared.repos.turns import Turn
from shared.times import now_ms

_TITLE_CHARACTERS = 40
_TITLE_SOURCE_CHARACTERS = 400  # what is cut off from it may be invisible


@dataclass(frozen=True)
class Reply:
    """An answer as a message. `touched` matches the conversation that it continues."""

    message: Message
    touched: Deferred | None


def begin(db: Connection, turn: Turn, ending: Ending) -> Reply | None:
    """Lock the conversation that the answer continues; None if nothing is to be stored.

    Call it after the turn has been locked, as a deletion of the conversation does: so both
    run one after the other. Only the first question opens a conversation.
    """
    conversation_id = turn.conversation_id
    if ending.state != "settled" or turn.user_id is None or conversation_id is None:
        return None
    answer = _answer_message(turn, conversation_id, ending)
    if turn.opens_conversation:
        return Reply(answer, touched=None)
    touched = conversations.touch(db, conversation_id, at_ms=answer.created_at_ms)
    return Reply(answer, touched)


def store(db: Connection, turn: Turn, question: str | None, reply: Reply) -> None:
    """Add both messages, unless the conversation was deleted while the answer was generated.

    `question` is that of the locked turn: a deletion also removes it. A later question that
    finds no conversation comes after its deletion.
    """
    answer = reply.message
    if turn.user_id is None or question is None:
        return
    if reply.touched is None:
        opened = Conversation(
            answer.conversation_id, turn.user_id, _title(question), turn.created_at_ms
        )
        conversations.add(db, opened, updated_at_ms=answer.created_at_ms)
    elif not reply.touched:
        return
    user_message = Message(new_id(), answer.conversation_id, "user", question, turn.created_at_ms)
    conversations.append(db, user_message, answer)


def _title(question: str) -> str:
    """The beginning of the question, as it is seen."""
    seen = without_invisible(question[:_TITLE_SOURCE_CHARACTERS])
    return without_invisible(seen[:_TITLE_CHARACTERS])  # the cut may part an emoji


def replace(db: Connection, turn: Turn, ending: Ending) -> None:
    """Replace the stored answer by the one that its producer knows, or add both messages.

    The turn must be locked.
    """
    if turn.user_id is None or turn.conversation_id is None:
        return
    answer = _answer_message(turn, turn.conversation_id, ending)
    touched = conversations.touch(db, turn.conversation_id, at_ms=answer.created_at_ms)
    if not (touched and conversations.replace_answer(db, answer)):
        is_first = turn.opens_conversation
        store(db, turn, turn.question, Reply(answer, None if is_first else touched))


def _answer_message(turn: Turn, conversation_id: str, ending: Ending) -> Message:
    return Message(
        id=turn.message_id,
        conversation_id=conversation_id,
        role="assistant",
        content=ending.text,
        created_at_ms=max(now_ms(), turn.created_at_ms + 1),
        model=turn.model,
        finish_reason=ending.finish_reason,
        prompt_tokens=ending.tokens.prompt,
        completion_tokens=ending.tokens.completion,
    )
