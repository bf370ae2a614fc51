"""The environment of local commands: `.env`, variables of the process, and local defaults."""

import io
import os
import secrets
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from dotenv import dotenv_values
from dotenv.parser import Binding, parse_stream

ROOT = Path(__file__).resolve().parents[2]
DEV_URL = "http://127.0.0.1:8000"  # the default address of scripts/dev


def local_environment(environ: Mapping[str, str], root: Path = ROOT) -> dict[str, str]:
    """Return the environment of dev, invoke, login and migrate.

    A variable of the process wins over `.env`. APP_ENV is always development, so that a
    `.env` written for `s deploy` cannot turn a local run into production.
    """
    variables = {**read_dotenv(root / ".env"), **environ, "APP_ENV": "development"}
    if not _is_set(variables, "DATABASE_URL", "DB_HOST"):
        variables["DATABASE_URL"] = f"sqlite:///{_local_folder(root) / 'app.db'}"
    if not _is_set(variables, "JWT_SECRET", "NEXTAUTH_SECRET"):
        variables["JWT_SECRET"] = _stored_secret(_local_folder(root) / "jwt-secret")
    if not _is_set(variables, "UPSTREAM_KEYS_SECRET"):
        path = _local_folder(root) / "upstream-keys-secret"
        variables["UPSTREAM_KEYS_SECRET"] = _stored_secret(path)
    return {**variables, **_storage(variables, root), **reached_at(DEV_URL)}


def reached_at(url: str) -> dict[str, str]:
    """The local addresses of functions and files; those in `.env` are for the deployment."""
    return {"EXPORT_WORKER_URL": url, "STORAGE_FOLDER_URL": url}


def _storage(variables: Mapping[str, str], root: Path) -> dict[str, str]:
    """A folder if there is no bucket; otherwise an endpoint that is reachable from outside OSS."""
    if not has_bucket(variables):
        folder = variables.get("STORAGE_FOLDER") or str(_local_folder(root) / "files")
        return {"STORAGE_FOLDER": folder}
    if _is_set(variables, "OSS_ENDPOINT") and "-internal." not in variables["OSS_ENDPOINT"]:
        return {}
    region = variables.get("OSS_REGION") or variables.get("REGION") or "cn-hangzhou"
    public = f"https://oss-{region.removeprefix('oss-')}.aliyuncs.com"
    return {"OSS_ENDPOINT": variables.get("OSS_PUBLIC_ENDPOINT") or public}


def unreadable_lines(path: Path) -> Iterator[str]:
    """Report the unreadable lines of a `.env` by number, without their text: it may be secret."""
    if not path.is_file():
        return
    content = path.read_bytes()
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as problem:
        yield f"{path.name}:{content[: problem.start].count(10) + 1}: this line is not UTF-8"
        return
    for binding in parse_stream(io.StringIO(text)):
        reason = _reason(binding)
        if reason:
            statement = binding.original.string
            blank = statement[: len(statement) - len(statement.lstrip())]
            yield f"{path.name}:{binding.original.line + blank.count(chr(10))}: {reason}"


def _reason(binding: Binding) -> str:
    if binding.error:
        return "this line cannot be read; are its quotes closed, and is nothing behind them?"
    if binding.key is None:  # a comment, or blank lines at the end
        return ""
    if binding.value is None:
        return "this line has no ="
    return "this value holds a NUL" if "\0" in binding.value else ""


def read_dotenv(path: Path) -> dict[str, str]:
    """Read a `.env` without interpolation: a password may contain a `$`."""
    with suppress(UnicodeDecodeError):  # reported by unreadable_lines
        values = dotenv_values(path, interpolate=False)
        return {name: value for name, value in values.items() if value is not None}
    return {}


def has_bucket(variables: Mapping[str, str]) -> bool:
    return _is_set(variables, "OSS_BUCKET", "OSS_BUCKET_NAME")


def _is_set(variables: Mapping[str, str], *names: str) -> bool:
    return any(variables.get(name, "").strip() for name in names)


def _local_folder(root: Path) -> Path:
    folder = root / ".local"
    folder.mkdir(exist_ok=True)
    return folder


def _stored_secret(path: Path) -> str:
    """Read a secret that is generated once, so that sessions and stored keys survive restarts.

    The file appears complete or not at all, because two commands may start together.
    """
    if not path.exists():
        with tempfile.NamedTemporaryFile("w", dir=path.parent) as fresh:  # mode 600
            fresh.write(secrets.token_hex(32))
            fresh.flush()
            with suppress(FileExistsError):
                os.link(fresh.name, path)
    return path.read_text().strip()
