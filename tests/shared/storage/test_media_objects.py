"""Objects of the bucket and of the folder: found, read, copied, removed, opened by links."""

from concurrent.futures import ThreadPoolExecutor
from urllib.parse import quote

import httpx
import pytest

from shared.storage.media_choice import media_storage
from shared.storage.media_storage import MediaStorage, ObjectChanged, ObjectMissing
from tests.fakes import oss
from tests.shared.storage.stores import LocalStorage
from tests.shared.storage.uploads import KEY, PNG, code, send_form, stored, terms

FINAL = "media/01USER/01MEDIA.png"


def test_there_is_nothing_before_an_upload(media: MediaStorage) -> None:
    assert media.find(KEY) is None
    with pytest.raises(ObjectMissing):
        media.read(KEY, etag="0" * 32)
    with pytest.raises(ObjectMissing):
        copy(media, "0" * 32)
    media.remove(KEY)


def copy(media: MediaStorage, etag: str) -> object:
    return media.copy(KEY, FINAL, etag=etag, content_type="image/png")


@pytest.mark.parametrize(
    ("start", "length", "expected"),
    [
        (0, None, PNG),
        (0, 8, PNG[:8]),
        (5, 3, PNG[5:8]),
        (len(PNG) - 2, None, PNG[-2:]),
        (len(PNG) - 2, 100, PNG[-2:]),
        (len(PNG), 10, b""),
        (3, 0, b""),
    ],
)
def test_a_part_of_an_object_can_be_read(
    start: int, length: int | None, expected: bytes, media: MediaStorage
) -> None:
    etag = stored(media)

    assert media.read(KEY, etag=etag, start=start, length=length) == expected


def test_an_object_that_was_written_again_is_neither_read_nor_copied(media: MediaStorage) -> None:
    etag = stored(media)
    stored(media, PNG[::-1])

    with pytest.raises(ObjectChanged):
        media.read(KEY, etag=etag)
    with pytest.raises(ObjectChanged):
        copy(media, etag)
    assert media.find(FINAL) is None


def test_a_copy_stays_when_the_form_is_used_again(media: MediaStorage) -> None:
    form = media.form(terms())
    send_form(form)
    found = media.find(KEY)
    assert found is not None
    copied = media.copy(KEY, FINAL, etag=found.etag, content_type="image/png")
    assert send_form(form, PNG[::-1]).status_code == 200

    assert (copied.size, copied.content_type) == (len(PNG), "image/png")
    assert copied == media.find(FINAL)
    assert media.read(FINAL, etag=copied.etag) == PNG


def test_copying_and_removing_may_be_repeated(media: MediaStorage) -> None:
    etag = stored(media)
    assert copy(media, etag) == copy(media, etag)
    for _ in range(2):
        media.remove(KEY)
        assert media.find(KEY) is None

    assert media.read(FINAL, etag=etag) == PNG


def test_an_object_of_many_copies_at_once_is_always_whole(media: MediaStorage) -> None:
    etag = stored(media)

    with ThreadPoolExecutor(20) as pool:
        copies = list(pool.map(lambda _: copy(media, etag), range(60)))
    assert len(set(copies)) == 1
    assert media.read(FINAL, etag=etag) == PNG


@pytest.mark.parametrize(
    ("filename", "plain"),
    [
        ("photo.png", "photo.png"),
        ("药 盒+1%.png", "_ _+1_.png"),
        ('a"\r\nSet-Cookie: x\\', "a___Set-Cookie: x_"),
        ("../../etc/passwd", "../../etc/passwd"),
        ("\ud800.png", "_.png"),
    ],
)
@pytest.mark.parametrize("inline", [True, False])
def test_a_link_opens_the_object_under_a_name(
    inline: bool, filename: str, plain: str, media: MediaStorage
) -> None:
    stored(media)
    answer = httpx.get(media.link(KEY, filename=filename, seconds=60, inline=inline))

    kind = "inline" if inline else "attachment"
    encoded = quote(filename.encode("utf-8", "replace"), safe="")
    assert (answer.status_code, answer.content) == (200, PNG)
    assert answer.headers["content-type"] == "image/png"
    assert answer.headers["content-disposition"] == (
        f"{kind}; filename=\"{plain}\"; filename*=UTF-8''{encoded}"
    )


