"""Field types of request models: names, password, invite code, search and display texts."""

import re
import unicodedata
from typing import Annotated

from pydantic import AfterValidator, StringConstraints

from shared.chat_rules import TITLE_CHARACTERS
from shared.invisible import has_invisible, is_spelling_mark, without_invisible
from shared.problems import Problem

_EMAIL = re.compile(r"[^\s@\x00-\x1f\x7f]{1,64}@[^\s@.\x00-\x1f\x7f]+(\.[^\s@.\x00-\x1f\x7f]+)+")
_USERNAME = re.compile(r"\w[\w.-]{1,31}")

# Longer ones only cost the hash function time (OWASP, "Password Storage Cheat Sheet").
_LONGEST_PASSWORD_BYTES = 1024


def _normal(text: str) -> str:
    """One spelling per name, because databases disagree on case and trailing blanks."""
    return unicodedata.normalize("NFKC", text).strip().lower()


def _name(text: str) -> str:
    """The spelling of a name. Two names that look alike must not be two accounts."""
    normal = _normal(text)
    if has_invisible(normal):
        raise ValueError(Problem("must have no invisible characters", "不能含有不可见字符"))
    return normal


def _email(text: str) -> str:
    normal = _name(text)
    if len(normal) > 254 or not _EMAIL.fullmatch(normal):
        raise ValueError(Problem("must be an email address", "必须是邮箱地址"))
    return normal


def _username(text: str) -> str:
    normal = _name(text)
    letters = "".join("_" if is_spelling_mark(one) else one for one in normal[1:])
    if not _USERNAME.fullmatch(normal[:1] + letters):
        raise ValueError(
            Problem(
                "must be 2 to 32 letters, digits, dots, dashes or underscores",
                "必须是 2 到 32 个字母、数字、点、短横线或下划线",
            )
        )
    return normal


def _invite_code(text: str) -> str:
    """The stored spelling: upper case, without surrounding blanks."""
    return unicodedata.normalize("NFKC", text).strip().upper()


def _title(text: str) -> str:
    """On one line."""
    title = " ".join(without_invisible(text).split())
    if not title:
        raise ValueError(Problem("must have visible characters", "必须含有可见字符"))
    return title


def _password(text: str) -> str:
    if len(text.encode()) > _LONGEST_PASSWORD_BYTES:
        raise ValueError(
            Problem(
                f"must be at most {_LONGEST_PASSWORD_BYTES} bytes",
                f"最多 {_LONGEST_PASSWORD_BYTES} 字节",
            )
        )
    return text


# Lengths come first: normalising takes time that grows with the square of the length.
Email = Annotated[str, StringConstraints(max_length=254), AfterValidator(_email)]
Username = Annotated[str, StringConstraints(max_length=64), AfterValidator(_username)]
# An e-mail address or a username at login, well-formed or not.
Login = Annotated[str, StringConstraints(min_length=1, max_length=254), AfterValidator(_normal)]
# A search term, in the spelling of stored names.
Search = Annotated[str, StringConstraints(max_length=254), AfterValidator(_normal)]
Password = Annotated[str, StringConstraints(min_length=1), AfterValidator(_password)]
NewPassword = Annotated[str, StringConstraints(min_length=8), AfterValidator(_password)]
# Texts that only name something to people: they lose their invisible characters.
ShownTitle = Annotated[
    str,
    StringConstraints(strip_whitespace=True, max_length=TITLE_CHARACTERS),
    AfterValidator(_title),
]
Note = Annotated[
    str,
    StringConstraints(strip_whitespace=True, max_length=200),
    AfterValidator(without_invisible),
]
# An empty code means no code: forms send their empty fields too.
InviteCode = Annotated[str, StringConstraints(max_length=64), AfterValidator(_invite_code)]
