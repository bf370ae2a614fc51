"""Functions, routes and timers of `s.yaml`, read as Serverless Devs reads them."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scripts.tooling.manifest.expressions import (
    ManifestError,
    Scope,
    Text,
    deep_merge,
    line_of,
    read_yaml,
)

__all__ = [
    "Function",
    "Manifest",
    "ManifestError",
    "Route",
    "Timer",
    "line_of",
    "load",
    "parse",
    "variables",
]

_ENV_CALL = re.compile(r"\benv\(\s*['\"](\w+)")

WEB_PYTHON = "python3.12"  # the Python of custom.debian11


@dataclass(frozen=True)
class Route:
    """One route of the domain; `function` is the folder name."""

    path: str
    methods: tuple[str, ...]
    function: str


@dataclass(frozen=True)
class Timer:
    """A timer trigger; `cron` has six fields, seconds first."""

    name: str
    cron: str
    payload: str = ""


@dataclass(frozen=True)
class Function:
    """One function. `name` is its folder, `function_name` its name on the platform.

    `methods` are those of its HTTP trigger, `timers` its enabled timers.
    """

    name: str
    function_name: str
    handler: str
    runtime: str
    command: tuple[str, ...]
    port: int | None
    methods: tuple[str, ...]
    environment: Mapping[str, str]
    timeout_seconds: int
    cpu: float
    memory_mb: int
    disk_mb: int
    code: Path
    timers: tuple[Timer, ...] = ()

    @property
    def is_web(self) -> bool:
        return self.runtime.startswith("custom")

    @property
    def python(self) -> str:
        """The name of its interpreter, such as `python3.12`."""
        return WEB_PYTHON if self.is_web else self.runtime


@dataclass(frozen=True)
class Manifest:
    functions: tuple[Function, ...]
    routes: tuple[Route, ...]

    def function(self, name: str) -> Function:
        """Return a function by name. Raises: ManifestError that lists the names."""
        for function in self.functions:
            if function.name == name:
                return function
        known = ", ".join(function.name for function in self.functions)
        raise ManifestError(f"there is no function {name}; there are {known}")


def load(path: Path, environ: Mapping[str, str], *, strict: bool = True) -> Manifest:
    """Read a manifest with the variables of `environ`, where empty means unset.

    With `strict=False` a value that needs a missing variable is left out, so
    that local tools work without the secrets of a deployment.

    Raises:
        ManifestError: with the file, the line and the problem.
    """
    text = path.read_text(encoding="utf-8")
    return parse(text, environ, root=path.parent, file_name=path.name, strict=strict)


def parse(
    text: str,
    environ: Mapping[str, str],
    *,
    root: Path,
    file_name: str = "s.yaml",
    strict: bool = True,
) -> Manifest:
    """Read a manifest from a text, like `load`; `code` directories are relative to `root`."""
    document = read_yaml(text, file_name)
    scope = Scope(document, environ, file_name, strict)
    resources = {
        name: _Resource(name, resource, scope)
        for name, resource in document.get("resources", {}).items()
    }
    functions = tuple(
        _function(resource, root) for resource in resources.values() if resource.component == "fc3"
    )
    _refuse_shared_stages(functions, file_name)
    folders = {function.function_name: function.name for function in functions}
    routes = tuple(
        _route(route, resource, folders)
        for resource in resources.values()
        if resource.component == "fc3-domain"
        for route in resource.get("routeConfig", {}).get("routes", [])
    )
    return Manifest(functions, routes)


def variables(path: Path) -> set[str]:
    """The names of all variables that a manifest reads."""
    document = read_yaml(path.read_text(encoding="utf-8"), path.name)
    return {name for text in _texts(document) for name in _ENV_CALL.findall(text)}


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        yield from _texts(list(value.values()))
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)


class _Resource:
    """One resource with its template merged in and its expressions resolved."""

    def __init__(self, name: str, written: Mapping[str, Any], scope: Scope) -> None:
        self.name = name
        self.file_name = scope.file_name
        self.component = str(written.get("component", "")).partition("@")[0]
        template = self._template(written.get("extend") or {}, scope)
        self.props = scope.resolve(deep_merge(template, written.get("props") or {}))

    def _template(self, extend: Mapping[str, Any], scope: Scope) -> Mapping[str, Any]:
        template_name = extend.get("name")
        templates = scope.document.get("template", {})
        if template_name is None:
            return {}
        if template_name not in templates:
            raise self.problem(f"extends {template_name}, which is no template", template_name)
        return {
            k: v for k, v in templates[template_name].items() if k not in extend.get("ignore", [])
        }

    def get(self, key: str, default: Any) -> Any:
        return self.props.get(key, default)

    def required(self, key: str, *kinds: type) -> Any:
        value = self.props.get(key)
        if value in (None, "") or isinstance(value, bool) or not isinstance(value, kinds):
            problem = "has no usable" if key in self.props else "has no"
            raise self.problem(f"{problem} {key}", self._key(key))
        return value

    def _key(self, key: str) -> str:
        return next((written for written in self.props if written == key), self.name)

    def problem(self, text: str, at: str) -> ManifestError:
        return ManifestError(f"{self.file_name}:{line_of(at)}: {self.name} {text}")


def _function(resource: _Resource, root: Path) -> Function:
    custom = resource.get("customRuntimeConfig", {})
    code = root / resource.required("code", str)
    return Function(
        name=_folder(resource, code, root),
        function_name=resource.required("functionName", str),
        handler=resource.required("handler", str),
        runtime=resource.required("runtime", str),
        command=(*custom.get("command", []), *custom.get("args", [])),
        port=custom.get("port"),
        methods=_trigger_methods(resource),
        environment=_environment(resource),
        timeout_seconds=resource.required("timeout", int),
        cpu=resource.required("cpu", int, float),
        memory_mb=resource.required("memorySize", int),
        disk_mb=resource.required("diskSize", int),
        code=code,
        timers=tuple(_timers(resource)),
    )


def _folder(resource: _Resource, code: Path, root: Path) -> str:
    """The folder name, taken from the stage: a resource may have another name than its folder."""
    return Text(
        code.name if code.parent == root / ".build" else resource.name, line_of(resource.name)
    )


def _refuse_shared_stages(functions: tuple[Function, ...], file_name: str) -> None:
    seen: dict[Path, str] = {}
    for function in functions:
        other = seen.setdefault(function.code, function.function_name)
        if other != function.function_name:
            line = f"{file_name}:{line_of(function.name)}"
            raise ManifestError(f"{line}: {function.function_name} has the code of {other}")


def _trigger_methods(resource: _Resource) -> tuple[str, ...]:
    configs = (trigger["triggerConfig"] for trigger in _triggers(resource, "http"))
    return tuple(method for config in configs for method in config["methods"])


def _timers(resource: _Resource) -> Iterator[Timer]:
    for trigger in _triggers(resource, "timer"):
        config = trigger["triggerConfig"]
        if config.get("enable", True):
            name, payload = trigger.get("triggerName", ""), config.get("payload", "")
            yield Timer(name, config["cronExpression"], payload)


def _triggers(resource: _Resource, kind: str) -> Iterator[Mapping[str, Any]]:
    for trigger in resource.get("triggers", []):
        if trigger.get("triggerType") == kind:
            yield trigger


def _environment(resource: _Resource) -> dict[str, str]:
    environment: dict[str, str] = resource.get("environmentVariables", {})
    for name, value in environment.items():
        if not isinstance(value, str):
            raise resource.problem(f"needs quotes around the value of {name}", name)
    return environment


def _route(route: Mapping[str, Any], domain: _Resource, folders: Mapping[str, str]) -> Route:
    path, target = route.get("path", Text("", 0)), route.get("functionName", "")
    if target not in folders:
        raise domain.problem(f"routes {path} to {target}, which no resource is called", path)
    return Route(path, tuple(route.get("methods", [])), folders[target])
