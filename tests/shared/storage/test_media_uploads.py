"""Signed uploads to the bucket and to the folder: what they allow, and nothing else."""

import base64
import json

import httpx
import pytest

from shared.storage.media_choice import media_storage
from shared.storage.media_storage import MediaStorage, SignedForm, StoredObject
from tests.conftest import Configure
from tests.fakes import oss
from tests.patience import HANG_SECONDS
from tests.shared.storage.stores import LocalStorage
from tests.shared.storage.uploads import KEY, PNG, code, send_form, send_put, terms


def found(media: MediaStorage, key: str = KEY) -> StoredObject:
    stored = media.find(key)
    assert stored is not None
    return stored


def test_a_form_stores_the_file_under_its_key_and_type(media: MediaStorage) -> None:
    answer = send_form(media.form(terms()), file_type="application/octet-stream")

    assert (answer.status_code, answer.content) == (200, b"")
    object_ = found(media)
    assert answer.headers["etag"] == f'"{object_.etag}"'
    assert (object_.size, object_.content_type) == (len(PNG), "image/png")
    assert media.read(KEY, etag=object_.etag) == PNG


def test_a_put_stores_the_file_under_its_key_and_type(media: MediaStorage) -> None:
    answer = send_put(media.put(terms()))

    assert answer.status_code == 200
    object_ = found(media)
    assert answer.headers["etag"] == f'"{object_.etag}"'
    assert (object_.size, object_.content_type) == (len(PNG), "image/png")
    assert media.read(KEY, etag=object_.etag) == PNG


@pytest.mark.parametrize(
    "changed",
    [
        {"key": "tmp/01OTHER/01UPLOAD"},
        {"key": "../../escaped"},
        {"key": None},
        {"content-type": "text/html"},
        {"x-oss-content-type": "text/html"},
        {"x-oss-content-type": None},
        {"success_action_status": "201"},
        {"policy": None},
        {"policy": base64.b64encode(b'{"expiration":"2099-01-01T00:00:00.000Z"}').decode()},
        {"policy": "%%%"},
        {"x-oss-signature": "0" * 64},
        {"x-oss-signature": "é"},
        {"x-oss-signature": None},
        {"x-oss-signature-version": "OSS2"},
        {"x-oss-credential": "somebody/20261129/cn-hangzhou/oss/aliyun_v4_request"},
        {"x-oss-date": "20990101T000000Z"},
        {"x-oss-date": "yesterday"},
        {"x-oss-date": None},
    ],
    ids=str,
)
def test_a_form_that_was_changed_stores_nothing(
    changed: dict[str, str | None], media: MediaStorage
) -> None:
    answer = send_form(media.form(terms()), fields=changed)

    assert answer.status_code == 403
    assert code(answer) in {"AccessDenied", "SignatureDoesNotMatch", "InvalidAccessKeyId"}
    assert media.find(KEY) is None


@pytest.mark.parametrize(
    ("content", "wanted"), [(PNG + b"x", "EntityTooLarge"), (b"", "EntityTooSmall")]
)
def test_a_form_limits_the_size(content: bytes, wanted: str, media: MediaStorage) -> None:
    answer = send_form(media.form(terms()), content)

    assert (answer.status_code, code(answer)) == (400, wanted)
    assert media.find(KEY) is None


def test_a_smaller_file_than_declared_is_stored_with_its_own_size(media: MediaStorage) -> None:
    assert send_form(media.form(terms()), PNG[:9]).status_code == 200

    assert found(media).size == 9


