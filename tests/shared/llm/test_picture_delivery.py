"""Each upstream is given a stored picture as its vendor takes it."""

import asyncio
import base64
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from shared.config import Secret
from shared.credentials import Credentials
from shared.errors import Misconfigured
from shared.llm.picture_delivery import PictureTerms, delivered, delivery
from shared.llm.picture_room import room
from shared.llm.pictures import StoredPicture, picture_tokens
from tests.conftest import Configure
from tests.fakes import oss
from tests.fakes.oss import Bucket, Object
from tests.media_files import png
from tests.patience import HANG_SECONDS

ANY = "https://models.example.com/v1/chat/completions"
MOONSHOT = "https://api.moonshot.cn/v1/chat/completions"
PICTURE = StoredPicture("media/a", "image/png", 100)


@pytest.fixture
def bucket() -> Iterator[Bucket]:
    with oss.running() as started:
        started.objects[PICTURE.object_key] = Object(png(), {"Content-Type": "image/png"})
        yield started


def given_to(url: str, called_with: Credentials | None = None) -> str:
    text = {"type": "text", "text": "See?"}
    content: list[Any] = [text, {"type": "image_url", "image_url": PICTURE}]
    messages = [{"role": "system", "content": "Be kind."}, {"role": "user", "content": content}]

    first, last = asyncio.run(_delivered(messages, url, called_with))

    assert first == messages[0]
    assert last["content"][0] == text
    assert content[1]["image_url"] is PICTURE
    shown: dict[str, str] = last["content"][1]["image_url"]
    assert shown.keys() == {"url"}
    return shown["url"]


async def _delivered(*given: Any) -> Any:
    return await delivered(*given)


def data_of(url: str) -> bytes:
    assert url.startswith("data:image/png;base64,")
    return base64.b64decode(url.partition(",")[2])


def test_a_vendor_that_takes_no_links_is_given_data(bucket: Bucket, configure: Configure) -> None:
    configure(**bucket.variables)

    assert httpx.get(given_to(ANY), timeout=HANG_SECONDS).content == png()
    assert data_of(given_to(MOONSHOT)) == png()


def test_only_data_has_a_limit(bucket: Bucket, configure: Configure) -> None:
    configure(**bucket.variables)
    limits = [PictureTerms(urls, picture_tokens).most_bytes for urls in ([ANY], [ANY, MOONSHOT])]
    configure(PICTURE_DELIVERY="data")

    assert limits == [None, 10 * 1024 * 1024]
    assert PictureTerms([ANY], picture_tokens).most_bytes == 10 * 1024 * 1024


def test_data_waits_for_room_in_memory_and_gives_it_back_when_it_is_sent(
    bucket: Bucket, configure: Configure
) -> None:
    configure(**bucket.variables)
    asyncio.run(_with_a_full_room())


async def _with_a_full_room() -> None:
    everything, sent = 2**40, asyncio.Event()
    messages = [{"role": "user", "content": [{"type": "image_url", "image_url": PICTURE}]}]

    async def send() -> None:
        async with delivery(messages, MOONSHOT, None) as shown:
            sent.set()
            shown.free()
            assert shown.messages == ()
            (await room().take(everything)).free()

    full = await room().take(everything)
    async with delivery(messages, ANY, None) as links:
        assert links.messages
    waiting = asyncio.create_task(send())
    await asyncio.wait([waiting], timeout=0.05)
    assert not sent.is_set()
    full.free()
    await asyncio.wait_for(waiting, HANG_SECONDS)
    (await room().take(everything)).free()


def test_a_link_is_signed_with_the_keys_of_the_role(bucket: Bucket, configure: Configure) -> None:
    configure(**{**bucket.variables, "OSS_ACCESS_KEY_ID": "", "OSS_ACCESS_KEY_SECRET": ""})
    key = Credentials(bucket.key.id, Secret(bucket.key.secret))

    assert httpx.get(given_to(ANY, key), timeout=HANG_SECONDS).content == png()
    with pytest.raises(Misconfigured):
        given_to(ANY)


def test_without_a_storage_there_is_no_picture(configure: Configure) -> None:
    with pytest.raises(Misconfigured):
        given_to(ANY)


def test_messages_without_stored_pictures_need_no_storage() -> None:
    link = {"type": "image_url", "image_url": {"url": "https://pictures.example.com/a.png"}}
    messages = [{"role": "user", "content": [link]}, {"role": "assistant", "content": None}]

    assert asyncio.run(_delivered(messages, ANY, None)) is messages
