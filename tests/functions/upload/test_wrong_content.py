"""Wrong content behind a right name: it is refused or cut, and the function answers after it."""

from collections.abc import Iterator

import pytest

from shared.database.transactions import read
from shared.repos import media
from tests.functions.upload.uploading import HTML, PNG, Uploader, rows
from tests.shared.media import pdfs

pytestmark = [
    pytest.mark.usefixtures("store"),
    pytest.mark.parametrize("database", ["sqlite"], indirect=True),
]
PDF = {"filename": "合同.pdf", "content_type": "application/pdf"}


def is_refused(uploader: Uploader, content: bytes, reason: str, **fields: str) -> bool:
    """Whether this content is refused twice with the same reason, and is gone."""
    upload = uploader.uploaded(content, **fields)
    replies = [uploader.commit(upload) for _ in range(2)]
    for reply in replies:
        assert (reply.status, reply.error) == (422, "media_invalid")
    assert rows("media") == rows("media_texts") == []
    return {reply.json["reason"] for reply in replies} == {reason}


@pytest.fixture(autouse=True)
def _answers_after_it(store: str, anna: Uploader) -> Iterator[None]:
    yield
    assert anna.content(anna.media(PNG)["id"]) == PNG
    document = anna.media(pdfs.of_texts("the next one"), **PDF)
    text = read(media.text_of, document["id"])
    assert text is not None
    assert text.text == "the next one"


@pytest.mark.parametrize(
    ("filename", "content_type"),
    [("a.png", "image/png"), ("a.pdf", "application/pdf"), ("a.txt", "text/plain")],
)
def test_a_page_behind_another_name_is_refused(
    filename: str, content_type: str, anna: Uploader
) -> None:
    assert is_refused(anna, HTML, "content", filename=filename, content_type=content_type)


@pytest.mark.parametrize(
    ("attack", "reason"),
    [
        ("form loop", "too_complex"),
        ("deep objects", "too_complex"),
        ("bomb", "unreadable"),
        ("reference loop", "unreadable"),
        ("a password", "unreadable"),
    ],
)
def test_a_pdf_that_attacks_its_reader_is_refused(attack: str, reason: str, anna: Uploader) -> None:
    assert is_refused(anna, pdfs.ATTACKS[attack](), reason, **PDF)


def test_of_ten_thousand_pages_the_first_are_kept(anna: Uploader) -> None:
    document = anna.media(pdfs.of_many_pages(10_000), **PDF)
    text = read(media.text_of, document["id"])
    assert text is not None
    assert (text.pages, text.is_truncated) == (10_000, True)
    assert text.text.endswith("Page 200")
