"""Room for pictures is given in order, is never more than there is, and is never lost."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from shared.errors import UpstreamBusy
from shared.llm.picture_room import PictureRoom
from tests.patience import HANG_SECONDS


async def _turns() -> None:
    """Let every other task run until it waits."""
    for _ in range(10):
        await asyncio.sleep(0)


async def _waits_until_there_is_room() -> None:
    room, given = PictureRoom(10, HANG_SECONDS), list[str]()

    async def want(name: str, size: int) -> None:
        await room.take(size)
        given.append(name)

    first = await room.take(6)
    tasks = [asyncio.create_task(want(name, size)) for name, size in (("large", 8), ("small", 2))]
    await _turns()
    assert given == []  # the small one does not overtake the large one
    first.free()
    first.free()
    await asyncio.gather(*tasks)
    assert given == ["large", "small"]


async def _takes_all_at_most() -> None:
    room = PictureRoom(10, HANG_SECONDS)
    for _ in range(2):
        (await room.take(11)).free()
    none = [await room.take(0) for _ in range(3)]
    assert len(none) == 3


async def _busy_when_nobody_frees() -> None:
    room = PictureRoom(10, 0)
    place = await room.take(10)
    with pytest.raises(UpstreamBusy):
        await room.take(1)
    place.free()
    (await room.take(10)).free()


async def _who_leaves_takes_nothing_along() -> None:
    room = PictureRoom(10, HANG_SECONDS)
    place = await room.take(10)
    before, given, after = (asyncio.create_task(room.take(size)) for size in (7, 10, 10))
    await _turns()
    before.cancel()
    await _turns()
    place.free()  # gives to the next one, which leaves before it runs
    given.cancel()
    (await asyncio.wait_for(after, HANG_SECONDS)).free()
    (await room.take(10)).free()


@pytest.mark.parametrize(
    "scene",
    [
        _waits_until_there_is_room,
        _takes_all_at_most,
        _busy_when_nobody_frees,
        _who_leaves_takes_nothing_along,
    ],
)
def test_room(scene: Callable[[], Awaitable[None]]) -> None:
    async def played() -> None:
        await scene()

    asyncio.run(played())
