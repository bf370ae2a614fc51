"""Room in memory for pictures that are sent as data, which the answers of a process share.

A picture is in memory several times while its request is being made and sent. Without a
bound, some dozen requests at the same moment would end the instance, and all its answers.
"""

import asyncio
from collections import deque
from functools import lru_cache

import anyio

from shared.errors import UpstreamBusy

_BYTES = 64 * 1024 * 1024  # six times the pictures of the largest prompt
_WAIT_SECONDS = 20


class PictureRoom:
    """Bytes that are given in the order in which they are asked for."""

    def __init__(self, most_bytes: int = _BYTES, wait_seconds: float = _WAIT_SECONDS) -> None:
        self._most, self._left, self._wait_seconds = most_bytes, most_bytes, wait_seconds
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    async def take(self, byte_count: int) -> "Place":
        """A place for so many bytes, but at most for all there are. It must be freed.

        Raises: UpstreamBusy: others did not free enough in time.
        """
        size = min(byte_count, self._most)
        if not size:
            return Place(self, 0)
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append((size, turn))
        self._give()
        try:
            with anyio.fail_after(self._wait_seconds):
                await turn
        except BaseException as error:
            self._leave(size, turn)
            if isinstance(error, TimeoutError):
                raise UpstreamBusy(reason="pictures") from None
            raise
        return Place(self, size)

    def give_back(self, size: int) -> None:
        self._left += size
        self._give()

    def _give(self) -> None:
        while self._waiting and self._waiting[0][0] <= self._left:
            size, turn = self._waiting.popleft()
            if not turn.done():
                self._left -= size
                turn.set_result(None)

    def _leave(self, size: int, turn: asyncio.Future[None]) -> None:
        """Free what was given at the moment of leaving; else no more is waited for."""
        if turn.done() and not turn.cancelled():
            self.give_back(size)
            return
        turn.cancel()
        self._waiting = deque(one for one in self._waiting if one[1] is not turn)
        self._give()


class Place:
    """Bytes of the room, until they are freed."""

    def __init__(self, room: PictureRoom, size: int) -> None:
        self._room, self._size = room, size

    def free(self) -> None:
        """Give the bytes back; a second call does nothing."""
        size, self._size = self._size, 0
        if size:
            self._room.give_back(size)


@lru_cache(maxsize=1)
def room() -> PictureRoom:
    """The room of the process."""
    return PictureRoom()
