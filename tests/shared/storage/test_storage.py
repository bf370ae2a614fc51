"""The bucket and the folder that replaces it: multipart uploads, and links that expire."""

import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from shared.credentials import of_context
from shared.errors import Misconfigured, StorageUnavailable
from shared.storage import choice
from tests.conftest import Configure
from tests.fakes import oss, oss_signature
from tests.fakes.oss_signature import Key

PART = b"0123456789" * 20_000
KEY = "exports/01ABC/1.csv"


@pytest.fixture
def bucket(configure: Configure) -> Iterator[oss.Bucket]:
    with oss.running() as running:
        configure(**running.variables)
        yield running


@pytest.fixture
def folder(configure: Configure, tmp_path: Path) -> Path:
    configure(STORAGE_FOLDER=str(tmp_path / "files"), STORAGE_FOLDER_URL="http://127.0.0.1:8160")
    return tmp_path / "files"


def stored(*parts: bytes) -> choice.Storage:
    storage = choice.storage()
    upload = storage.begin(KEY, "text/csv; charset=utf-8", {"aigc": '{"AIGC":1}'})
    for part in parts:
        upload.put(part)
    upload.complete()
    return storage


def test_parts_become_one_object_with_its_type_and_label(bucket: oss.Bucket) -> None:
    stored(PART, PART, b"end")

    found = bucket.objects[KEY]
    assert found.body == PART + PART + b"end"
    assert {name.lower(): text for name, text in found.headers.items()} == {
        "content-type": "text/csv; charset=utf-8",
        "x-oss-meta-aigc": '{"AIGC":1}',
    }
    assert bucket.uploads == {}


def test_a_link_opens_the_object_and_nothing_else(bucket: oss.Bucket) -> None:
    link = stored(b"a,b\r\n").link(KEY, "users.csv", 60)

    answer = httpx.get(link)
    assert (answer.status_code, answer.content) == (200, b"a,b\r\n")
    assert answer.headers["content-disposition"] == 'attachment; filename="users.csv"'
    assert httpx.get(link, headers={"Range": "bytes=2-"}).content == b"b\r\n"
    for altered in (link.replace("01ABC", "01ABD"), link.replace("expires=60", "expires=600")):
        assert httpx.get(altered).status_code == 403
    assert httpx.delete(link).status_code == 403
    query = parse_qs(urlsplit(link).query)
    assert query["x-oss-signature-version"] == ["OSS4-HMAC-SHA256"]
    assert query["x-oss-expires"] == ["60"]