@pytest.mark.parametrize(
    ("part", "other"),
    [
        ("01UPLOAD", "01OTHER"),
        ("x-oss-expires=60", "x-oss-expires=600"),
        ("inline", "attachment"),
        ("image%2Fresize", "image%2Finfo"),
        ("x-oss-signature=", "x-oss-signature=0"),
    ],
)
def test_a_link_that_was_changed_opens_nothing(part: str, other: str, media: MediaStorage) -> None:
    stored(media)
    stored(media, key=KEY.replace("01UPLOAD", "01OTHER"))
    link = media.link(KEY, filename="x", seconds=60, process="image/resize,w_9", inline=True)

    assert httpx.get(link).status_code == 200
    assert part in link
    answer = httpx.get(link.replace(part, other))
    assert (answer.status_code, code(answer)) == (403, "SignatureDoesNotMatch")


def test_a_link_ends(media: MediaStorage) -> None:
    stored(media)
    answer = httpx.get(media.link(KEY, filename="x", seconds=-2))

    assert (answer.status_code, code(answer)) == (403, "AccessDenied")


def test_a_link_to_nothing_finds_nothing(media: MediaStorage) -> None:
    answer = httpx.get(media.link(KEY, filename="x", seconds=60))

    assert (answer.status_code, code(answer)) == (404, "NoSuchKey")


@pytest.mark.parametrize(
    ("wanted", "status", "expected"),
    [
        ("bytes=0-7", 206, PNG[:8]),
        ("bytes=4-", 206, PNG[4:]),
        ("bytes=5-5", 206, PNG[5:6]),
        (f"bytes={len(PNG)}-", 200, PNG),
        ("bytes=7-5", 200, PNG),
        ("lines=1-2", 200, PNG),
    ],
)
def test_a_link_serves_ranges(
    wanted: str, status: int, expected: bytes, media: MediaStorage
) -> None:
    stored(media)
    link = media.link(KEY, filename="x", seconds=60)
    answer = httpx.get(link, headers={"Range": wanted})

    assert (answer.status_code, answer.content) == (status, expected)
    if status == 206:
        first = PNG.index(expected)
        last = first + len(expected) - 1
        assert answer.headers["content-range"] == f"bytes {first}-{last}/{len(PNG)}"


def test_the_bucket_is_asked_to_process_a_picture(media_bucket: oss.Bucket) -> None:
    media = media_storage()
    stored(media)
    process = "image/resize,w_400/format,jpg"
    httpx.get(media.link(KEY, filename="x.jpg", seconds=60, process=process))

    assert media_bucket.processed == [(KEY, process)]


def test_the_checksum_is_the_one_that_the_bucket_reports(media_bucket: oss.Bucket) -> None:
    media = media_storage()
    etag = stored(media, b"123456789")
    assert etag == "25F9E794323B453885F5181F1B624D0B"
    found = media.find(KEY)
    assert found is not None
    assert found.crc64 == "11051210869376104954"  # the check value of CRC-64/XZ


def test_browsers_may_use_the_folder_from_any_page(media_folder: LocalStorage) -> None:
    asked = {
        "Origin": "http://localhost:3000",
        "Access-Control-Request-Method": "PUT",
        "Access-Control-Request-Headers": "content-type",
    }
    answer = httpx.options(f"{media_folder.url}/.storage/{KEY}", headers=asked)

    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "PUT" in answer.headers["access-control-allow-methods"]
    assert "Content-Type" in answer.headers["access-control-allow-headers"]


def test_no_type_is_guessed_from_the_content(media_folder: LocalStorage) -> None:
    media = media_storage()
    stored(media)
    answer = httpx.get(media.link(KEY, filename="x", seconds=60, inline=True))

    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["access-control-allow-origin"] == "*"
