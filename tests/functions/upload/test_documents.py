"""Documents are stored with their text; those without, and those that attack, are refused."""

import pytest

from shared.database.transactions import read
from shared.repos import media
from shared.repos.media import MediaText
from tests.functions.upload.uploading import HTML, Uploader, opened, rows
from tests.shared.media import pdfs

pytestmark = pytest.mark.usefixtures("store")


@pytest.mark.parametrize(
    ("content_type", "content", "stored"),
    [
        ("application/pdf", pdfs.of_texts("One", "Two"), MediaText("One\n\nTwo", 2, False)),
        ("text/plain", "第一行\r\n二".encode(), MediaText("第一行\n二", None, False)),
        ("text/plain", "中文文本".encode("gb18030"), MediaText("中文文本", None, False)),
        ("text/markdown", b"# Title\n\ntext", MediaText("# Title\n\ntext", None, False)),
        ("text/csv", b"a,b\n1,2\n", MediaText("a,b\n1,2", None, False)),
    ],
    ids=["pdf", "text", "gb18030", "markdown", "csv"],
)
def test_the_text_of_a_document_is_stored(
    content_type: str, content: bytes, stored: MediaText, anna: Uploader
) -> None:
    one = anna.media(content, content_type=content_type)
    assert one["kind"] == "document"
    assert read(media.text_of, one["id"]) == stored
    assert opened(anna.get(one["id"]).data["url"]) == content


def test_a_long_document_is_cut(anna: Uploader) -> None:
    one = anna.media(b"many words " * 50_000, content_type="text/plain")
    text = read(media.text_of, one["id"])
    assert text is not None
    assert text.is_truncated
    assert 100_000 < len(text.text) <= 200_000


@pytest.mark.parametrize("content", [pdfs.scan(2), b" \n "], ids=["scan", "blank"])
def test_a_document_without_text_is_told_as_such(content: bytes, anna: Uploader) -> None:
    content_type = "application/pdf" if content.startswith(b"%PDF") else "text/plain"
    upload = anna.uploaded(content, content_type=content_type)
    for _ in range(2):
        refused = anna.commit(upload)
        assert (refused.status, refused.error) == (422, "document_has_no_text")
    assert (rows("media"), rows("media_texts")) == ([], [])


@pytest.mark.parametrize(
    ("content_type", "content", "reason"),
    [
        ("application/pdf", b"%PDF-1.7\nnothing more", "unreadable"),
        ("application/pdf", HTML, "content"),
        ("text/plain", HTML, "content"),
        ("text/markdown", HTML, "content"),
        ("text/plain", b"text" * 2000 + b"\x00\x01", "unreadable"),
    ],
    ids=["broken", "html as pdf", "html as text", "html as markdown", "binary later"],
)
def test_a_document_that_is_none_is_refused(
    content_type: str, content: bytes, reason: str, anna: Uploader
) -> None:
    refused = anna.commit(anna.uploaded(content, content_type=content_type))
    assert (refused.status, refused.error) == (422, "media_invalid")
    assert refused.json["reason"] == reason
