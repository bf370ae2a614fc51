"""What may be uploaded, under which name, and how much on a day."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from functions.upload import logic
from shared.database import transactions
from shared.media.content_types import ALLOWED
from tests.conftest import Configure
from tests.functions.upload.uploading import PNG, Uploader, opened, rows, send, sql
from tests.people import add_user, token_of

pytestmark = pytest.mark.usefixtures("store")
on_mariadb = pytest.mark.parametrize("database", ["mariadb"], indirect=True)


@pytest.mark.parametrize("content_type", ALLOWED)
def test_known_types_are_allowed(content_type: str, anna: Uploader) -> None:
    assert anna.presign(content_type=content_type).status == 200


@pytest.mark.parametrize(
    ("declared", "stored"),
    [
        ("IMAGE/JPEG", "image/jpeg"),
        ("image/jpg", "image/jpeg"),
        ("audio/x-m4a", "audio/mp4"),
        ("text/x-markdown", "text/markdown"),
        ("text/plain; charset=utf-8", "text/plain"),
    ],
)
def test_types_have_other_spellings(declared: str, stored: str, anna: Uploader) -> None:
    assert anna.presign(content_type=declared).status == 200
    assert [row["content_type"] for row in rows("uploads")] == [stored]


@pytest.mark.parametrize(
    "content_type", ["image/svg+xml", "text/html", "application/zip", "image/", "picture", "*/*"]
)
def test_other_types_are_refused(content_type: str, anna: Uploader) -> None:
    refused = anna.presign(content_type=content_type)
    assert (refused.status, refused.error) == (422, "media_type_not_allowed")
    [named] = refused.json["details"]
    assert named["field"] == "body.content_type"
    assert "image/png" in named["problem"]


def test_a_setting_says_which_types_are_allowed(configure: Configure, anna: Uploader) -> None:
    configure(ALLOWED_FILE_TYPES="image/jpg, application/pdf")
    assert anna.presign(content_type="image/jpeg").status == 200
    assert anna.presign(content_type="image/png").error == "media_type_not_allowed"
    configure(ALLOWED_FILE_TYPES="image/jpeg,video/mp4")
    assert anna.presign(content_type="image/jpeg").error == "misconfigured"


def test_a_file_that_is_too_large_is_refused(configure: Configure, anna: Uploader) -> None:
    configure(MAX_FILE_SIZE="1000")
    refused = anna.presign(size=1001)
    assert (refused.status, refused.error) == (413, "file_too_large")
    assert refused.json["max_size"] == 1000
    assert anna.presign(size=1000).status == 200


@pytest.mark.parametrize(
    "fields",
    [
        {"size": 0},
        {"size": -1},
        {"size": 1.5},
        {"size": "many"},
        {"size": "5"},
        {"size": True},
        {"method": "delete"},
        {"filename": ""},
        {"filename": "x" * 1001},
        {"purpose": "../../etc"},
        {"purpose": "x" * 33},
        {"object_key": "media/x"},
    ],
    ids=str,
)
def test_bad_fields_are_refused(fields: dict[str, Any], anna: Uploader) -> None:
    assert anna.presign(**fields).status == 422
    assert rows("uploads") == []


@pytest.mark.parametrize(
    ("filename", "shown"),
    [
        ("box.png", "box.png"),
        ("../../etc/passwd", "passwd"),
        ("C:\\photos\\box 1.png", "box 1.png"),
        ("a\r\nSet-Cookie: x.png", "a Set-Cookie: x.png"),
        ("\u202egnp.exe", "gnp.exe"),
        ("..", "file.png"),
        ("/", "file.png"),
        ("\x00", "file.png"),
        ("药" * 300 + ".png", "药" * 116 + ".png"),
        ("x" * 300, "x" * 120),
    ],
    ids=range(10),
)
def test_names_are_cleaned_and_only_shown(filename: str, shown: str, anna: Uploader) -> None:
    media = anna.media(filename=filename)
    assert media["filename"] == shown
    assert [row["object_key"] for row in rows("media")] == [f"media/{anna.id}/{media['id']}"]


NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=60)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(filename=NAMES)
def test_any_name_is_uploaded_and_read(filename: str, configure: Configure, anna: Uploader) -> None:
    configure(UPLOADS_PER_DAY="100000", UPLOAD_BYTES_PER_DAY="1000000000")
    media = anna.media(filename=filename)
    assert media["filename"].isprintable() or logic.shown_name(filename, "image/png")
    assert anna.content(media["id"]) == PNG


def test_a_repeated_key_gives_the_same_upload_and_counts_once(anna: Uploader) -> None:
    first, again = anna.presign(key="k"), anna.presign(key="k")
    assert first.data["upload_id"] == again.data["upload_id"]
    assert first.data["expires_at"] == again.data["expires_at"]
    assert [row["files"] for row in rows("daily_uploads")] == [1]
    assert send(again.data).status_code == 200
    assert anna.presign(key="k", size=5).error == "idempotency_mismatch"
    sql("UPDATE uploads SET expires_at_ms = 1")
    assert anna.presign(key="k").error == "upload_expired"


def test_files_and_bytes_of_a_day_are_limited(configure: Configure, anna: Uploader) -> None:
    configure(UPLOADS_PER_DAY="3", UPLOAD_BYTES_PER_DAY="100")
    assert [anna.presign(size=size).status for size in (60, 40, 1)] == [200, 200, 429]
    refused = anna.presign(size=1)
    assert refused.error == "upload_limit_reached"
    assert 0 < int(refused.headers["Retry-After"]) <= 86400
    user = add_user()
    ben = Uploader(user.id, token_of(user.id))
    assert [ben.presign(size=1).status for _ in range(4)] == [200, 200, 200, 429]
    assert {row["user_id"]: (row["files"], row["bytes"]) for row in rows("daily_uploads")} == {
        anna.id: (2, 100),
        ben.id: (3, 3),
    }


@on_mariadb
def test_requests_at_once_do_not_exceed_the_day(configure: Configure, anna: Uploader) -> None:
    configure(UPLOADS_PER_DAY="7")

    def presign(_: int) -> int:
        try:
            return anna.presign().status
        finally:
            transactions.disconnect()

    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(presign, range(40)))

    assert (answers.count(200), answers.count(429)) == (7, 33)
    assert [(row["files"], row["bytes"]) for row in rows("daily_uploads")] == [(7, 7 * len(PNG))]
    assert len(rows("uploads")) == len(rows("object_deletions")) == 7


def test_one_user_asks_so_often(configure: Configure, anna: Uploader) -> None:
    configure(UPLOAD_LIMIT="2/1h")
    upload = anna.presign().data
    assert anna.commit(upload).error == "not_uploaded"
    assert (anna.presign().status, anna.commit(upload).error) == (429, "rate_limited")


def test_a_name_with_quotes_is_in_the_link_and_breaks_no_header(anna: Uploader) -> None:
    media = anna.media(filename='a"; filename=evil.html')
    assert opened(anna.get(media["id"]).data["url"]) == PNG