def test_a_link_ends(bucket: oss.Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    link = stored(b"x").link(KEY, "x.csv", 600)

    assert httpx.get(link).status_code == 200
    monkeypatch.setattr(oss_signature, "now", lambda: time.time() + 602)  # in whole seconds
    assert httpx.get(link).status_code == 403


def test_an_upload_that_is_given_up_leaves_nothing(bucket: oss.Bucket) -> None:
    upload = choice.storage().begin(KEY, "text/csv", {})
    upload.put(PART)
    upload.abort()

    assert (bucket.objects, bucket.uploads) == ({}, {})


def test_what_others_left_under_a_prefix_is_removed(bucket: oss.Bucket) -> None:
    storage = stored(b"x")
    storage.begin(KEY.replace("1.csv", "2.csv"), "text/csv", {}).put(b"y")
    storage.begin("exports/01ABD/1.csv", "text/csv", {})
    storage.remove_all("exports/01ABC/")

    assert bucket.objects == {}
    assert [begun.key for begun in bucket.uploads.values()] == ["exports/01ABD/1.csv"]


@pytest.mark.parametrize("name", ["begin", "part"])
def test_what_may_be_repeated_is_when_the_service_stumbles(bucket: oss.Bucket, name: str) -> None:
    bucket.fail += [(name, 503), (name, 500)]
    stored(PART, b"end")

    assert bucket.objects[KEY].body == PART + b"end"
    assert bucket.requests.count(name) >= 3


@pytest.mark.parametrize(
    ("faults", "context"),
    [
        ([("part", 503)] * 3, {"status": 503, "code": "InternalError", "ec": "0000-00000001"}),
        ([("part", 403)], {"status": 403, "code": "AccessDenied", "ec": "0000-00000001"}),
        ([("complete", 500)], {"status": 500, "code": "InternalError", "ec": "0000-00000001"}),
    ],
)
def test_a_service_that_does_not_recover_is_reported_without_a_secret(
    bucket: oss.Bucket, faults: list[tuple[str, int]], context: dict[str, object]
) -> None:
    bucket.fail += faults

    with pytest.raises(StorageUnavailable) as failure:
        stored(PART)

    assert failure.value.context == context
    assert bucket.objects == {}


def test_nobody_waits_for_a_service_that_is_silent(
    bucket: oss.Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.storage.oss_bucket._SILENT_SECONDS", 0.2)
    bucket.stall += ["begin"] * 3

    with pytest.raises(StorageUnavailable):
        stored(b"x")


def test_a_wrong_secret_is_refused(bucket: oss.Bucket, configure: Configure) -> None:
    configure(OSS_ACCESS_KEY_SECRET="wrong")

    with pytest.raises(StorageUnavailable) as failure:
        stored(b"x")

    assert failure.value.context["code"] == "SignatureDoesNotMatch"


ROLE = Key("STS.id", "canary-of-a-role", "token-of-a-role")


@pytest.mark.parametrize("place", ["context", "environment"])
def test_the_role_of_the_function_signs_where_there_are_no_keys_of_ones_own(
    place: str, configure: Configure, monkeypatch: pytest.MonkeyPatch
) -> None:
    with oss.running(ROLE) as bucket:
        configure(**{**bucket.variables, "OSS_ACCESS_KEY_ID": None})
        given = None
        if place == "context":
            role = {"access_key_id": ROLE.id, "access_key_secret": ROLE.secret}
            keys = SimpleNamespace(**role, security_token=ROLE.token)
            given = of_context(SimpleNamespace(credentials=keys))
        else:
            monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_ID", ROLE.id)
            monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_SECRET", ROLE.secret)
            monkeypatch.setenv("ALIBABA_CLOUD_SECURITY_TOKEN", ROLE.token)
        storage = choice.storage(given)
        upload = storage.begin(KEY, "text/csv", {})
        upload.put(b"x")
        upload.complete()

        assert bucket.objects[KEY].body == b"x"
        assert httpx.get(storage.link(KEY, "x.csv", 60)).content == b"x"


def test_without_any_keys_the_variable_is_named(bucket: oss.Bucket, configure: Configure) -> None:
    configure(OSS_ACCESS_KEY_ID=None)

    with pytest.raises(Misconfigured) as failure:
        stored(b"x")

    assert failure.value.context == {
        "problems": ["OSS_ACCESS_KEY_ID is not set, nor has this a role"]
    }


def test_without_a_bucket_and_a_folder_the_variable_is_named(configure: Configure) -> None:
    with pytest.raises(Misconfigured) as failure:
        choice.storage()
    assert failure.value.context == {"problems": ["OSS_BUCKET is not set"]}


def test_a_folder_is_refused_in_production(folder: Path, configure: Configure) -> None:
    configure(APP_ENV="production")

    with pytest.raises(Misconfigured, match="misconfigured"):
        choice.storage()


def test_endpoints_follow_from_the_region_and_links_use_the_public_one(
    configure: Configure,
) -> None:
    configure(
        OSS_BUCKET_NAME="my-bucket",
        OSS_REGION="oss-cn-beijing",
        OSS_ACCESS_KEY_ID="a",
        OSS_ACCESS_KEY_SECRET="b",
    )
    link = choice.storage().link("a/b.csv", "b.csv", 60)
    assert link.startswith("https://my-bucket.oss-cn-beijing.aliyuncs.com/a/b.csv?")
    configure(OSS_PUBLIC_ENDPOINT="files.example.com")
    link = choice.storage().link("a/b.csv", "b.csv", 60)
    assert link.startswith("https://files.example.com/a/b.csv?")


def test_a_file_in_the_folder_appears_when_it_is_complete(folder: Path) -> None:
    upload = choice.storage().begin(KEY, "text/csv", {})
    upload.put(b"a")
    assert not (folder / KEY).exists()
    upload.put(b"b")
    upload.complete()

    assert (folder / KEY).read_bytes() == b"ab"


def test_an_upload_to_the_folder_that_is_given_up_leaves_nothing(folder: Path) -> None:
    upload = choice.storage().begin(KEY, "text/csv", {})
    upload.abort()

    assert list((folder / KEY).parent.iterdir()) == []


def test_a_link_to_the_folder_leads_to_the_local_gateway(folder: Path) -> None:
    link = urlsplit(stored(b"x").link(KEY, "x.csv", 60))

    assert (link.netloc, link.path) == ("127.0.0.1:8160", f"/.storage/{KEY}")
    assert parse_qs(link.query)["x-oss-expires"] == ["60"]
