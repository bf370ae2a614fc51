"""Endpoint rules: what each function and each of its endpoints needs in other files."""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from scripts.tooling.gate.rules.manifest import Offer, handlers, read
from shared.web.paths import path_parameters

Check = Callable[[Path], Iterator[str]]

API_TABLES = ("functions/README.md", "functions/README.zh-CN.md")
FAIR_REQUESTS = "tests/functions/every_route/fair_requests.py"
COLD_STARTS = "tests/architecture/test_stages.py"

_ROW = re.compile(r"^\|(?P<routes>[^|]+`/[^|]+)\| `(?P<function>\w+)` \|")
_METHOD_OR_PATH = re.compile(r"\b(?P<method>[A-Z]{3,7})\b|`(?P<path>/[^`]*)`")


@dataclass(frozen=True)
class Row:
    """One endpoint in a README's table."""

    function: str
    method: str
    path: str
    line: int


def functions_without_a_file(root: Path) -> Iterator[str]:
    """Report missing files of a function. `scripts/invoke` and `s local invoke` need the event."""
    for index in sorted(root.glob("functions/*/index.py")):
        for name in ("__init__.py", "event.json"):
            if not index.with_name(name).exists():
                yield f"functions/{index.parent.name}: has no {name}"


def events_that_nothing_answers(root: Path) -> Iterator[str]:
    """Report events that call no endpoint of their function. A timer's event calls none."""
    manifest = read((root / "s.yaml").read_text("utf-8"), root)
    for name, handler in handlers(manifest, root).items():
        file = root / "functions" / name / "event.json"
        event = json.loads(file.read_text("utf-8")) if file.exists() else {}
        http = event.get("requestContext", {}).get("http")
        if http and not any(_answers(offer, http) for offer in handler.offers):
            place = file.relative_to(root).as_posix()
            yield f"{place}: {name} does not answer {http['method']} {http['path']}"


def _answers(offer: Offer, http: Mapping[str, str]) -> bool:
    fits = path_parameters(offer.path, http["path"]) is not None
    return fits and offer.method == http["method"]


def functions_without_cold_start(root: Path) -> Iterator[str]:
    """Report functions whose heavy imports are not listed in `LOADED`."""
    text = (root / COLD_STARTS).read_text("utf-8")
    listed = set(re.findall(r'^    "(\w+)": (?:set\(\)|\{)', text, re.MULTILINE))
    for index in sorted(root.glob("functions/*/index.py")):
        if index.parent.name not in listed:
            yield f"functions/{index.parent.name}: LOADED in {COLD_STARTS} has no line for it"


def api_tables_that_disagree(root: Path) -> Iterator[str]:
    offers = _public_offers(root)
    for table in API_TABLES:
        rows = {(row.function, row.method, row.path): row for row in rows_of(root / table)}
        for key in sorted(offers.keys() - rows.keys()):
            function, method, path = key
            yield f"{offers[key].at}: {table} has no row for {method} {path} of {function}"
        for key in sorted(rows.keys() - offers.keys()):
            function, method, path = key
            line = rows[key].line
            yield f"{table}:{line}: {function} does not answer {method} {path}"


def rows_of(file: Path) -> Iterator[Row]:
    """Read table rows such as "| GET, PATCH `/api/auth/me` | `account` |"."""
    lines = file.read_text("utf-8").splitlines() if file.exists() else []
    for number, line in enumerate(lines, start=1):
        if found := _ROW.match(line):
            for method, path in _routes(found["routes"]):
                yield Row(found["function"], method, path, number)


def _routes(cell: str) -> Iterator[tuple[str, str]]:
    """Pair methods with the paths that follow them, up to the next method."""
    methods: list[str] = []
    after_path = False
    for found in _METHOD_OR_PATH.finditer(cell):
        if found["method"]:
            methods = [found["method"]] if after_path else [*methods, found["method"]]
            after_path = False
        else:
            yield from ((method, found["path"]) for method in methods)
            after_path = True


def _public_offers(root: Path) -> dict[tuple[str, str, str], Offer]:
    """The endpoints of the code, without internal ones."""
    manifest = read((root / "s.yaml").read_text("utf-8"), root)
    return {
        (function, offer.method, offer.path): offer
        for function, handler in handlers(manifest, root).items()
        for offer in handler.offers
        if not offer.path.startswith("/api/internal/")
    }


def writing_routes_without_a_fair_request(root: Path) -> Iterator[str]:
    """Report writing routes for which the ownership tests have no valid request."""
    manifest = read((root / "s.yaml").read_text("utf-8"), root)
    known = set(re.findall(r'"([A-Z]+ /[^"]*)":', (root / FAIR_REQUESTS).read_text("utf-8")))
    for handler in handlers(manifest, root).values():
        for offer in handler.offers:
            if offer.method != "GET" and f"{offer.method} {offer.path}" not in known:
                yield f"{offer.at}: {FAIR_REQUESTS} has no request for {offer.method} {offer.path}"


CHECKS = (
    functions_without_a_file,
    events_that_nothing_answers,
    functions_without_cold_start,
    api_tables_that_disagree,
    writing_routes_without_a_fair_request,
)
