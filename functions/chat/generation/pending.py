"""Transactions that wait for the database: answers to be booked, turns to be released.

A platform that freezes an instance between requests also stops this work; it goes on with
the next request, or the sweeper ends the turn.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable
from contextlib import nullcontext
from typing import Any, Generic, TypeVar

from shared import log
from shared.database.connection import DuplicateKey
from shared.errors import DatabaseUnavailable

T = TypeVar("T")

_FIRST_PAUSE_SECONDS = 0.2
_LONGEST_PAUSE_SECONDS = 1.0
_MOST_TRANSACTIONS = 1000
_MOST_CHARACTERS = 4 * 1024 * 1024


class PendingTransaction(Generic[T]):
    """A transaction of one turn that is repeated until it succeeds; `task` has its result.

    `characters` is about the size of what it keeps in memory. A DuplicateKey comes from an
    earlier attempt that was given up for its time limit and still ran.
    """

    def __init__(self, message_id: str, characters: int, run: Callable[[], Awaitable[T]]) -> None:
        self.message_id = message_id
        self.characters = characters
        self.is_kept = False
        self._run = run
        self.task = asyncio.create_task(self._repeat())

    async def _repeat(self) -> T:
        pause = _FIRST_PAUSE_SECONDS
        while True:
            async with pending.line if self.is_kept else nullcontext():
                try:
                    return await self._run()
                except (DatabaseUnavailable, DuplicateKey):
                    shortest = _FIRST_PAUSE_SECONDS if pending.is_closing else pause
                    await asyncio.sleep(shortest * random.uniform(0.5, 1))  # noqa: S311  # no secret
            pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)


class PendingTransactions:
    """Transactions without a waiting client, the oldest first.

    They stand in line, so that they do not take all database threads from new requests.
    The number and the size are bounded: beyond that, the oldest is left to the sweeper.
    """

    def __init__(self) -> None:
        self.line = asyncio.Lock()
        self.is_closing = False
        self._kept: dict[str, PendingTransaction[Any]] = {}

    def keep(self, transaction: "PendingTransaction[Any]") -> None:
        log.write("error", "pending", request_id=transaction.message_id)
        transaction.is_kept = True
        self._kept[transaction.message_id] = transaction
        transaction.task.add_done_callback(lambda _: self._end(transaction))
        while self._is_too_much():
            self._give_up(next(iter(self._kept.values())))

    async def close(self, seconds: float) -> None:
        """Repeat sooner, and wait until all have succeeded or the time is over."""
        self.is_closing = True
        tasks = [transaction.task for transaction in self._kept.values()]
        if tasks:
            await asyncio.wait(tasks, timeout=seconds)
        for transaction in list(self._kept.values()):
            self._give_up(transaction)

    def _is_too_much(self) -> bool:
        characters = sum(transaction.characters for transaction in self._kept.values())
        return len(self._kept) > _MOST_TRANSACTIONS or characters > _MOST_CHARACTERS

    def _give_up(self, transaction: "PendingTransaction[Any]") -> None:
        del self._kept[transaction.message_id]
        transaction.task.cancel()
        log.write("error", "pending_given_up", request_id=transaction.message_id)

    def _end(self, transaction: "PendingTransaction[Any]") -> None:
        if transaction.task.cancelled():
            return
        self._kept.pop(transaction.message_id, None)
        error = transaction.task.exception()
        if error:
            log.crash(error, request_id=transaction.message_id)
        else:
            log.write("info", "pending_done", request_id=transaction.message_id)


pending = PendingTransactions()
