"""Requests, rules and JSON of uploads and media. Does no I/O."""

import re
from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, Field, StringConstraints

from shared.errors import (
    DocumentHasNoText,
    FileTooLarge,
    InvalidRequest,
    MediaInvalid,
    MediaTypeNotAllowed,
)
from shared.invisible import without_invisible
from shared.media.content_types import canonical, extension_of
from shared.problems import Problem, detail
from shared.repos.media import Media
from shared.repos.uploads import Upload
from shared.storage.media_storage import SignedForm, SignedPut
from shared.times import iso_utc

LINK_SECONDS = 600
COMMIT_MS = 60 * 60 * 1000  # how long after it was given an upload may be committed
_NAME_CHARACTERS = 120
_THUMBNAIL = "image/auto-orient,1/resize,m_lfit,w_400,h_400/format,jpg"
_NO_TEXT = DocumentHasNoText.name

# Why an object is refused for good, as it is stored and as people read it.
REASONS = {
    "size": Problem("has another size than declared", "大小与声明不符"),
    "content_type": Problem("has another content type than declared", "内容类型与声明不符"),
    "content": Problem("has other content than its type says", "内容与其类型不符"),
    "unreadable": Problem("cannot be read as a document", "无法作为文档读取"),
    "too_complex": Problem("takes too much time or memory to read", "读取所需时间或内存过多"),
}


def _token(text: str) -> str:
    if not re.fullmatch(r"[a-z0-9_-]+", text):
        raise ValueError(
            Problem(
                "must be lower-case letters, digits, dashes or underscores",
                "必须是小写字母、数字、短横线或下划线",
            )
        )
    return text


Purpose = Annotated[str, StringConstraints(min_length=1, max_length=32), AfterValidator(_token)]


class PresignUpload(BaseModel):
    """`filename` is only shown; `purpose` is a note of the client, returned with the media."""

    filename: Annotated[str, StringConstraints(min_length=1, max_length=1000)]
    content_type: Annotated[str, StringConstraints(min_length=1, max_length=200)]
    size: int = Field(ge=1, strict=True)
    method: Literal["post", "put"] = "post"
    purpose: Purpose | None = None


class CommitUpload(BaseModel):
    upload_id: Annotated[str, StringConstraints(min_length=1, max_length=64)]


class MediaQuery(BaseModel):
    thumbnail: bool = False


def content_type_of(body: PresignUpload, allowed: Sequence[str], max_bytes: int) -> str:
    """The type of a file that may be uploaded. Raises: MediaTypeNotAllowed, FileTooLarge."""
    content_type = canonical(body.content_type)
    if content_type not in allowed:
        listed = ", ".join(allowed)
        problem = Problem(f"must be one of {listed}", f"必须是以下之一：{listed}")
        raise MediaTypeNotAllowed(details=[detail("body.content_type", problem)])
    if body.size > max_bytes:
        raise FileTooLarge(max_bytes)
    return content_type


def shown_name(filename: str, content_type: str) -> str:
    """A file's name as people see it: the last part of a path, on one line, and not too long."""
    name = " ".join(without_invisible(re.split(r"[/\\]", filename)[-1]).split())
    if not name.strip(". "):
        return f"file.{extension_of(content_type)}"
    stem, dot, ending = name.rpartition(".")
    if len(name) > _NAME_CHARACTERS and dot and 0 < len(ending) <= 10:
        return f"{stem[: _NAME_CHARACTERS - len(ending) - 1]}.{ending}"
    return name[:_NAME_CHARACTERS]


def refusal_error(refusal: str) -> InvalidRequest:
    """The error of an upload whose object was refused for good."""
    if refusal == _NO_TEXT:
        return DocumentHasNoText()
    return MediaInvalid(refusal, details=[detail("body.upload_id", REASONS[refusal])])


def upload_json(upload: Upload, signed: SignedForm | SignedPut) -> dict[str, object]:
    """The signed request of an upload as JSON; `max_size` is the declared size."""
    sent: dict[str, object] = (
        {"fields": dict(signed.fields)}
        if isinstance(signed, SignedForm)
        else {"headers": dict(signed.headers)}
    )
    return {
        "upload_id": upload.id,
        "method": upload.method,
        "url": signed.url,
        **sent,
        "expires_at": iso_utc(upload.expires_at_ms),
        "max_size": upload.size,
    }


def media_json(media: Media) -> dict[str, object]:
    return {
        "id": media.id,
        "upload_id": media.upload_id,
        "kind": media.kind,
        "filename": media.filename,
        "content_type": media.content_type,
        "size": media.size,
        "purpose": media.purpose,
        "created_at": iso_utc(media.created_at_ms),
    }


def link_json(media: Media, url: str, at_ms: int) -> dict[str, object]:
    expires = iso_utc(at_ms + LINK_SECONDS * 1000)
    return {**media_json(media), "url": url, "url_expires_at": expires}


def process_of(media: Media, query: MediaQuery) -> str:
    """The image processing of a link, or "". Raises: InvalidRequest: the file is no picture."""
    if not query.thumbnail:
        return ""
    if media.kind != "picture":
        problem = Problem("is only for pictures", "仅适用于图片")
        raise InvalidRequest(details=[detail("query.thumbnail", problem)])
    return _THUMBNAIL


def is_expired(upload: Upload, at_ms: int) -> bool:
    return upload.created_at_ms + COMMIT_MS < at_ms
