"""Delivery of stored pictures to an upstream: as a short-lived link, or as the data.

A link is made for each call and is neither logged nor stored. The storage converts what
upstreams do not take, and shrinks large pictures.
"""

import asyncio
import base64
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Protocol

from shared import settings
from shared.config import load
from shared.credentials import Credentials
from shared.errors import InvalidRequest, NotFound
from shared.llm.picture_room import Place, room
from shared.llm.pictures import Rule, StoredPicture, pictures_in
from shared.llm.vendors import MOONSHOT, vendor_of
from shared.problems import Problem, detail
from shared.storage.media_choice import media_storage
from shared.storage.media_storage import MediaStorage, ObjectMissing

Message = Mapping[str, Any]

_MEBIBYTE = 1024 * 1024
_MOST_DATA_BYTES = 10 * _MEBIBYTE  # of the pictures of one prompt
_LINK_SECONDS = 600
_CONVERTED = {"image/heic", "image/heif"}
_SHRUNK_BYTES, _SHRUNK_SIDE = 4 * 1024 * 1024, 2048
_ONLY_DATA = {MOONSHOT}  # its API reference, "Use the Kimi vision model"


class PictureFile(Protocol):
    """A picture of a request, before it is read."""

    @property
    def content_type(self) -> str: ...
    @property
    def size(self) -> int: ...


@dataclass(frozen=True)
class PictureTerms:
    """How the upstreams of a model take pictures: `urls` are those of the ones that see them."""

    urls: Sequence[str]
    rule: Rule

    @property
    def are_seen(self) -> bool:
        return bool(self.urls)

    @property
    def most_bytes(self) -> int | None:
        """The limit of the pictures of a prompt together; None: all of them are links."""
        return None if all(map(_takes_links, self.urls)) else _MOST_DATA_BYTES

    def can_deliver(self, content_type: str) -> bool:
        """A bucket converts what upstreams do not take; a folder does not."""
        return content_type not in _CONVERTED or bool(load(settings.Storage).bucket)

    def have_room(self, byte_count: int) -> bool:
        return self.most_bytes is None or byte_count <= self.most_bytes

    def require_deliverable(self, pictures: Sequence[PictureFile]) -> None:
        """Raises: InvalidRequest: one has the wrong type, or all are too large together."""
        if not all(self.can_deliver(one.content_type) for one in pictures):
            raise _refusal(
                "HEIC pictures are converted by a bucket, which this deployment does not have",
                "HEIC 图片需要由存储桶转换，而此部署没有存储桶",
            )
        if not self.have_room(sum(one.size for one in pictures)):
            most = (self.most_bytes or 0) // _MEBIBYTE
            raise _refusal(
                f"pictures of at most {most} MiB together are taken", f"图片总大小最多 {most} MiB"
            )


def _refusal(en: str, zh: str) -> InvalidRequest:
    return InvalidRequest(details=[detail("body.media_ids", Problem(en, zh))])


class Delivery:
    """Messages with their pictures in the form for an upstream, in memory until they are sent."""

    def __init__(self, messages: Sequence[Message], place: Place) -> None:
        self.messages, self._place = messages, place

    def free(self) -> None:
        """Forget them, so that the pictures of other answers have room."""
        self.messages = ()
        self._place.free()


@asynccontextmanager
async def delivery(
    messages: Sequence[Message], url: str, called_with: Credentials | None
) -> AsyncIterator[Delivery]:
    """The messages for the upstream at this URL; data waits until there is room in memory.

    Raises: UpstreamBusy: there was none in time; what `delivered` raises.
    """
    place = await room().take(_data_bytes(messages, url))
    try:
        yield Delivery(await delivered(messages, url, called_with), place)
    finally:
        place.free()


def _data_bytes(messages: Sequence[Message], url: str) -> int:
    """The bytes of the stored pictures that the upstream at this URL is given as data."""
    stored = [one for one in pictures_in(messages) if isinstance(one, StoredPicture)]
    return 0 if not stored or _takes_links(url) else sum(one.byte_count for one in stored)


async def delivered(
    messages: Sequence[Message], url: str, called_with: Credentials | None
) -> Sequence[Message]:
    """The messages, with each stored picture in the form for the upstream at this URL.

    Raises: StorageUnavailable; NotFound: a picture was deleted just now; Misconfigured: there
        is no storage.
    """
    stored = [one for one in pictures_in(messages) if isinstance(one, StoredPicture)]
    if not stored:
        return messages
    form, storage = _link if _takes_links(url) else _data, media_storage(called_with)
    urls = await asyncio.gather(*(asyncio.to_thread(form, storage, one) for one in stored))
    by_picture = dict(zip(stored, urls, strict=True))
    return [_with_urls(message, by_picture) for message in messages]


def _takes_links(url: str) -> bool:
    """Whether the upstream at this URL is given links. It cannot reach a folder."""
    is_wanted = load(settings.Pictures).delivery == "link" and load(settings.Storage).bucket
    return bool(is_wanted) and vendor_of(url) not in _ONLY_DATA


def _link(storage: MediaStorage, picture: StoredPicture) -> str:
    return storage.link(
        picture.object_key,
        filename="picture",
        seconds=_LINK_SECONDS,
        process=_process(picture),
        inline=True,
    )


def _data(storage: MediaStorage, picture: StoredPicture) -> str:
    try:
        data = storage.read_whole(picture.object_key, process=_process(picture))
    except ObjectMissing:
        raise NotFound from None
    is_converted = picture.content_type in _CONVERTED
    content_type = "image/jpeg" if is_converted else picture.content_type
    return f"data:{content_type};base64,{base64.b64encode(data).decode()}"


def _process(picture: StoredPicture) -> str:
    """The image processing of the picture (OSS, "Image processing"); empty if it needs none."""
    steps = []
    if picture.byte_count > _SHRUNK_BYTES:
        steps.append(f"resize,l_{_SHRUNK_SIDE}")
    if picture.content_type in _CONVERTED:
        steps.append("format,jpg")
    return "/".join(["image", "auto-orient,1", *steps]) if steps else ""


def _with_urls(message: Message, urls: Mapping[StoredPicture, str]) -> Message:
    content = message.get("content")
    if not isinstance(content, list):
        return message
    return {**message, "content": [_part(part, urls) for part in content]}


def _part(part: Message, urls: Mapping[StoredPicture, str]) -> Message:
    picture = part.get("image_url")
    if not isinstance(picture, StoredPicture):
        return part
    return {**part, "image_url": {"url": urls[picture]}}
