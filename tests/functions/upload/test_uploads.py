"""Uploads by form and by PUT, to the bucket and to the local folder, and what they become."""

import re
from typing import Any

import httpx
import pytest

from shared.times import now_ms
from tests.conftest import Configure
from tests.fakes import oss
from tests.functions.upload.uploading import (
    HTML,
    JPEG,
    OTHER_PNG,
    PNG,
    Uploader,
    opened,
    rows,
    send,
    sql,
)
from tests.media_files import png
from tests.patience import HANG_SECONDS
from tests.people import add_user, token_of

both_methods = pytest.mark.parametrize("method", ["post", "put"])


@both_methods
@pytest.mark.usefixtures("store")
def test_a_file_is_uploaded_committed_and_read(method: str, anna: Uploader) -> None:
    upload = anna.uploaded(method=method, purpose="medicine_box")
    sent = "fields" if method == "post" else "headers"
    assert list(upload) == ["upload_id", "method", "url", sent, "expires_at", "max_size"]
    assert (upload["method"], upload["max_size"]) == (method, len(PNG))

    reply = anna.commit(upload)

    assert (reply.status, reply.data) == (
        200,
        {
            "id": reply.data["id"],
            "upload_id": upload["upload_id"],
            "kind": "picture",
            "filename": "药盒.png",
            "content_type": "image/png",
            "size": len(PNG),
            "purpose": "medicine_box",
            "created_at": reply.data["created_at"],
        },
    )
    assert anna.commit(upload).data == reply.data
    assert anna.ask("GET", "/api/media").data == {"items": [reply.data], "next_cursor": None}
    shown = anna.get(reply.data["id"]).data
    assert {name: shown[name] for name in reply.data} == reply.data
    assert opened(shown["url"]) == PNG
    assert shown["url_expires_at"] > reply.data["created_at"]


@pytest.mark.usefixtures("database")
def test_the_size_of_a_picture_is_stored_where_its_first_bytes_say_it(
    bucket: oss.Bucket, anna: Uploader
) -> None:
    anna.media(png(640, 480))
    anna.media(png(2**31, 7))
    anna.media(JPEG, content_type="image/jpeg", filename="a.jpg")
    anna.media(b"A text.", content_type="text/plain", filename="a.txt")

    assert sorted((row["width"] or 0, row["height"] or 0) for row in rows("media")) == [
        *[(0, 0)] * 3,
        (640, 480),
    ]
    assert bucket.requests.count("read") == 4 + 1  # one of each, and the text


@pytest.mark.usefixtures("database")
def test_a_committed_file_is_one_object_with_its_checksum(
    bucket: oss.Bucket, anna: Uploader
) -> None:
    media = anna.media()

    [(key, stored)] = bucket.objects.items()
    assert key == f"media/{anna.id}/{media['id']}"
    assert stored.headers["Content-Type"] == "image/png"
    [row] = rows("media")
    assert (row["object_key"], row["crc64"]) == (key, stored.crc64)


@both_methods
@pytest.mark.usefixtures("store")
def test_the_form_of_a_committed_upload_changes_nothing(method: str, anna: Uploader) -> None:
    upload = anna.uploaded(method=method)
    media = anna.commit(upload).data

    assert send(upload, OTHER_PNG).status_code == 200
    assert anna.content(media["id"]) == PNG
    assert anna.commit(upload).data == media
    assert anna.content(media["id"]) == PNG


@pytest.mark.usefixtures("store")
def test_without_an_object_there_is_nothing_to_commit_yet(anna: Uploader) -> None:
    upload = anna.presign().data

    early = anna.commit(upload)
    assert (early.status, early.error) == (409, "not_uploaded")
    assert send(upload).status_code == 200
    assert anna.commit(upload).status == 200


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (PNG + b"more", "size"),
        (PNG[:-1], "size"),
        (HTML, "content"),
        (JPEG.ljust(len(PNG)), "content"),
    ],
    ids=["longer", "shorter", "html", "jpeg"],
)
@pytest.mark.usefixtures("store")
def test_another_file_than_was_declared_is_refused_for_good(
    content: bytes, reason: str, anna: Uploader
) -> None:
    """A signed PUT bounds no size, so it brings what a form would refuse."""
    upload = anna.presign(method="put").data
    assert send(upload, content).status_code == 200

    for _ in range(2):
        refused = anna.commit(upload)
        assert (refused.status, refused.error) == (422, "media_invalid")
        assert refused.json["reason"] == reason
        assert refused.json["details"][0]["field"] == "body.upload_id"
    assert send(upload).status_code == 200
    assert anna.commit(upload).json["reason"] == reason
    assert rows("media") == []


def test_a_refused_object_is_deleted(bucket: oss.Bucket, anna: Uploader) -> None:
    upload = anna.uploaded(HTML)
    assert anna.commit(upload).error == "media_invalid"
    assert bucket.objects == {}


