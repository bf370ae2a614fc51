"""No key and no file name leaves the folder, or makes the local gateway fail."""

from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import quote, urlsplit

import httpx
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from shared.config import Secret
from shared.settings import Storage
from shared.storage.folder_bucket import folder_presigner
from shared.storage.folder_files import KeyRefused, object_path
from shared.storage.presigner import Presigner
from tests.patience import HANG_SECONDS
from tests.shared.storage.stores import SECRET, LocalStorage, local_storage
from tests.shared.storage.uploads import PNG, code, send_form, terms

parts = st.one_of(
    st.text(st.characters(codec="utf-8"), max_size=12),
    st.sampled_from(["..", ".", "", "~", "a", "A", "a.about.json", ".a", "con", "%2e%2e", "\\"]),
    st.text("中", min_size=55, max_size=300),
)
keys = st.lists(parts, min_size=1, max_size=6).map("/".join)
names = st.one_of(keys, st.text(max_size=300))


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStorage]:
    with local_storage(tmp_path_factory.mktemp("around") / "files") as running:
        yield running


@pytest.fixture(scope="module")
def presigner(local: LocalStorage) -> Presigner:
    config = Storage("local", "", "", "", "", Secret(""), str(local.folder), local.url)
    return folder_presigner(config, lambda: Secret(SECRET))


@dataclass(frozen=True)
class Answer:
    status: int
    body: bytes


def sent(
    url: str, method: str = "GET", body: bytes = b"", headers: Mapping[str, str] | None = None
) -> Answer:
    """Send the URL as it is: httpx would resolve `..` in it."""
    parts = urlsplit(url)
    with closing(HTTPConnection(parts.netloc, timeout=HANG_SECONDS)) as connection:
        target = f"{parts.path}?{parts.query}"
        connection.request(method, target, body, dict(headers or {}))
        response = connection.getresponse()
        return Answer(response.status, response.read())


def outside(local: LocalStorage) -> set[Path]:
    """Whatever lies around the folder."""
    return set(local.folder.parent.iterdir()) - {local.folder}


def inside(local: LocalStorage) -> list[str]:
    return [path.name for path in local.folder.rglob("*") if path.is_file()]


@given(key=keys)
@example(key="../escaped")
@example(key="a/../../escaped")
@example(key="/etc/escaped")
@example(key="a//b")
@example(key="a\0b")
@example(key="..\\escaped")
@example(key="a/.hidden")
@example(key="a.png.about.json")
@example(key="A.ABOUT.JSON")
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_key_is_stored_as_it_is_or_refused(
    key: str, local: LocalStorage, presigner: Presigner
) -> None:
    put = presigner.put(terms(key=key))
    for status in (
        send_form(presigner.form(terms(key=key))).status_code,
        sent(put.url, "PUT", PNG, put.headers).status,
    ):
        read = sent(presigner.link(key, filename="x", seconds=60))
        if status == 200:
            assert (read.status, read.body) == (200, PNG)
            assert object_path(local.folder, key).is_relative_to(local.folder)
        else:
            assert status in {400, 414}
            assert read.status in {404, 414}
    assert outside(local) == set()
    assert not any(name.endswith(".about.json.about.json") for name in inside(local))


@given(filename=names)
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_file_name_opens_the_object_under_it(
    filename: str, local: LocalStorage, presigner: Presigner
) -> None:
    assert send_form(presigner.form(terms())).status_code == 200

    answer = httpx.get(presigner.link(terms().key, filename=filename, seconds=60))
    assert answer.status_code in {200, 414}
    if answer.status_code == 200:
        assert answer.content == PNG
        assert answer.headers["content-disposition"].startswith("attachment; filename=")


@given(
    path=st.text(st.characters(codec="utf-8"), max_size=60),
    method=st.sampled_from(["GET", "PUT", "POST"]),
)
@example(path="../../../../etc/passwd", method="GET")
@example(path="%2e%2e/%2e%2e/etc/passwd", method="GET")
@example(path="%00", method="GET")
@example(path="?x-oss-date=%00&x-oss-signature-version=OSS4-HMAC-SHA256", method="PUT")
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_nothing_happens_without_a_signature(path: str, method: str, local: LocalStorage) -> None:
    before = inside(local)
    target = quote(path, safe="/%?&=")
    answer = sent(f"{local.url}/.storage/{target}", method, b"x", {})

    assert 400 <= answer.status < 500
    assert inside(local) == before
    assert outside(local) == set()


@given(body=st.binary(max_size=400), boundary=st.sampled_from(["b0", "b 0", '"b0"', "x" * 300, ""]))
@example(body=b"--b0\r\n\r\n\r\n--b0--", boundary="b0")
@example(
    body=b'--b0\r\nContent-Disposition: form-data; name="file"\r\n\r\nx\r\n--b0--\r\n',
    boundary="b0",
)
@example(
    body=b"--b0\r\nContent-Disposition: form-data; name*=utf-8''a\r\n\r\nx\r\n--b0--", boundary="b0"
)
@example(body=b"--b0" + b"\r\na: b" * 2000 + b"\r\n\r\n", boundary="b0")
@example(body=b"--b0\r\n" + b"a" * 70000, boundary="b0")
@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_body_of_a_form_is_answered(body: bytes, boundary: str, local: LocalStorage) -> None:
    headers = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
    answer = httpx.post(f"{local.url}/.storage/", content=body, headers=headers)

    assert answer.status_code in {400, 403}
    assert code(answer) in {"MalformedPOSTRequest", "AccessDenied"}


@pytest.mark.parametrize(
    "key", ["", ".", "..", "a/..", "/a", "a/", "a//b", "a\\b", "a\0", "a\n", ".a", "a.about.json"]
)
def test_keys_that_are_no_names_have_no_path(key: str, tmp_path: Path) -> None:
    with pytest.raises(KeyRefused):
        object_path(tmp_path, key)


def test_a_name_of_a_folder_is_no_name_of_a_file(local: LocalStorage, presigner: Presigner) -> None:
    assert send_form(presigner.form(terms(key="branch/leaf"))).status_code == 200

    for key in ("branch", "branch/leaf/bud"):
        answer = send_form(presigner.form(terms(key=key)))
        assert (answer.status_code, code(answer)) == (400, "InvalidObjectName")
        assert httpx.get(presigner.link(key, filename="x", seconds=60)).status_code == 404
