"""Checks the settings of all functions before scripts/dev serves them."""

import importlib
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields, is_dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from scripts.tooling.environment import has_bucket
from scripts.tooling.manifest.s_yaml import Manifest
from scripts.tooling.setup import bootstrap, interpreters
from shared import settings
from shared.config import Variable, variables
from shared.errors import Misconfigured

_STORAGE_PACKAGES = "requirements.txt"

SECTIONS: list[type] = [
    kind
    for kind in vars(settings).values()
    if isinstance(kind, type) and is_dataclass(kind) and variables(kind)
]


def install_for_bucket(environ: Mapping[str, str]) -> None:
    """Install oss2 if a bucket is set; it must be built, so it is not installed by default.

    Raises:
        SystemExit: it cannot be installed.
    """
    if _lacks_oss2(environ):
        here = Path(sys.prefix)
        bootstrap.prepare(here, [interpreters.running_version()], _STORAGE_PACKAGES)
        importlib.invalidate_caches()


def _lacks_oss2(environ: Mapping[str, str]) -> bool:
    return has_bucket(environ) and find_spec("oss2") is None


def problems(manifest: Manifest, environ: Mapping[str, str]) -> list[str]:
    """List the variables for which a function would answer `misconfigured`, one line each.

    `environ` is the environment that the manifest was read with; its names may be aliases of
    those that functions get. No line holds a value.
    """
    found: dict[str, list[str]] = {}
    if _lacks_oss2(environ):
        found["OSS_BUCKET needs packages that are installed at the start: start again"] = []
    for function in manifest.functions:
        with _environment(function.environment):
            for section in SECTIONS:
                if _is_given(section, function.environment):
                    for problem in _of_section(section, environ):
                        found.setdefault(problem, []).append(function.name)
    return [_line(problem, functions) for problem, functions in found.items()]


def _line(problem: str, functions: list[str]) -> str:
    """The line of a problem; it names the functions if a variable is missing."""
    if not problem.endswith("is not set"):
        return problem
    more = f" and {len(functions) - 3} more" if len(functions) > 3 else ""
    return f"{problem} (for {', '.join(functions[:3])}{more})"


@contextmanager
def _environment(given: Mapping[str, str]) -> Iterator[None]:
    """Replace the environment of this process, from which settings are read."""
    kept = dict(os.environ)
    os.environ.clear()
    os.environ.update(given)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(kept)


def _is_given(section: type, environment: Mapping[str, str]) -> bool:
    """Whether a function loads a section: only then s.yaml gives it the variables."""
    return any(name in environment for variable in variables(section) for name in variable.names)


def _of_section(section: Any, environ: Mapping[str, str]) -> Iterator[str]:
    values = {}
    for field in fields(section):
        variable: Variable = field.metadata["variable"]
        try:
            values[field.name] = variable.read(production=False)
        except ValueError as problem:
            yield _as_named(str(problem), variable, environ)
    if len(values) == len(fields(section)):
        yield from _of_parts_together(section(**values))


def _as_named(problem: str, variable: Variable, environ: Mapping[str, str]) -> str:
    """Replace the canonical name in a problem by the alias that was set."""
    name, _, rest = problem.partition(" ")
    there = (known for known in variable.names if environ.get(known, "").strip())
    return f"{next(there, name)} {rest}"


def _of_parts_together(loaded: Any) -> Iterator[str]:
    """Problems of settings that are only checked together, in a property."""
    for name, attribute in vars(type(loaded)).items():
        if isinstance(attribute, property):
            try:
                getattr(loaded, name)
            except Misconfigured as problem:
                yield from problem.context["problems"]
