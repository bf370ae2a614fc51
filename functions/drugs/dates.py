"""Dates as they are printed on boxes of medicine. Does no I/O."""

import re
import unicodedata
from calendar import monthrange
from collections.abc import Mapping
from datetime import date
from typing import Literal

Day = Literal["first", "last"]

_YEARS = range(1990, 2100)
_LONGEST = 64
_MONTHS = {
    name: number
    for number, name in enumerate(
        ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"), 1
    )
}
_LONG_MONTHS = (
    "JANUARY|FEBRUARY|MARCH|APRIL|MAY|JUNE|JULY|AUGUST|SEPT|SEPTEMBER|OCTOBER|NOVEMBER|DECEMBER"
)
_NAME = rf"(?P<name>{_LONG_MONTHS}|{'|'.join(_MONTHS)})\.?"
_YEAR, _MONTH, _DAY = r"(?P<year>\d{4})", r"(?P<month>\d{1,2})", r"(?P<day>\d{1,2})"
# Words before a date that only say which date it is.
_LABEL = re.compile(
    r"(有效期|失效期|失效日期|生产日期|生产|制造日期|EXPIRY|EXPIRES|EXPIRATION|EXP|MANUFACTURED"
    r"|MFG|MFD|PRODUCTION|PROD|USE BY|BEST BEFORE|DATE|DT|ON|至|到|[.:,;()\[\]])\s*"
)
_FORMS = tuple(
    re.compile(form, re.ASCII)
    for form in (
        rf"{_YEAR}\s*年\s*{_MONTH}\s*月?",
        rf"{_YEAR}\s*年\s*{_MONTH}\s*月\s*{_DAY}\s*[日号]?",
        rf"{_YEAR}(?P<sign>[-./ ])\s?{_MONTH}((?P=sign)\s?{_DAY})?",
        r"(?P<year>\d{4})(?P<month>\d\d)(?P<day>\d\d)?",
        rf"{_MONTH}[-./ ]\s?{_YEAR}",
        r"(?P<month>\d{1,2})/(?P<short_year>\d\d)",
        rf"{_NAME}[-/, ]*{_YEAR}",
        rf"{_NAME}[- ]*{_DAY}(,\s?|\s){_YEAR}",
        rf"{_DAY}[-/ ]*{_NAME}[-/, ]*{_YEAR}",
    )
)
# Day and month in either order: read only if one of the numbers can be no month.
_EITHER_ORDER = re.compile(r"(\d{1,2})([-./])(\d{1,2})\2(\d{4})", re.ASCII)


def printed_date(text: str, *, day: Day) -> date | None:
    """The date that a text says, or None: it says none, several, or one that does not exist.

    A month without a day means its last day for an expiry, because the medicine may be used
    until then, and its first day for a production, so that it is never before the expiry.
    Two numbers of two digits are month and year, as after EXP. A date whose order of day
    and month is open is None.
    """
    plain = _plain(text)
    for form in _FORMS:
        if found := form.fullmatch(plain):
            return _date(_numbers(found.groupdict()), day)
    if found := _EITHER_ORDER.fullmatch(plain):
        return _date(_ordered(int(found[1]), int(found[3]), int(found[4])), day)
    return None


def _plain(text: str) -> str:
    """The text without its label, in half-width capitals."""
    plain = " ".join(unicodedata.normalize("NFKC", text[:_LONGEST]).upper().split())
    while label := _LABEL.match(plain):
        plain = plain[label.end() :]
    return plain.rstrip(" .,;)]").removesuffix("止").rstrip()


def _numbers(parts: Mapping[str, str | None]) -> tuple[int, int, int | None]:
    """Year, month and day of a match; a short year is one of this century."""
    year = int(parts.get("year") or 2000 + int(parts.get("short_year") or 0))
    name, day = parts.get("name"), parts.get("day")
    month = _MONTHS[name[:3]] if name else int(parts.get("month") or 0)
    return year, month, int(day) if day else None


def _ordered(one: int, other: int, year: int) -> tuple[int, int, int]:
    """Year, month and day. Month 0, which does not exist, stands for an order that is open."""
    if one == other or one > 12:
        return year, other, one
    return (year, one, other) if other > 12 else (year, 0, one)


def _date(numbers: tuple[int, int, int | None], day: Day) -> date | None:
    year, month, number = numbers
    if year not in _YEARS or not 1 <= month <= 12:
        return None
    last = monthrange(year, month)[1]
    if number is None:
        return date(year, month, last if day == "last" else 1)
    return date(year, month, number) if 1 <= number <= last else None
