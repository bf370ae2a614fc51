"""The text of a document, as it is stored and shown to a model."""

import re
from dataclasses import dataclass

from shared.errors import DocumentHasNoText, DocumentUnreadable
from shared.invisible import without_invisible
from shared.media import plain_text
from shared.media.content_types import canonical
from shared.media.cutting import cut
from shared.media.pdf_process import read_pdf

CHARACTERS = 200_000  # stored of a text
_RAW_CHARACTERS = 250_000  # cleaned of a text, which takes its time for each character
_LINE_ENDS = re.compile("\r\n|[\r\x0b\x0c\x85\u2028\u2029]")
_EMPTY_LINES = re.compile(r"\n{3,}")
_SURROGATES = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True)
class DocumentText:
    """`pages` of the whole document, None for a text. A truncated text is its beginning."""

    text: str
    pages: int | None
    is_truncated: bool


def text_of(content_type: str, data: bytes) -> DocumentText:
    """The text of a PDF, a text, a Markdown or a CSV file, without invisible characters.

    Of a PDF the first 200 pages are read, for at most 10 seconds. Texts may be in UTF-8,
    in UTF-16 with a byte order mark, or in GB18030.

    Raises:
        DocumentHasNoText: it is empty, or holds pictures only, as a scan does.
        DocumentUnreadable: it is broken, needs a password, or is too much for the limits.
        WorkerUnreachable: the process that reads documents cannot be started.
    """
    name = canonical(content_type)
    if name == "application/pdf":
        pdf = read_pdf(data)
        return _document("\n\n".join(pdf.texts), pdf.pages, is_whole=pdf.is_whole)
    text = plain_text.decode(data) if name.startswith("text/") else None
    if text is None:
        raise DocumentUnreadable("unreadable")
    return _document(text, None, is_whole=True)


def _document(raw: str, pages: int | None, *, is_whole: bool) -> DocumentText:
    beginning = raw[:_RAW_CHARACTERS]
    cleaned = _cleaned(beginning)
    text = cut(cleaned, CHARACTERS)
    if not any(character.isalnum() for character in text):
        raise DocumentHasNoText
    return DocumentText(text, pages, not is_whole or beginning != raw or text != cleaned)


def _cleaned(text: str) -> str:
    lines = _LINE_ENDS.sub("\n", _SURROGATES.sub("\ufffd", text))
    return _EMPTY_LINES.sub("\n\n", without_invisible(lines)).strip()
