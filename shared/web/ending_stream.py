"""A stream that runs a function exactly once when it ends, also if it was never started."""

import weakref
from collections.abc import AsyncGenerator, Callable
from types import TracebackType


class EndingStream(AsyncGenerator[bytes, None]):
    """Runs `on_end` when the stream ends, fails, is closed, or at the latest when it is dropped.

    It is a class because a generator that was never started runs no `finally`: the client
    may leave before the head of the response is sent.
    """

    def __init__(self, stream: AsyncGenerator[bytes, None], on_end: Callable[[], None]) -> None:
        self._stream = stream
        self._end = weakref.finalize(self, on_end)
        self._end.atexit = False

    async def asend(self, value: None) -> bytes:
        try:
            return await self._stream.asend(value)
        except BaseException:  # a generator that has raised has ended
            await self.aclose()
            raise

    async def athrow(
        self,
        typ: type[BaseException] | BaseException,
        val: BaseException | object = None,
        tb: TracebackType | None = None,
    ) -> bytes:
        error = typ if isinstance(typ, BaseException) else typ()
        try:
            return await self._stream.athrow(error)
        except BaseException:
            await self.aclose()
            raise

    async def aclose(self) -> None:
        try:
            await self._stream.aclose()
        finally:
            self._end()
