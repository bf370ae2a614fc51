"""Approval numbers of medicines in China, checked for their form. Does no I/O."""

import re
import unicodedata

_WITHOUT_MEANING = re.compile(r"[\s:.·•\-]")
# Domestic numbers (H chemical, Z traditional, S biological, J repackaged import, B health, T
# diagnostic, F excipient; HJ, ZJ, SJ are imports and HC, ZC, SC are from Hong Kong, Macao and
# Taiwan since 2020); XF and X stand for new medicines of the years before 2002. Imports before
# 2020 have a registration certificate, with or without its name.
_FORMS = re.compile(
    r"国药准字([HZSJBTF]|[HZS][JC]|XF?)\d{8}"
    r"|((进口药品|医药产品)?注册证号)?[HZSBJ]C?\d{8}",
    re.ASCII,
)


def approval_number(text: str) -> str | None:
    """The number in half-width capitals without blanks, or None if it has not the form of one."""
    plain = _WITHOUT_MEANING.sub("", unicodedata.normalize("NFKC", text)).upper()
    return plain if _FORMS.fullmatch(plain) else None
