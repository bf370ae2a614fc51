"""Rules for personal data: tables with a user's id are in the user's export and are erased.

Exceptions are listed here with their reasons.
"""

import ast
import re
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

HERE = "scripts/tooling/gate/rules/personal_data.py"
MIGRATIONS = "scripts/migrations"
DATASETS = "shared/repos/reports"
COPY = "shared/exports/datasets.py"
ERASURE = ("functions/account/erasure.py", "shared/accounts/erasure.py")
REPOS = "shared/repos"

# Columns with a user's id, or with a key under which a user is counted.
_PERSON = re.compile(r"(\w*_)?(user|owner|actor|person|member)_id|subject|\w+_by")

NOT_COPIED = {
    "wallets": "the balance is the sum of the ledger, which is copied",
    "daily_messages": "counts; the copy lists the messages themselves",
    "idempotency_keys": "hashes of requests, kept for a day",
    "rate_limits": "counters, kept for the length of a limit",
    "audit_log": "what administrators did; it belongs to the operator",
    "prices": "who changed a price; it belongs to the operator",
    "invite_uses": "the invite and its owner; the grant is in the ledger",
    "exports": "exports of administrators; they belong to the operator",
    "uploads": "forms, kept for a day; the copy lists the files that came",
    "daily_uploads": "counts; the copy lists the files themselves",
}
NOT_ERASED = {
    "wallets": "money is kept; the account it belongs to has no name any more",
    "ledger": "money is kept; the account it belongs to has no name any more",
    "orders": "money is kept; the account it belongs to has no name any more",
    "daily_messages": "counts; those of addresses, under keyed hashes, are removed after the day"
    " and keep a new account from having the free messages of the day again",
    "rate_limits": "maintenance removes it when the window has ended",
    "audit_log": "the record of administration must not have gaps",
    "prices": "the record of administration must not have gaps",
    "exports": "the record of administration must not have gaps",
    "invites": "codes given to others stay valid",
    "invite_uses": "a code for N accounts admits N, also after one was deleted",
}


def tables_not_copied(root: Path) -> Iterator[str]:
    problem = f"not in the copy of one's own data ({COPY})"
    yield from _missing(root, copied(root), NOT_COPIED, problem, "NOT_COPIED")


def tables_not_erased(root: Path) -> Iterator[str]:
    problem = f"not erased with the account ({' or '.join(reversed(ERASURE))})"
    yield from _missing(root, erased(root), NOT_ERASED, problem, "NOT_ERASED")


def _missing(
    root: Path, found: set[str], exempt: dict[str, str], problem: str, name: str
) -> Iterator[str]:
    personal = personal_tables(root)
    for table, (column, at) in personal.items():
        if table not in found and table not in exempt:
            yield (
                f"{at}: {table}.{column} is a user's, but {table} is {problem};"
                f" or give the reason in {name} of {HERE}"
            )
    for table in exempt:
        if table not in personal:
            yield f"{HERE}: {table} is exempt, but there is no such table with a user's id"
        elif table in found:
            yield f"{HERE}: {table} is exempt without need"


def personal_tables(root: Path) -> dict[str, tuple[str, str]]:
    """The tables with a column for a user: the column, and the migration's file and line."""
    found: dict[str, tuple[str, str]] = {}
    for file in sorted((root / MIGRATIONS).glob("*.sql")):
        table = ""
        for number, line in enumerate(file.read_text("utf-8").splitlines(), start=1):
            if made := re.search(r"(?:CREATE TABLE(?: IF NOT EXISTS)?|ALTER TABLE) (\w+)", line):
                table = made[1]
            column = re.match(r"(?:\s+|ALTER TABLE \w+ ADD COLUMN )(\w+)\s+[A-Z]", line)
            if column and _PERSON.fullmatch(column[1]):
                place = f"{MIGRATIONS}/{file.name}:{number}"
                found.setdefault(table, (column[1], place))
    return found


def copied(root: Path) -> set[str]:
    """Tables that the datasets of a user's own export read."""
    own = (root / COPY).read_text("utf-8").partition("\nOWN_DATASETS")[2]
    return {
        table
        for file in sorted((root / DATASETS).glob("*_datasets.py"))
        for name, sql in _of_user(file.read_bytes())
        if re.search(rf"\b{name}\b", own)
        for table in re.findall(r"(?:FROM|JOIN) (\w+)", sql)
    }


def _of_user(source: bytes) -> Iterator[tuple[str, str]]:
    """The name and the `of_user` of each `NAME = Dataset(...)`."""
    for node in ast.parse(source).body:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call):
            for keyword in node.value.keywords:
                if keyword.arg == "of_user" and isinstance(keyword.value, ast.Constant):
                    yield ast.unparse(node.targets[0]), str(keyword.value.value)


def erased(root: Path) -> set[str]:
    """Tables changed by the functions of shared/repos that the erasure calls."""
    return {
        table
        for file in ERASURE
        for module, function in _calls((root / file).read_bytes())
        for sql in _texts(root / REPOS / f"{module}.py", function)
        for table in re.findall(r"(?:DELETE FROM|UPDATE) (\w+)", sql)
    }


@lru_cache(maxsize=50)
def _calls(source: bytes) -> frozenset[tuple[str, str]]:
    """The calls of the form `repos_module.function(...)`."""
    return frozenset(
        (node.func.value.id, node.func.attr)
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and isinstance(node.func.value, ast.Name)
    )


def _texts(file: Path, name: str) -> Iterator[str]:
    """The strings of a function, and of functions that it calls in the same file."""
    if not file.exists():
        return
    functions = {
        node.name: node
        for node in ast.parse(file.read_bytes()).body
        if isinstance(node, ast.FunctionDef)
    }
    waiting, seen = [name], set()
    while waiting:
        current = waiting.pop()
        if current in seen or current not in functions:
            continue
        seen.add(current)
        for node in ast.walk(functions[current]):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value
            if isinstance(node, ast.Name):
                waiting.append(node.id)


CHECKS = (tables_not_copied, tables_not_erased)
