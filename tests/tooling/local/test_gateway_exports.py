"""scripts/dev writes exports without a bucket: worker, folder and link on one port."""

import hashlib
import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.patience import HANG_SECONDS
from tests.tooling.local.dev_process import ADMIN, running_dev
from tests.tooling.local.gateways import eventually

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def admin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    with (
        running_dev(tmp_path_factory.mktemp("dev")) as dev,
        httpx.Client(base_url=dev.base, timeout=HANG_SECONDS) as client,
    ):
        account = {"username": ADMIN["ADMIN_USERNAME"], "password": ADMIN["ADMIN_PASSWORD"]}
        session = client.post("/api/auth/login", json=account).json()["data"]
        client.headers["Authorization"] = f"Bearer {session['access_token']}"
        yield client


@pytest.fixture(scope="module")
def done(admin: httpx.Client) -> dict[str, Any]:
    query = {"dataset": "users", "format": "csv", "delivery": "link"}
    accepted = admin.get("/api/admin/export", params=query)
    assert accepted.status_code == 202

    def ended() -> dict[str, Any] | None:
        told: dict[str, Any] = admin.get(accepted.json()["data"]["status_url"]).json()["data"]
        return told if told["ended_at"] else None

    return eventually(ended)


def test_the_worker_writes_a_file_that_a_link_on_the_same_port_opens(
    admin: httpx.Client, done: dict[str, Any]
) -> None:
    url = done["link"]["url"]
    answer = httpx.get(url)

    assert (done["state"], done["rows"]) == ("done", 1)
    assert url.startswith(str(admin.base_url))
    assert hashlib.sha256(answer.content).hexdigest() == done["sha256"]
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert re.fullmatch(
        r'attachment; filename="(users-\d{8}\.csv)"; filename\*=UTF-8\'\'\1',
        answer.headers["content-disposition"],
    )


@pytest.mark.parametrize(
    ("part", "other"),
    [
        (r"expires=\d+", "expires=9999999999"),
        (r"/1/users-", "/2/users-"),
        (r"signature=\w+", "signature="),
        (r"\?.*", ""),
    ],
)
def test_a_link_that_was_changed_opens_nothing(part: str, other: str, done: dict[str, Any]) -> None:
    answer = httpx.get(re.sub(part, other, done["link"]["url"], count=1))

    assert answer.status_code == 403
    assert re.search("<Code>(AccessDenied|SignatureDoesNotMatch)</Code>", answer.text)


def test_a_link_is_for_reading(done: dict[str, Any]) -> None:
    assert httpx.put(done["link"]["url"], content=b"x").status_code == 403
    assert httpx.head(done["link"]["url"]).status_code == 403


def test_a_link_to_a_file_that_was_removed_finds_nothing(
    admin: httpx.Client, done: dict[str, Any]
) -> None:
    assert admin.delete(f"/api/admin/exports/{done['id']}").json()["data"]["link"] is None

    assert httpx.get(done["link"]["url"]).status_code == 404
