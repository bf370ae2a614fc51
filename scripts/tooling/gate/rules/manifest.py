"""Rules for s.yaml: each compares it with the code and yields one line per difference."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from scripts.tooling.gate.rules.settings_source import Setting, declared, loaded_by
from scripts.tooling.manifest.expressions import read_yaml
from scripts.tooling.manifest.s_yaml import Function, Manifest, ManifestError, Route, line_of, parse

NOT_SETTINGS = {"PATH", "APP_ENV"}  # of the runtime, and read by shared/config.py itself
ENVIRONMENT_BYTES = 4096
LIKELY_VALUE = "x" * 40

# Commands of s 3.1.10 and fc3 0.1.22.
COMMANDS_OF_S = "clean cli component config env help init preview registry run secret set verify"
COMMANDS_OF_FC3 = """
    alias build concurrency deploy getSchema getShownProps info instance invoke layer list local
    logs model plan provision remove s2tos3 scaling session sync version
"""
COMMANDS = {*COMMANDS_OF_S.split(), *COMMANDS_OF_FC3.split()}

_DESCRIBE = """
import importlib, json, sys
sys.path.insert(0, sys.argv[1])
found = {}
for name in sys.argv[2:]:
    module, _, attribute = name.rpartition(".")
    try:
        handler = getattr(importlib.import_module(module), attribute)
    except Exception as problem:
        found[name] = {"problem": f"{type(problem).__name__}: {problem}"}
        continue
    found[name] = {
        "problem": "" if callable(handler) else "is not callable",
        "endpoints": [
            [e.method, list(e.paths), e.run.__code__.co_filename, e.run.__code__.co_firstlineno]
            for e in getattr(handler, "endpoints", ())
        ],
    }
print(json.dumps(found))
"""


@dataclass(frozen=True)
class Offer:
    """One method and path that the code answers, with the file and line of its endpoint."""

    method: str
    path: str
    at: str


@dataclass(frozen=True)
class Handler:
    problem: str
    offers: tuple[Offer, ...]


def read(text: str, root: Path) -> Manifest:
    return parse(text, {}, root=root, strict=False)


def handlers(manifest: Manifest, root: Path) -> dict[str, Handler]:
    """Import all handlers in another process and list their endpoints."""
    done = subprocess.run(
        [
            sys.executable,
            "-B",
            "-c",
            _DESCRIBE,
            str(root),
            *(f.handler for f in manifest.functions),
        ],
        cwd=root,
        capture_output=True,
        text=True,
        check=True,
    )
    described = json.loads(done.stdout)
    return {f.name: _handler(described[f.handler], root) for f in manifest.functions}


def _handler(described: dict[str, object], root: Path) -> Handler:
    endpoints = described.get("endpoints", ())
    offers = [
        Offer(method, path, f"{Path(file).resolve().relative_to(root.resolve())}:{line}")
        for method, paths, file, line in endpoints  # type: ignore[attr-defined]  # from JSON
        for path in paths
    ]
    return Handler(str(described["problem"]), tuple(offers))


def unreadable(text: str, root: Path) -> Iterator[str]:
    """Report a manifest that cannot be read, for example one without a function's timeout."""
    try:
        read(text, root)
    except ManifestError as problem:
        yield str(problem)


def access_that_is_an_expression(text: str, root: Path) -> Iterator[str]:
    """Report an expression in `access`, which `s` reads literally."""
    access = str(read_yaml(text, "s.yaml").get("access", ""))
    if "${" in access:
        yield f"s.yaml: access is read literally, so nobody has the access {access}"


def resources_named_like_commands(text: str, root: Path) -> Iterator[str]:
    """Report resources named like a command: `s` would run the command instead."""
    for name in read_yaml(text, "s.yaml").get("resources", {}):
        if name in COMMANDS:
            yield f"{_at(name)}: {name} is a command; the resource needs another name"


def folders_without_resource(text: str, root: Path) -> Iterator[str]:
    known = {function.name for function in read(text, root).functions}
    for folder in sorted((root / "functions").iterdir()):
        if (folder / "__init__.py").exists() and folder.name not in known:
            yield f"functions/{folder.name}: s.yaml has no such resource"


def resources_without_folder(text: str, root: Path) -> Iterator[str]:
    for function in read(text, root).functions:
        if not (root / "functions" / function.name / "index.py").exists():
            yield f"{_at(function.name)}: there is no functions/{function.name}/index.py"


def handlers_that_do_not_resolve(text: str, root: Path) -> Iterator[str]:
    manifest = read(text, root)
    found = handlers(manifest, root)
    for function in manifest.functions:
        if function.handler != f"functions.{function.name}.index.handler":
            yield f"{_at(function.handler)}: {function.handler} is not in functions/{function.name}"
        elif found[function.name].problem:
            yield f"{_at(function.handler)}: {function.handler}: {found[function.name].problem}"
        yield from _code_and_command(function, root)


def _code_and_command(function: Function, root: Path) -> Iterator[str]:
    if function.code != root / ".build" / function.name:
        yield f"{_at(function.name)}: the code of {function.name} is not ./.build/{function.name}"
    module, _, attribute = function.handler.rpartition(".")
    application = f"{module}:{attribute}"
    if function.is_web and application not in function.command:
        yield f"{_at(function.name)}: the command of {function.name} does not serve {application}"
    if function.is_web and f"--port={function.port}" not in function.command:
        yield f"{_at(function.name)}: the command of {function.name} does not say {function.port}"


def methods_and_paths_that_disagree(text: str, root: Path) -> Iterator[str]:
    manifest = read(text, root)
    found = handlers(manifest, root)
    for function in manifest.functions:
        offers = found[function.name].offers
        routes = [route for route in manifest.routes if route.function == function.name]
        yield from _trigger(function, offers)
        yield from _routes_to_nothing(routes, offers)
        yield from _offers_without_route(routes, offers)


