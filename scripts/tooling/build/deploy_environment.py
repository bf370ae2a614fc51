"""Finds variables that `s` read from `.env` otherwise than they are written there.

`s` (3.1.10) reads with the npm packages dotenv 16.3.1 and dotenv-expand 10.0.0. `#` begins a
comment anywhere outside of quotes. `$` is expanded in any quotes and after a backslash, and in
variables of the shell too if `.env` names them.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from scripts.tooling.environment import read_dotenv
from scripts.tooling.manifest.s_yaml import variables

RUN_BY_S = "serverless_devs_traceid"  # s sets it for the actions it runs
LONGEST_CHAIN = 100  # expansions; s itself ends with a stack overflow

_BLANK = r"[\s\ufeff]"
_LINE = re.compile(
    rf"^{_BLANK}*(?:export{_BLANK}+)?([A-Za-z0-9_.-]+)(?:{_BLANK}*={_BLANK}*?|:{_BLANK}+?)"
    rf"({_BLANK}*'(?:\\'|[^'])*'|{_BLANK}*\"(?:\\\"|[^\"])*\"|{_BLANK}*`(?:\\`|[^`])*`|[^#\r\n]+)?"
    rf"{_BLANK}*(?:#.*)?$",
    re.MULTILINE,
)
_QUOTED = re.compile(r"^(['\"`])(.*)\1$", re.MULTILINE | re.DOTALL)
_DOLLAR = re.compile(r"(?<!\\)\$")
_REFERENCE = re.compile(r"(?<!\\)\$\{?([A-Za-z0-9_]+)(?::-([^}\\]*))?\}?")
_REPLACEMENT = re.compile(r"\$[$&`']")


def misread(root: Path, environ: Mapping[str, str]) -> Iterator[str]:
    """Yield one line for each variable of `s.yaml` that was misread; never its value.

    A variable that holds neither what `.env` says nor what `s` makes of that was set in the
    shell, on purpose. When `s` does not run us, nothing was read.
    """
    if RUN_BY_S not in environ or not (root / ".env").is_file():
        return
    meant = read_dotenv(root / ".env")
    parsed = parse((root / ".env").read_text(encoding="utf-8"))
    for name in sorted(variables(root / "s.yaml") & {*meant, *parsed}):
        wanted, given = meant.get(name, ""), environ.get(name, "")
        if given != wanted and given in _readings(name, parsed, environ):
            yield f".env: s {_difference(wanted, parsed.get(name, ''))} {name}; {_remedy(wanted)}"


def _readings(name: str, parsed: Mapping[str, str], environ: Mapping[str, str]) -> set[str]:
    """What `s` may have made of the line: it expands more than once."""
    value, found = parsed.get(name, ""), set[str]()
    while value not in found and len(found) < LONGEST_CHAIN:
        found.add(value)
        value = expand(value, {**environ, name: value})
    return found


def _difference(wanted: str, parsed: str) -> str:
    if not wanted:
        return "finds a value that we do not find in"
    if wanted == parsed:
        return "expands the $ in"
    if wanted.partition("#")[0].rstrip() == parsed:
        return "stops at the # in"
    return "reads quotes, blanks or backslashes differently in"


def _remedy(wanted: str) -> str:
    """Single quotes, where `s` and we read the same in them."""
    if not wanted:
        return "write the line as NAME=value"
    if not re.search(r"['\\]|\$[\w{]", wanted):
        return "put the value in single quotes"
    return "take the line out of .env and export the variable in the shell before s deploy"


def parse(text: str) -> dict[str, str]:
    """As `parse` of dotenv 16.3.1."""
    lines = re.sub(r"\r\n?", "\n", text)
    return {match[1]: _unquoted(match[2] or "") for match in _LINE.finditer(lines)}


def _unquoted(written: str) -> str:
    trimmed = re.sub(rf"^{_BLANK}+|{_BLANK}+\Z", "", written)
    value = _QUOTED.sub(r"\2", trimmed)
    return value.replace(r"\n", "\n").replace(r"\r", "\r") if trimmed.startswith('"') else value


def expand(value: str, environ: Mapping[str, str]) -> str:
    """As one run of `expand` of dotenv-expand 10.0.0."""
    for _ in range(LONGEST_CHAIN):
        dollars = list(_DOLLAR.finditer(value))
        reference = _REFERENCE.search(value[dollars[-1].start() :]) if dollars else None
        if reference is None:
            break
        instead = environ.get(reference[1]) or reference[2] or ""
        value = _replaced(value, reference[0], instead)
    return value.replace(r"\$", "$")


def _replaced(text: str, old: str, new: str) -> str:
    """As JavaScript's `text.replace(old, new)`, where `$&` and the like in `new` mean something."""
    before, _, after = text.partition(old)
    meaning = {"$$": "$", "$&": old, "$`": before, "$'": after}
    return before + _REPLACEMENT.sub(lambda match: meaning[match[0]], new) + after