def test_a_form_that_has_expired_stores_nothing(
    media: MediaStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    form = _an_hour_ago(media).form(terms(seconds=-3000))

    answer = send_form(form)
    assert (answer.status_code, code(answer)) == (403, "AccessDenied")
    assert media.find(KEY) is None


def test_a_put_that_has_expired_stores_nothing(media: MediaStorage) -> None:
    answer = send_put(_an_hour_ago(media).put(terms(seconds=-3000)))

    assert (answer.status_code, code(answer)) == (403, "AccessDenied")
    assert media.find(KEY) is None


def _an_hour_ago(media: MediaStorage) -> MediaStorage:
    """The storage with the clock of an hour ago."""
    presigner = media._presigner  # type: ignore[attr-defined]  # both stores sign with it
    now = presigner.now
    object.__setattr__(presigner, "now", lambda: now() - 3600)
    return media


@pytest.mark.parametrize("seconds", [1, 3600])
def test_a_form_lasts_at_most_fifteen_minutes(seconds: int, media: MediaStorage) -> None:
    policy = json.loads(base64.b64decode(media.form(terms(seconds=seconds)).fields["policy"]))
    query = httpx.URL(media.put(terms(seconds=seconds)).url).params

    assert int(query["x-oss-expires"]) == min(seconds, 900)
    assert policy["expiration"].endswith("Z")


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Type": "text/html"},
        {},
        {"Content-Type": "image/png", "x-oss-object-acl": "public-read"},
        {"Content-Type": "image/png", "x-oss-meta-x": "y"},
    ],
    ids=str,
)
def test_a_put_with_other_headers_stores_nothing(
    headers: dict[str, str], media: MediaStorage
) -> None:
    answer = send_put(media.put(terms()), headers=headers)

    assert (answer.status_code, code(answer)) == (403, "SignatureDoesNotMatch")
    assert media.find(KEY) is None


@pytest.mark.parametrize(
    ("part", "other"),
    [
        ("01UPLOAD", "01OTHER"),
        ("x-oss-expires=6", "x-oss-expires=9"),
        ("x-oss-expires=", "x-oss-expires=x"),
        ("x-oss-expires=", "x="),
        ("x-oss-signature=", "x-oss-signature=0"),
        ("x-oss-signature=", "x-oss-sig=0"),
        ("x-oss-date=", "x-oss-date=1"),
        ("x-oss-credential=", "x-oss-credential=0"),
        ("x-oss-signature-version=OSS4", "x-oss-signature-version=OSS5"),
    ],
)
def test_a_put_to_a_changed_url_stores_nothing(part: str, other: str, media: MediaStorage) -> None:
    put = media.put(terms(seconds=600.5))
    assert part in put.url
    answer = httpx.put(put.url.replace(part, other), content=PNG, headers=put.headers)

    assert answer.status_code == 403
    assert media.find(KEY) is None
    assert media.find(KEY.replace("01UPLOAD", "01OTHER")) is None


def test_a_permission_is_for_its_method(media: MediaStorage) -> None:
    put = media.put(terms())
    assert send_put(put).status_code == 200

    assert httpx.get(put.url).status_code == 403
    assert httpx.put(media.link(KEY, filename="x", seconds=60), content=b"y").status_code == 403
    assert httpx.delete(put.url).status_code in {403, 405}
    assert media.read(KEY, etag=found(media).etag) == PNG


def raw_form(form: SignedForm, *parts: bytes) -> httpx.Response:
    """Send parts of a form as they are, without an end unless one is among them."""
    headers = {"Content-Type": "multipart/form-data; boundary=b0"}
    return httpx.post(form.url, content=b"".join(parts), headers=headers, timeout=HANG_SECONDS)


def field(name: str, value: str) -> bytes:
    return f'--b0\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()


def file_part(content: bytes, filename: str = "x.png") -> bytes:
    head = f'--b0\r\nContent-Disposition: form-data; name="file"; filename="{filename}"\r\n'
    return head.encode() + b"Content-Type: image/png\r\n\r\n" + content + b"\r\n"


END = b"--b0--\r\n"


