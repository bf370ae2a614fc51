"""Transactions and reads for asyncio code, run in a bounded number of threads."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from typing import Concatenate, ParamSpec, TypeVar

from shared import settings
from shared.config import load
from shared.database import transactions
from shared.database.connection import Connection
from shared.errors import OutcomeUnknown

P = ParamSpec("P")
T = TypeVar("T")

_ANSWER_SECONDS = 4.5  # waiting for a thread included, so that the client has a response within 5 s


async def transaction(
    work: Callable[Concatenate[Connection, P], T], *args: P.args, **kw: P.kwargs
) -> T:
    """`shared.database.transactions.transaction` in a thread.

    Raises: what that raises; OutcomeUnknown, also if there was no answer in time: the
        thread may still be running.
    """
    return await _in_thread(partial(transactions.transaction, work, *args, **kw))


async def read(work: Callable[Concatenate[Connection, P], T], *args: P.args, **kw: P.kwargs) -> T:
    """`shared.database.transactions.read` in a thread. Raises: what that raises."""
    return await _in_thread(partial(transactions.read, work, *args, **kw))


async def autocommit(
    work: Callable[Concatenate[Connection, P], T], *args: P.args, **kw: P.kwargs
) -> T:
    """`shared.database.transactions.autocommit` in a thread. Raises: what that raises."""
    return await _in_thread(partial(transactions.autocommit, work, *args, **kw))


async def _in_thread(run: Callable[[], T]) -> T:
    future = asyncio.get_running_loop().run_in_executor(_threads(), run)
    try:
        return await asyncio.wait_for(future, _ANSWER_SECONDS)
    except asyncio.TimeoutError:
        raise OutcomeUnknown(reason="no answer in time") from None


@cache
def _threads() -> ThreadPoolExecutor:
    """The thread pool. Each thread keeps one connection, so its size is the pool's size."""
    return ThreadPoolExecutor(load(settings.Database).connections, "database")
