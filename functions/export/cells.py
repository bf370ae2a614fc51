"""Which cells a spreadsheet would take for more than text."""

import re

# What programs start a formula with, in every width they fold together, whatever blank or
# invisible characters stand before it; and the control characters that shift a cell's start.
_FORMULA = re.compile(
    r"[\s\x00-\x1f\x7f-\xa0\xad\u200b-\u200f\u2060-\u2064\ufeff]*[=+\-@＝＋－＠﹦﹢﹣﹫]|[\t\r\n\x00]"
)


def looks_like_formula(text: str) -> bool:
    """Whether a spreadsheet might run the text (OWASP, "CSV Injection")."""
    return _FORMULA.match(text) is not None
