"""The moment of an answer at which the database is killed, and its return."""

import asyncio
from collections.abc import Sequence

from scripts.tooling.proofs import model
from scripts.tooling.proofs.product import Product
from scripts.tooling.proofs.tap import Trigger

_OPENING, _ENDING = b"INSERT INTO turns", b"SET state = "
# (statement, sent before it, whether it takes effect and only its reply is lost)
_STATEMENTS = {
    "before opening commit": (b"COMMIT", _OPENING, False),
    "at opening commit": (b"COMMIT", _OPENING, True),
    "during settlement": (_ENDING, b"", False),
    "at settling commit": (b"COMMIT", _ENDING, True),
}
_WORDS = {
    "before first word": model.BEFORE,
    "in the middle": model.MIDDLE,
    "at the last word": model.LAST,
}
PHASES = (
    *("before opening commit", "at opening commit"),
    *_WORDS,
    *("during settlement", "at settling commit", "after"),
)


class Fault:
    """Kills the database at one phase of the answers, and starts it again."""

    def __init__(self, made: Product, phase: str, away: float, answers: int) -> None:
        self._made, self._phase, self._away, self._answers = made, phase, away, answers
        self._killed = asyncio.Event()
        if phase in _STATEMENTS:
            statement, after, at_reply = _STATEMENTS[phase]
            nth = -(-answers // 2)
            made.tap.trigger = Trigger(statement, self._kill, after, nth, at_reply)
        elif phase in _WORDS:
            made.model.hold(_WORDS[phase])

    async def inject(self, asking: Sequence["asyncio.Task[None]"]) -> None:
        """Answers at a word are all held there; a statement is that of the middle one."""
        if self._phase in _WORDS:
            await self._made.model.wait_held(self._answers)
            await self._kill()
            self._made.model.release()
        elif self._phase == "after":
            await asyncio.wait(asking)
            await self._kill()
        await self._killed.wait()
        await asyncio.sleep(self._away)
        await self._made.ensure_database()

    async def _kill(self) -> None:
        await self._made.kill_database()
        self._killed.set()