def _trigger(function: Function, offers: tuple[Offer, ...]) -> Iterator[str]:
    expected = _with_implied({offer.method for offer in offers})
    if set(function.methods) != expected:
        line = _at(function.methods[0] if function.methods else function.name)
        given = _listed(set(function.methods))
        yield f"{line}: the trigger of {function.name} lists {given}; the code {_listed(expected)}"


def _routes_to_nothing(routes: list[Route], offers: tuple[Offer, ...]) -> Iterator[str]:
    for route in routes:
        methods = {offer.method for offer in offers if _best(routes, offer) == route}
        if not methods:
            yield f"{_at(route.path)}: {route.function} does not answer {route.path}"
        elif set(route.methods) != _with_implied(methods):
            given, expected = _listed(set(route.methods)), _listed(_with_implied(methods))
            yield f"{_at(route.path)}: {route.path} lists {given}; the code {expected}"


def _offers_without_route(routes: list[Route], offers: tuple[Offer, ...]) -> Iterator[str]:
    for offer in offers:
        if _best(routes, offer) is None:
            yield f"{offer.at}: s.yaml has no route to {offer.method} {offer.path}"


def _best(routes: list[Route], offer: Offer) -> Route | None:
    """The route of an endpoint: its exact path, else the longest prefix with `/*`."""
    fitting = [route for route in routes if _fits(str(route.path), offer.path)]
    return max(
        fitting, key=lambda route: (str(route.path) == offer.path, len(route.path)), default=None
    )


def _fits(routed: str, offered: str) -> bool:
    return offered == routed or (routed.endswith("/*") and offered.startswith(routed[:-1]))


def _with_implied(methods: set[str]) -> set[str]:
    """Add the implied methods: HEAD for GET, and OPTIONS for any."""
    if not methods:
        return set()
    return methods | {"OPTIONS"} | ({"HEAD"} if "GET" in methods else set())


def functions_that_nothing_starts(text: str, root: Path) -> Iterator[str]:
    """Report functions without endpoints and timer, and timers of functions with endpoints."""
    manifest = read(text, root)
    found = handlers(manifest, root)
    for function in manifest.functions:
        offers = found[function.name].offers
        if not offers and not function.timers:
            yield f"{_at(function.name)}: {function.name} has neither endpoints nor a timer"
        for cron in (timer.cron for timer in function.timers):
            if offers:
                yield f"{_at(cron)}: {function.name} has endpoints; a timer cannot call them"
            elif len(re.sub(r"^CRON_TZ=\S+ ", "", cron).split()) != 6:
                yield f"{_at(cron)}: {function.name} needs six fields in its cron expression"


def variables_not_provided(text: str, root: Path) -> Iterator[str]:
    for function in _readable(text, root):
        readings = loaded_by(function.name, root)
        given = _written_names(text, root, function.name)
        for setting in _settings(root, set(readings)):
            if setting.name not in given:
                at = readings[setting.section].at
                yield f"{at}: reads {setting.name}, which {_at(function.name)} does not give"


def variables_never_read(text: str, root: Path) -> Iterator[str]:
    for function in _readable(text, root):
        read_names = {s.name for s in _settings(root, set(loaded_by(function.name, root)))}
        for name in _written_names(text, root, function.name):
            if name not in read_names | NOT_SETTINGS:
                yield f"{_at(name)}: {function.name} never reads {name}"


def _readable(text: str, root: Path) -> Iterator[Function]:
    for function in read(text, root).functions:
        if (root / "functions" / function.name / "index.py").exists():
            yield function


def _written_names(text: str, root: Path, function: str) -> list[str]:
    """The variables that the manifest gives a function when all of them are set."""
    return list(_complete(text, root).function(function).environment)


@lru_cache(maxsize=20)
def _complete(text: str, root: Path) -> Manifest:
    return parse(text, _everything(text), root=root)


def _everything(text: str) -> dict[str, str]:
    return dict.fromkeys(re.findall(r"env\('(\w+)'", text), LIKELY_VALUE)


def _settings(root: Path, sections: set[str]) -> Iterator[Setting]:
    return (setting for setting in declared(root) if setting.section in sections)


def aliases_that_are_dropped(text: str, root: Path) -> Iterator[str]:
    """Report aliases that the code reads and the manifest does not pass on."""
    for setting in declared(root):
        for alias in setting.aliases:
            only_alias = parse(text, {alias: LIKELY_VALUE}, root=root, strict=False)
            for function in _complete(text, root).functions:
                written = [name for name in function.environment if name == setting.name]
                value = only_alias.function(function.name).environment.get(setting.name)
                if written and value != LIKELY_VALUE:
                    yield f"{_at(written[0])}: {setting.name} does not fall back to {alias}"


def environments_too_large(text: str, root: Path) -> Iterator[str]:
    for function in _complete(text, root).functions:
        size = len(json.dumps(dict(function.environment)).encode())
        if size > ENVIRONMENT_BYTES:
            yield f"{_at(function.name)}: {function.name} needs {size} bytes of environment"


def _at(text: str) -> str:
    return f"s.yaml:{line_of(text)}"


def _listed(methods: set[str]) -> str:
    return ", ".join(sorted(methods)) or "nothing"


CHECKS = (
    unreadable,
    access_that_is_an_expression,
    resources_named_like_commands,
    folders_without_resource,
    resources_without_folder,
    handlers_that_do_not_resolve,
    methods_and_paths_that_disagree,
    functions_that_nothing_starts,
    variables_not_provided,
    variables_never_read,
    aliases_that_are_dropped,
    environments_too_large,
)
