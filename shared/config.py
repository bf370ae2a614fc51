"""Declaration and loading of settings; the only module that reads the environment."""

import os
import re
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from functools import cache
from typing import Any, TypeVar
from urllib.parse import urlsplit

from shared.errors import Misconfigured

Section = TypeVar("Section")

_REQUIRED: Any = object()


@dataclass(frozen=True)
class Secret:
    """A value that logs, tracebacks and messages show as `Secret(...)`."""

    _value: str

    def reveal(self) -> str:
        return self._value

    def __repr__(self) -> str:
        return "Secret(...)"

    def __bool__(self) -> bool:
        return bool(self._value)


@dataclass(frozen=True)
class Variable:
    """One setting. `names` are its canonical name and then its aliases."""

    names: tuple[str, ...]
    parse: Callable[[str], Any]
    default: Any
    local: Any

    def read(self, *, production: bool) -> Any:
        """Raises: ValueError with one line that names the variable."""
        for name in self.names:
            text = os.environ.get(name, "").strip()
            if text:
                return self._parsed(name, text)
        value = self.default if production or self.local is None else self.local
        if value is _REQUIRED:
            raise ValueError(f"{self.names[0]} is not set")
        return value

    def _parsed(self, name: str, text: str) -> Any:
        try:
            return self.parse(text)
        except ValueError as problem:
            raise ValueError(f"{name} {problem}") from None


def env(
    *names: str, parse: Callable[[str], Any] = str, default: Any = _REQUIRED, local: Any = None
) -> Any:
    """Declare a setting. `local` replaces the default outside production."""
    return field(metadata={"variable": Variable(names, parse, default, local)})


def variables(section: type) -> list[Variable]:
    return [f.metadata["variable"] for f in fields(section) if "variable" in f.metadata]


def load(section: type[Section]) -> Section:
    """Load one section, once per process.

    Raises:
        Misconfigured: with every missing, malformed or unsafe variable of the section.
    """
    loaded: Section = _loaded(section)  # type: ignore[arg-type]  # every class is hashable
    return loaded


@cache
def _loaded(section: Any) -> Any:
    production = is_production()
    values, problems = {}, []
    for declared in fields(section):
        try:
            values[declared.name] = declared.metadata["variable"].read(production=production)
        except ValueError as problem:
            problems.append(str(problem))
    if problems:
        raise Misconfigured(problems=problems)
    loaded = section(**values)
    unsafe = list(getattr(loaded, "unsafe", lambda: ())()) if production else []
    if unsafe:
        raise Misconfigured(problems=unsafe)
    return loaded


def role_credentials() -> tuple[str, Secret, Secret]:
    """The id, secret and token of the function's role, as the platform has them now.

    The platform replaces them while the process runs, so callers must not store them.
    """
    name = "ALIBABA_CLOUD_ACCESS_KEY_"
    token = os.environ.get("ALIBABA_CLOUD_SECURITY_TOKEN", "")
    secret = os.environ.get(f"{name}SECRET", "")
    return os.environ.get(f"{name}ID", ""), Secret(secret), Secret(token)


def interpreter_environment() -> dict[str, str]:
    """The environment variables that a Python process needs to start; no setting and no secret."""
    names = ("LD_LIBRARY_PATH", "PYTHONHOME", "TMPDIR")
    return {name: os.environ[name] for name in names if name in os.environ}


def is_production() -> bool:
    """Whether APP_ENV (or NODE_ENV) names neither development nor test."""
    name = os.environ.get("APP_ENV") or os.environ.get("NODE_ENV") or "production"
    return name.strip().lower() not in {"development", "test"}


def whole(minimum: int = 0, maximum: int = 2**31) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not re.fullmatch(r"\d{1,10}", text) or not minimum <= int(text) <= maximum:
            raise ValueError(f"must be a whole number from {minimum} to {maximum}")
        return int(text)

    return parse


def one_of(*values: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text.lower() not in values:
            raise ValueError(f"must be one of {', '.join(values)}")
        return text.lower()

    return parse


def boolean(text: str) -> bool:
    if text.lower() in {"true", "1", "yes", "on"}:
        return True
    if text.lower() in {"false", "0", "no", "off"}:
        return False
    raise ValueError("must be true or false")


_UNIT_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


def duration_seconds(text: str) -> int:
    """The seconds of a duration such as `900`, `30m`, `12h` or `7d`."""
    match = re.fullmatch(r"(\d{1,9})\s*([smhdw]?)", text.lower())
    if not match or int(match[1]) == 0:
        raise ValueError("must be a duration such as 900, 30m, 12h or 7d")
    return int(match[1]) * _UNIT_SECONDS[match[2]]


@dataclass(frozen=True)
class Rate:
    """A number of requests (`most`) in a window of seconds."""

    most: int
    seconds: int


def rate(text: str) -> Rate | None:
    """A rate such as `10/15m`, ten in 15 minutes; None for `0`, no limit."""
    if text == "0":
        return None
    match = re.fullmatch(r"(\d{1,6})\s*/\s*(\S+)", text)
    if not match or int(match[1]) == 0:
        raise ValueError("must be a rate such as 10/15m, or 0 for no limit")
    return Rate(int(match[1]), duration_seconds(match[2]))


def names_list(text: str) -> tuple[str, ...]:
    return tuple(item.strip().rstrip("/") for item in text.split(",") if item.strip())


def http_url(text: str) -> str:
    try:
        parts = urlsplit(text)
        usable = re.fullmatch(r"https?://\S+", text) and parts.hostname and parts.port != 0
    except ValueError:  # such as an unclosed [ or a port of six digits
        usable = None
    if not usable:
        raise ValueError("must start with http:// or https:// and name a host")
    return text.rstrip("/")
