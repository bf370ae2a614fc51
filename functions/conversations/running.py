"""Running answers in the lists of conversations and messages, at the place of their question."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from shared.answers.title import title_of
from shared.cursor import Cursor
from shared.database.connection import Connection
from shared.errors import NotFound
from shared.ids import question_id
from shared.repos import answer_chunks, conversations, message_media, running_answers
from shared.repos.answer_chunks import text_of
from shared.repos.conversations import ConversationSummary, Message
from shared.repos.message_media import ListedMedia
from shared.repos.running_answers import RunningAnswer

Row = TypeVar("Row", bound=ConversationSummary | Message)


@dataclass(frozen=True)
class Page:
    """The part of a list that is read: so many rows after a cursor."""

    after: Cursor | None
    count: int
    newest_first: bool

    def of(self, stored: Sequence[Row], running: Sequence[Row]) -> list[Row]:
        """Merge the rows of the page. A row that was stored meanwhile is no running one."""
        known = {row.id for row in stored}
        missing: list[Row] = [
            row for row in running if row.id not in known and self._contains(row.cursor)
        ]
        merged = sorted(
            [*stored, *missing], key=lambda row: _key(row.cursor), reverse=self.newest_first
        )
        return merged[: self.count]

    def _contains(self, cursor: Cursor) -> bool:
        if self.after is None:
            return True
        is_less = _key(cursor) < _key(self.after)
        return is_less if self.newest_first else _key(cursor) > _key(self.after)


def _key(cursor: Cursor) -> tuple[int, str]:
    return cursor.at, cursor.id


def list_conversations(db: Connection, user_id: str, page: Page) -> list[ConversationSummary]:
    """Running answers are read first: one that ends meanwhile is then among the stored ones."""
    running = running_answers.list_of(db, user_id)
    stored = conversations.list_of(db, user_id, after=page.after, count=page.count)
    return page.of(stored, [new_summary(one) for one in running if one.opens_conversation])


def new_summary(answer: RunningAnswer) -> ConversationSummary:
    """The conversation that a running answer opens."""
    title, at_ms = answer.title or title_of(answer.question), answer.created_at_ms
    return ConversationSummary(answer.conversation_id, title, at_ms, at_ms)


@dataclass(frozen=True)
class Messages:
    """A page of messages, the ids of those that still run, and the media of questions."""

    rows: list[Message]
    open_ids: set[str]
    media: Mapping[str, Sequence[ListedMedia]]


def list_messages(db: Connection, conversation_id: str, user_id: str, page: Page) -> Messages:
    """Raises: NotFound."""
    running = [
        one
        for one in running_answers.list_of(db, user_id)
        if one.conversation_id == conversation_id
    ]
    if not any(one.opens_conversation for one in running):
        conversations.get_for(db, conversation_id, user_id)
    read = conversations.list_newest_messages if page.newest_first else conversations.list_messages
    stored = read(db, conversation_id, after=page.after, count=page.count)
    ended = {message.id for message in stored}
    added = [message for one in running for message in _messages(db, one)]
    shown = page.of(stored, added)
    open_ids = {one.message_id for one in running} - ended
    return Messages(shown, open_ids, _media_of(db, shown, running))


def _media_of(
    db: Connection, shown: Sequence[Message], running: Sequence[RunningAnswer]
) -> Mapping[str, Sequence[ListedMedia]]:
    by_message = defaultdict[str, list[ListedMedia]](list)
    questions = [message.id for message in shown if message.role == "user"]
    found = message_media.list_shown(db, questions)
    stored = {one.message_id for one in found}
    for answer in running:
        question = question_id(answer.message_id)
        if question in questions and question not in stored:
            found += message_media.list_running(db, question, answer.media)
    for one in found:
        by_message[one.message_id].append(one)
    return by_message


def _messages(db: Connection, answer: RunningAnswer) -> Iterator[Message]:
    """The question, and the answer as far as it is stored."""
    conversation_id, at_ms = answer.conversation_id, answer.created_at_ms
    chunks = answer_chunks.list_from(db, answer.message_id, 0)
    question = question_id(answer.message_id)
    yield Message(question, conversation_id, "user", answer.question, at_ms)
    content, model = text_of(chunks), answer.model
    yield Message(answer.message_id, conversation_id, "assistant", content, at_ms + 1, model=model)


def get_new(db: Connection, conversation_id: str, user_id: str) -> ConversationSummary:
    """A conversation whose first answer still runs. Raises: NotFound."""
    for answer in running_answers.list_of(db, user_id):
        if answer.opens_conversation and answer.conversation_id == conversation_id:
            return new_summary(answer)
    raise NotFound
