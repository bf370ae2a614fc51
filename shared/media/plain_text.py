"""Plain text in bytes: its encoding, and whether it is a page in disguise. Does no I/O."""

import codecs
import re

from shared.invisible import INVISIBLE

# GB18030 comes last: it gives a meaning to nearly every pair of bytes.
_MARKED = {
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF16_LE: "utf-16-le",
    codecs.BOM_UTF16_BE: "utf-16-be",
}
_UNMARKED = ("utf-8", "gb18030")
_CONTROL = re.compile("[\x00-\x08\x0b\x0e-\x1f\x7f-\x84\x86-\x9f]")
_BLANK = f"[\\s{INVISIBLE}]"
# A comment of HTML also ends with --!>, and <!--> and <!---> are whole ones.
_LEADING = re.compile(f"(?:{_BLANK}|<!--(?:-?>|[\\s\\S]*?--!?>))*")
_PAGE_TAGS = (
    "html|head|body|script|style|title|meta|link|base|iframe|frameset|object|embed|svg|math"
    "|template|xsl:\\w+"
)
_OTHER_TAGS = "a|b|br|div|font|form|h1|img|input|p|table|video|audio"
_PAGE = re.compile(f"<(?:[!?]|(?:[\\w.-]+:)?(?:{_PAGE_TAGS})[\\s/>])", re.IGNORECASE)
_MARKUP = re.compile(
    f"<(?:[!?]|(?:[\\w.-]+:)?(?:{_PAGE_TAGS}|{_OTHER_TAGS})[\\s/>])", re.IGNORECASE
)


def decode(data: bytes, *, is_whole: bool = True) -> str | None:
    """The text without its byte order mark; None if it has no known encoding, or controls.

    UTF-8, UTF-16 with a byte order mark, or GB18030, which contains GBK and GB2312. The
    beginning of a text may end in the middle of a character.
    """
    mark = next((mark for mark in _MARKED if data.startswith(mark)), b"")
    for encoding in [_MARKED[mark]] if mark else _UNMARKED:
        try:
            text = codecs.getincrementaldecoder(encoding)().decode(data[len(mark) :], is_whole)
        except UnicodeDecodeError:
            continue
        return None if _CONTROL.search(text) else text
    return None


def is_page(beginning: str, *, may_have_tags: bool = False) -> bool:
    """Whether a text begins as HTML, SVG, XML or a script, after blanks and comments.

    Markdown may begin with tags of a paragraph, such as `<p align="center">`. A comment
    that does not end hides what follows, so it counts as a page. A page is told by its
    beginning, as browsers do (WHATWG, MIME Sniffing): a text may show tags later.
    """
    leading = _LEADING.match(beginning)
    start = leading.end() if leading else 0
    pattern = _PAGE if may_have_tags else _MARKUP
    return pattern.match(beginning, start) is not None