@pytest.mark.parametrize(
    "changed",
    [
        {"key": "tmp/01OTHER/01UPLOAD"},
        {"key": "media/01OTHER/01MEDIA"},
        {"x-oss-content-type": "text/html"},
        {"policy": "e30="},
    ],
    ids=str,
)
@pytest.mark.usefixtures("store")
def test_a_changed_form_is_refused_by_the_store(changed: dict[str, Any], anna: Uploader) -> None:
    upload = anna.presign().data
    assert send(upload, **changed).status_code == 403
    assert anna.commit(upload).error == "not_uploaded"


@pytest.mark.usefixtures("store")
def test_the_store_refuses_other_sizes_types_and_times(anna: Uploader) -> None:
    form, put = anna.presign().data, anna.presign(method="put").data
    assert send(form, PNG + b"x").status_code == 400
    assert send(put, **{"Content-Type": "text/html"}).status_code == 403
    assert httpx.put(put["url"], content=PNG, timeout=HANG_SECONDS).status_code == 403
    assert anna.commit(form).error == anna.commit(put).error == "not_uploaded"


@pytest.mark.usefixtures("store")
def test_nobody_commits_the_upload_of_another_user(anna: Uploader) -> None:
    user = add_user()
    ben = Uploader(user.id, token_of(user.id))
    upload = anna.uploaded()

    strange = ben.commit(upload)
    assert (strange.status, strange.error) == (404, "not_found")
    media = anna.commit(upload).data
    assert (ben.commit(upload).status, ben.get(media["id"]).status) == (404, 404)
    assert ben.ask("DELETE", f"/api/media/{media['id']}").status == 404
    assert ben.ask("GET", "/api/media").data["items"] == []
    assert anna.content(media["id"]) == PNG


@pytest.mark.usefixtures("store")
def test_an_upload_can_be_committed_for_an_hour(anna: Uploader) -> None:
    in_time, late = anna.uploaded(), anna.uploaded()
    age(in_time, minutes=59)
    age(late, minutes=61)

    assert anna.commit(in_time).status == 200
    expired = anna.commit(late)
    assert (expired.status, expired.error) == (409, "upload_expired")
    age(in_time, minutes=61)
    assert anna.commit(in_time).status == 200


def age(upload: Any, *, minutes: int) -> None:
    sql(
        "UPDATE uploads SET created_at_ms = :at, expires_at_ms = :at + 900000 WHERE id = :id",
        at=now_ms() - minutes * 60_000,
        id=upload["upload_id"],
    )


@pytest.mark.usefixtures("store")
def test_a_deleted_media_is_gone_and_its_upload_too(anna: Uploader) -> None:
    upload = anna.uploaded()
    media = anna.commit(upload).data

    gone = anna.ask("DELETE", f"/api/media/{media['id']}")
    assert (gone.status, gone.data) == (200, {"id": media["id"]})
    assert anna.get(media["id"]).status == 404
    assert anna.ask("DELETE", f"/api/media/{media['id']}").status == 404
    assert anna.commit(upload).status == 404
    assert anna.ask("GET", "/api/media").data["items"] == []


def test_a_link_makes_a_thumbnail_of_a_picture_alone(bucket: oss.Bucket, anna: Uploader) -> None:
    picture = anna.media()
    text = anna.media(b"a note", filename="note.txt", content_type="text/plain")

    opened(anna.get(picture["id"], thumbnail="1").data["url"])
    [(key, process)] = bucket.processed
    assert key == f"media/{anna.id}/{picture['id']}"
    assert re.fullmatch(r"image/.*resize,.*format,jpg", process)
    refused = anna.get(text["id"], thumbnail="1")
    assert (refused.status, refused.error) == (422, "invalid_request")
    assert [one["field"] for one in refused.json["details"]] == ["query.thumbnail"]
    assert opened(anna.get(text["id"]).data["url"]) == b"a note"


@pytest.mark.usefixtures("store")
def test_lists_have_pages_the_newest_first(anna: Uploader) -> None:
    ids = [anna.media(filename=f"{number}.png")["id"] for number in range(3)]

    first = anna.ask("GET", "/api/media", limit="2").data
    rest = anna.ask("GET", "/api/media", limit="2", cursor=first["next_cursor"]).data
    listed = [one["id"] for one in [*first["items"], *rest["items"]]]
    assert sorted(listed) == sorted(ids)
    assert listed == [row["id"] for row in sorted(rows("media"), key=by_time, reverse=True)]
    assert rest["next_cursor"] is None


def by_time(row: dict[str, Any]) -> tuple[int, str]:
    return row["created_at_ms"], row["id"]


@pytest.mark.usefixtures("database")
def test_without_a_storage_it_is_503(configure: Configure, anna: Uploader) -> None:
    assert (anna.presign().status, anna.presign().error) == (503, "misconfigured")
    assert rows("daily_uploads") == []
