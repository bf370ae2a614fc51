"""Finds variables of `.env` that `s` reads differently from the commands of this project.

`s` (3.1.10) uses the npm packages dotenv 16.3.1 and dotenv-expand 10.0.0. A `#` outside quotes
begins a comment. A `$` is expanded inside quotes and after a backslash as well, and also in
variables of the shell that `.env` names.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from scripts.tooling.environment import read_dotenv
from scripts.tooling.manifest.s_yaml import variables

RUN_BY_S = "serverless_devs_traceid"  # set by s for the actions that it runs
LONGEST_CHAIN = 100  # expansions; s fails with a stack overflow

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

    A variable with any other value was set in the shell on purpose. Unless `s` runs this
    command, there is nothing to check.
    """
    if RUN_BY_S not in environ or not (root / ".env").is_file():
        return
    expected_values = read_dotenv(root / ".env")
    parsed = parse((root / ".env").read_text(encoding="utf-8"))
    for name in sorted(variables(root / "s.yaml") & {*expected_values, *parsed}):
        expected, actual = expected_values.get(name, ""), environ.get(name, "")
        if actual != expected and actual in _possible_values(name, parsed, environ):
            difference = _difference(expected, parsed.get(name, ""))
            yield f".env: s {difference} {name}; {_remedy(expected)}"


def _possible_values(name: str, parsed: Mapping[str, str], environ: Mapping[str, str]) -> set[str]:
    """The values that `s` may have read from the line: it expands repeatedly."""
    value, seen = parsed.get(name, ""), set[str]()
    while value not in seen and len(seen) < LONGEST_CHAIN:
        seen.add(value)
        value = expand(value, {**environ, name: value})
    return seen


def _difference(expected: str, parsed: str) -> str:
    if not expected:
        return "finds a value that we do not find in"
    if expected == parsed:
        return "expands the $ in"
    if expected.partition("#")[0].rstrip() == parsed:
        return "stops at the # in"
    return "reads quotes, blanks or backslashes differently in"


def _remedy(expected: str) -> str:
    """The advice: single quotes, if `s` reads the value correctly inside them."""
    if not expected:
        return "write the line as NAME=value"
    if not re.search(r"['\\]|\$[\w{]", expected):
        return "put the value in single quotes"
    return "take the line out of .env and export the variable in the shell before s deploy"


def parse(text: str) -> dict[str, str]:
    """Parse a file like `parse` of dotenv 16.3.1."""
    lines = re.sub(r"\r\n?", "\n", text)
    return {match[1]: _unquoted(match[2] or "") for match in _LINE.finditer(lines)}


def _unquoted(written: str) -> str:
    trimmed = re.sub(rf"^{_BLANK}+|{_BLANK}+\Z", "", written)
    value = _QUOTED.sub(r"\2", trimmed)
    return value.replace(r"\n", "\n").replace(r"\r", "\r") if trimmed.startswith('"') else value


def expand(value: str, environ: Mapping[str, str]) -> str:
    """Expand a value once, like `expand` of dotenv-expand 10.0.0."""
    for _ in range(LONGEST_CHAIN):
        dollars = list(_DOLLAR.finditer(value))
        reference = _REFERENCE.search(value[dollars[-1].start() :]) if dollars else None
        if reference is None:
            break
        replacement = environ.get(reference[1]) or reference[2] or ""
        value = _replace(value, reference[0], replacement)
    return value.replace(r"\$", "$")


def _replace(text: str, old: str, new: str) -> str:
    """Replace like JavaScript's `text.replace(old, new)`, with `$&` and others in `new`."""
    before, _, after = text.partition(old)
    specials = {"$$": "$", "$&": old, "$`": before, "$'": after}
    return before + _REPLACEMENT.sub(lambda match: specials[match[0]], new) + after
