"""The map in shared/README.md: each module with the first sentence of its docstring."""

import ast
from collections.abc import Iterator
from pathlib import Path

DOCUMENT = "shared/README.md"
_BEGIN, _END = "## Map\n\n", "## Decisions"
_PURE = "Does no I/O."

# Packages of shared/, from the highest layer to the lowest; top-level modules come last.
WINGS = {
    "limits": "Rate limits and idempotency keys.",
    "exports": "Datasets and files of any size.",
    "answers": "The end of an answer: its charge, its outcome, its place in the conversation.",
    "llm": "Models, upstreams, their wire format and its quirks.",
    "money": "Prices, reservations, charges.",
    "media": "Files that users upload: their types, and the text of documents.",
    "accounts": "People, sessions, tokens, invite codes, erasure.",
    "repos": "All SQL, one file per aggregate; `reports/` only reads.",
    "workers": "Functions that other functions start.",
    "storage": "The bucket, and the folder that replaces it locally.",
    "database": "Connections, transactions, the two dialects.",
    "web": "HTTP and Function Compute events. Rests on the ground alone.",
}


def maps_out_of_date(root: Path) -> Iterator[str]:
    text = (root / DOCUMENT).read_text("utf-8")
    if with_map(text, root) != text:
        yield f"{DOCUMENT}: the map is not that of the modules; scripts/check --fix writes it"


def write_map(root: Path) -> None:
    file = root / DOCUMENT
    file.write_text(with_map(file.read_text("utf-8"), root), "utf-8")


def with_map(text: str, root: Path) -> str:
    """The document with a current map."""
    before, _, rest = text.partition(_BEGIN)
    _, _, after = rest.partition(_END)
    return f"{before}{_BEGIN}{_map_of(root / 'shared')}{_END}{after}"


def _map_of(shared: Path) -> str:
    sections = []
    for wing, description in WINGS.items():
        files = sorted((shared / wing).rglob("*.py"))
        sections.append(f"### {wing}/\n\n{description}\n\n{_table(files, shared / wing)}")
    ground = sorted(shared.glob("*.py"))
    sections.append(f"### The ground\n\nEvery room may import it.\n\n{_table(ground, shared)}")
    return "\n".join(sections) + "\n"


def _table(files: list[Path], folder: Path) -> str:
    rows = [
        f"| `{file.relative_to(folder).with_suffix('').as_posix()}` | {_sentence(file)} |"
        for file in files
        if file.name != "__init__.py"
    ]
    return "\n".join(["| module | what it is |", "|---|---|", *rows, ""])


def _sentence(file: Path) -> str:
    text = ast.get_docstring(ast.parse(file.read_bytes())) or ""
    first = " ".join(text.partition("\n\n")[0].split())
    return first.replace(_PURE, "").strip().rstrip(".").replace("|", "\\|")


CHECKS = (maps_out_of_date,)
