"""Storage of a question and its answer as messages of a conversation."""

from shared.answers.ending import Ending
from shared.database.connection import Connection
from shared.ids import new_id
from shared.repos import conversations, turns
from shared.repos.conversations import Conversation, Message
from shared.repos.turns import Turn
from shared.times import now_ms

_TITLE_CHARACTERS = 40


def store(db: Connection, turn: Turn, user_id: str, ending: Ending) -> None:
    """Add both messages, unless the conversation was deleted while the answer was generated.

    Only the first question opens a conversation; a later one that finds none comes
    after its deletion. A deletion also removes the question, so it is read again here.
    Both lock the turn and the conversation, so they run one after the other.
    """
    conversation_id, question = turn.conversation_id, turns.get(db, turn.message_id).question
    if conversation_id is None or question is None:
        return
    answer = _answer_message(turn, conversation_id, ending)
    if turn.opens_conversation:
        title = question[:_TITLE_CHARACTERS]
        opened = Conversation(conversation_id, user_id, title, turn.created_at_ms)
        conversations.add(db, opened, updated_at_ms=answer.created_at_ms)
    elif not conversations.touch(db, conversation_id, at_ms=answer.created_at_ms):
        turns.forget_question(db, turn.message_id)  # the conversation was deleted
        return
    user_message = Message(new_id(), conversation_id, "user", question, turn.created_at_ms)
    conversations.append(db, user_message, answer)


def replace(db: Connection, turn: Turn, user_id: str, ending: Ending) -> None:
    """Replace the stored answer by the one that its producer knows, or add both messages."""
    conversation_id = turn.conversation_id
    if conversation_id is None:
        return
    answer = _answer_message(turn, conversation_id, ending)
    touched = conversations.touch(db, conversation_id, at_ms=answer.created_at_ms)
    if not (touched and conversations.replace_answer(db, answer)):
        store(db, turn, user_id, ending)


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
