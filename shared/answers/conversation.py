"""Storage of a question and its answer as messages of a conversation."""

from dataclasses import dataclass

from shared.answers.ending import Ending
from shared.answers.title import title_of
from shared.database.connection import Connection
from shared.database.deferred import Deferred
from shared.ids import question_id
from shared.repos import conversations, message_media
from shared.repos.conversations import Conversation, Message
from shared.repos.turns import OpenTurn, Turn
from shared.times import now_ms


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


def store(db: Connection, turn: Turn, known: OpenTurn | Turn, reply: Reply) -> None:
    """Add both messages and the question's media, unless the conversation was deleted meanwhile.

    `known` has the texts of the locked turn: a deletion also removes them. A later question that
    finds no conversation comes after its deletion.
    """
    answer, question = reply.message, known.question
    if turn.user_id is None or question is None:
        return
    if reply.touched is None:
        title = known.title or title_of(question)
        opened = Conversation(answer.conversation_id, turn.user_id, title, turn.created_at_ms)
        conversations.add(db, opened, updated_at_ms=answer.created_at_ms)
    elif not reply.touched:
        return
    question_message_id = question_id(turn.message_id)
    user_message = Message(
        question_message_id, answer.conversation_id, "user", question, turn.created_at_ms
    )
    conversations.append(db, user_message, answer)
    message_media.add(db, question_message_id, turn.media)


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
        store(db, turn, turn, Reply(answer, None if is_first else touched))


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
