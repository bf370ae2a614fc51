"""Mutation operators of SQL in string literals: conditions, locks, arithmetic, order and limits."""

import ast
import re
from collections.abc import Iterator

from scripts.tooling.mutation.edits import Edit, Source

_STATEMENT = re.compile(r"[frb]*[\"']+\s*(SELECT|INSERT|UPDATE|DELETE|WITH)\b")
_OPENING = {"WHERE", "ON", "WHEN", "HAVING"}
_CLOSING = re.compile(r"ORDER|GROUP|LIMIT|THEN|SET|SELECT|VALUES|FROM|END|UNION|JOIN|LEFT")
_TOKEN = re.compile(r"/\*!.*?\*/|<=|>=|<>|[-+=<>()]|:?\w+(?:\.\w+)?|\"\"\"")
_FLIPPED = {
    "=": ("<>",),
    "<>": ("=",),
    "<": ("<=", ">="),
    "<=": ("<", ">"),
    ">": (">=", "<="),
    ">=": (">", "<"),
    "AND": ("OR",),
    "OR": ("AND",),
}
_ANYWHERE = {
    "+": "-",
    "-": "+",
    "DESC": "ASC",
    "MAX": "MIN",
    "MIN": "MAX",
    "IS NULL": "IS NOT NULL",
    "IS NOT NULL": "IS NULL",
    "NOT EXISTS": "EXISTS",
}
_WORDS = re.compile(r"\bIS NOT NULL\b|\bIS NULL\b|\bNOT EXISTS\b|\b(?:DESC|MAX|MIN)\b| [-+] ")
_DROPPED = re.compile(r"/\*!.*?\*/|\bLIMIT :\w+")


def edits(source: Source, node: ast.AST) -> Iterator[Edit]:
    """The mistakes in this literal, if it is a statement of SQL."""
    if not isinstance(node, ast.Constant | ast.JoinedStr):
        return
    text, start = source.of(node), source.start(node)
    if not _STATEMENT.match(text):
        return
    for begin, end, new in (*_words(text), *_conditions(text)):
        offset = start + len(text[:begin].encode())
        yield Edit(offset, offset + len(text[begin:end].encode()), new)


def _words(text: str) -> Iterator[tuple[int, int, str]]:
    for match in _WORDS.finditer(text):
        word = match[0].strip()
        yield match.start(), match.end(), match[0].replace(word, _ANYWHERE[word])
    for match in _DROPPED.finditer(text):
        yield match.start(), match.end(), ""


def _conditions(text: str) -> Iterator[tuple[int, int, str]]:
    """Flip each operator of a condition, and drop each part between AND and OR."""
    depth, open_at = 0, dict[int, int]()  # where the current part begins, at each depth
    for match in _TOKEN.finditer(text):
        word, inside = match[0], open_at.get(depth)
        if word in _OPENING:
            open_at[depth] = match.end()
        elif word == "(":
            depth += 1
            if inside is not None and text[inside : match.start()].strip() == "":
                open_at[depth] = match.end()
        elif _ends(word, inside):
            if inside is not None:
                yield from _dropped(text, inside, match.start())
            open_at.pop(depth, None)
            depth -= word == ")"
        elif inside is not None and word in _FLIPPED:
            yield from ((match.start(), match.end(), new) for new in _FLIPPED[word])
            if word in {"AND", "OR"}:
                yield from _dropped(text, inside, match.start())
                open_at[depth] = match.end()
    for inside in open_at.values():
        yield from _dropped(text, inside, len(text.rstrip("\"'")))


def _ends(word: str, inside: int | None) -> bool:
    return word == ")" or (
        inside is not None and (bool(_CLOSING.fullmatch(word)) or word.startswith("/*!"))
    )


def _dropped(text: str, begin: int, end: int) -> Iterator[tuple[int, int, str]]:
    condition = text[begin:end]
    if condition.strip():
        before = begin + len(condition) - len(condition.lstrip())
        yield before, begin + len(condition.rstrip()), "1 = 1"
