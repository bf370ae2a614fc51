"""A page in a real browser, from another origin than the API of scripts/dev that it calls."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.browser.browsing import PageServer, browse, chromium, page_server
from tests.tooling.local.dev_process import RunningDev, running_dev

pytestmark = pytest.mark.timeout(300)

ALLOWED, OTHER = "shop.example.com", "other.example.com"

Facts = dict[str, Any]


@pytest.fixture(scope="module")
def server() -> Iterator[PageServer]:
    chromium()
    with page_server() as running:
        yield running


@pytest.fixture(scope="module")
def dev(server: PageServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningDev]:
    folder = tmp_path_factory.mktemp("dev")
    with running_dev(folder, ALLOWED_ORIGINS=server.origin(ALLOWED)) as running:
        yield running


@pytest.fixture(scope="module")
def facts(server: PageServer, dev: RunningDev, tmp_path_factory: pytest.TempPathFactory) -> Facts:
    seen = browse(server, ALLOWED, dev.base, tmp_path_factory.mktemp("browser"))
    assert "error" not in seen, seen["error"]
    return seen


def test_a_photo_is_uploaded_by_a_form_and_its_thumbnail_is_shown(facts: Facts) -> None:
    assert (facts["picture"]["kind"], facts["picture"]["filename"]) == ("picture", "药盒 正面.jpg")
    assert facts["thumbnail"] is True


def test_a_question_about_the_photo_is_answered_as_a_stream(facts: Facts) -> None:
    seen = facts["seen"]

    assert "“这是什么药？”" in seen["text"]
    assert "image/jpeg, 640 x 360" in seen["text"]
    assert seen["deltas"] > 10
    assert seen["done"]["finish_reason"] == "stop"


def test_a_recognised_medicine_is_confirmed_and_listed(facts: Facts) -> None:
    draft, listed = facts["recognition"]["draft"], facts["drugs"]

    assert set(draft.values()) == {None}  # the demo model reads nothing
    assert [(one["name"], one["expires_on"], one["expiry_level"]) for one in listed] == [
        ("阿莫西林胶囊", "2999-03-31", "ok")
    ]
    assert listed[0]["ai_generated"] is True
    assert listed[0]["media_ids"] == [facts["picture"]["id"]]


def test_a_document_is_uploaded_by_a_put_and_asked_about(facts: Facts) -> None:
    assert facts["document"]["kind"] == "document"
    assert "“血红蛋白正常吗？”" in facts["read"]["text"]
    assert "文档“化验单.md”" in facts["read"]["text"]


def test_the_conversation_names_the_files_of_its_questions(facts: Facts) -> None:
    media = [one["media"] for one in facts["messages"] if one["role"] == "user"]

    assert [[file["filename"] for file in files] for files in media] == [
        ["药盒 正面.jpg"],
        ["化验单.md"],
    ]


def test_a_location_is_reported_with_consent_only(facts: Facts) -> None:
    assert "422 consent_required" in facts["refused"]
    assert (facts["location"]["latitude"], facts["location"]["longitude"]) == (31.23, 121.474)


@pytest.mark.usefixtures("facts")  # the same API answers a page that is allowed
def test_a_page_of_another_origin_reads_nothing(
    server: PageServer, dev: RunningDev, tmp_path: Path
) -> None:
    facts = browse(server, OTHER, dev.base, tmp_path)

    assert facts == {"error": "TypeError: Failed to fetch"}
