"""What was said in an answer, once it is not being told for the first time."""

from functions.chat.ending import Ended, failure_of
from functions.chat.turn import Twin, identity_of
from shared.database import threads
from shared.database.connection import Connection
from shared.errors import InProgress, NotFound
from shared.money.outcome import stored_outcome
from shared.repos import answer_chunks, conversations, turns
from shared.repos.answer_chunks import StoredChunk
from shared.repos.turns import Turn


async def said_so_far(row: Turn) -> list[StoredChunk]:
    """Raises: NotFound: it was said, and is not kept any more."""
    return await threads.read(_said, row)


def as_told(row: Turn, said: list[StoredChunk]) -> Ended:
    """What an answer that has ended came to, as it was told the first time."""
    outcome = stored_outcome(row)
    return Ended(identity_of(row), row.created_at_ms, said, outcome, failure_of(outcome))


async def first_answer(twin: Twin) -> tuple[Turn, list[StoredChunk]]:
    """Raises: InProgress; NotFound: it was deleted since."""
    row = await threads.read(turns.get, twin.message_id)
    if row.state != "settled":  # one that was just released has given its key back
        raise InProgress
    return row, await said_so_far(row)


def _said(db: Connection, row: Turn) -> list[StoredChunk]:
    """Pieces are kept for a day, and their text for as long as the conversation."""
    said = answer_chunks.list_from(db, row.message_id, 0)
    if said or row.state != "settled":
        return said
    text = conversations.find_answer(db, row.message_id)
    if text is None:
        raise NotFound
    return [StoredChunk("text", text, 0)]