def test_fields_after_the_file_are_ignored(media: MediaStorage) -> None:
    form = media.form(terms())
    fields = [field(name, value) for name, value in form.fields.items()]
    later = field("key", "tmp/01OTHER/x"), field("x-oss-content-type", "text/html")

    assert raw_form(form, *fields, file_part(PNG), *later, END).status_code == 200
    assert found(media).content_type == "image/png"
    assert media.find("tmp/01OTHER/x") is None


@pytest.mark.parametrize("name", ['"; name="key', "../../x", "a.about.json", "中" * 200])
def test_the_name_of_the_file_is_of_no_effect(name: str, media: MediaStorage) -> None:
    form = media.form(terms())
    fields = [field(name, value) for name, value in form.fields.items()]

    answer = raw_form(form, *fields, file_part(PNG, name.replace('"', "%22")), END)
    assert answer.status_code == 200
    assert media.read(KEY, etag=found(media).etag) == PNG


def test_a_form_without_a_file_stores_nothing(media: MediaStorage) -> None:
    form = media.form(terms())
    fields = [field(name, value) for name, value in form.fields.items()]

    assert raw_form(form, *fields, END).status_code == 400
    assert media.find(KEY) is None


def test_a_file_that_comes_before_the_fields_stores_nothing(media: MediaStorage) -> None:
    form = media.form(terms())
    fields = [field(name, value) for name, value in form.fields.items()]

    assert raw_form(form, file_part(PNG), *fields, END).status_code == 403
    assert media.find(KEY) is None


@pytest.mark.parametrize(
    "padding",
    [
        field("x", "y" * 70_000),
        field("x", "y" * 700) * 100,
        b"".join(field(f"x{number}", "") for number in range(20_000)),
    ],
    ids=["one", "one repeated", "many"],
)
def test_the_folder_takes_a_form_with_short_fields_only(
    padding: bytes, media_folder: LocalStorage
) -> None:
    form = media_storage().form(terms())
    fields = [field(name, value) for name, value in form.fields.items()]

    answer = raw_form(form, padding, *fields, file_part(PNG), END)
    assert (answer.status_code, code(answer)) == (400, "MalformedPOSTRequest")
    assert media_storage().find(KEY) is None


def test_a_role_signs_with_its_token(configure: Configure) -> None:
    role = oss.Key("STS.id", "canary-of-a-role", "token+of/a=role")
    with oss.running(role) as bucket:
        configure(**{**bucket.variables, "OSS_ACCESS_KEY_ID": None})
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("ALIBABA_CLOUD_ACCESS_KEY_ID", role.id)
            patch.setenv("ALIBABA_CLOUD_ACCESS_KEY_SECRET", role.secret)
            patch.setenv("ALIBABA_CLOUD_SECURITY_TOKEN", role.token)
            media = media_storage()
            form, put = media.form(terms()), media.put(terms())

            assert send_form(form).status_code == 200
            assert send_form(form, fields={"x-oss-security-token": "other"}).status_code == 403
            assert send_form(form, fields={"x-oss-security-token": None}).status_code == 403
            assert send_put(put).status_code == 200
            assert media.read(KEY, etag=found(media).etag) == PNG
            link = media.link(KEY, filename="x.png", seconds=60)
            assert httpx.get(link).content == PNG
            bucket.key = oss.Key("STS.id", "canary-of-a-role", "the next token")
            assert httpx.get(link).status_code == 403


def test_a_form_for_another_region_is_refused(
    media_bucket: oss.Bucket, configure: Configure
) -> None:
    configure(**{**media_bucket.variables, "OSS_REGION": "cn-beijing"})

    assert send_form(media_storage().form(terms())).status_code == 403


def test_nothing_of_a_refused_file_stays_in_the_folder(media_folder: LocalStorage) -> None:
    form = media_storage().form(terms())
    send_form(form, PNG + b"x")
    send_form(form, b"")
    raw_form(form, *(field(name, value) for name, value in form.fields.items()), file_part(PNG))

    assert [path for path in media_folder.folder.rglob("*") if path.is_file()] == []
