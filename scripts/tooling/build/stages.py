"""Stages one directory per function: its code, and the shared modules and wheels it imports."""

import argparse
import contextlib
import fcntl
import io
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from scripts.tooling.build import wheels
from scripts.tooling.build.deploy_environment import misread
from scripts.tooling.build.imports import OURS, ImportProblem, Reached, reached_from
from scripts.tooling.build.wheels import Store, Target, WheelProblem
from scripts.tooling.manifest.s_yaml import Function, Manifest, ManifestError, line_of, load
from scripts.tooling.setup import interpreters
from scripts.tooling.setup.bootstrap import EVERYTHING, ROOT

EPOCH_SECONDS = 1577836800  # 2020-01-01; a zip cannot store times before 1980
FCIGNORE = ".env\n.env.*\n.fcignore\n"


class BuildError(Exception):
    """A stage cannot be built; the message is one line for the user of the command."""


@dataclass(frozen=True)
class Staged:
    """The sizes and distributions of one finished stage."""

    name: str
    files: int
    unzipped_bytes: int
    zipped_bytes: int
    distributions: tuple[str, ...]


def main(arguments: Sequence[str], root: Path = ROOT) -> int:
    options = _options(arguments)
    try:
        _check_environment(root)
        staged = build(root, options.function, compiled=not options.uncompiled)
    except (BuildError, ImportProblem, ManifestError, WheelProblem) as problem:
        print(f"scripts/build: {problem}", file=sys.stderr)
        return 1
    print(table(staged))
    return 0


def _check_environment(root: Path) -> None:
    """Stop before `s` deploys values that differ from `.env`."""
    lines = list(misread(root, os.environ))
    if lines:
        raise BuildError("\n  ".join(["nothing was deployed.", *lines]))


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="scripts/build", description="Stage functions under .build/, ready for s deploy."
    )
    parser.add_argument("function", nargs="*", help="folder names; all functions if none is given")
    parser.add_argument(
        "--uncompiled",
        action="store_true",
        help="ship source only, where the target Python is not installed; cold starts get slower",
    )
    return parser.parse_args(arguments)


def build(
    root: Path, names: Sequence[str] = (), *, compiled: bool = True, kept: Path | None = None
) -> list[Staged]:
    """Stage the named functions, or all; remove the stages of functions that are gone.

    Wheels are kept in `kept`, by default `.local/wheels`.

    Raises:
        BuildError, ImportProblem, ManifestError, WheelProblem: the message says what to do;
            existing stages are kept.
    """
    manifest = load(root / "s.yaml", os.environ, strict=False)
    chosen = [manifest.function(name) for name in names] or list(manifest.functions)
    kept = kept or root / ".local" / "wheels"
    with _build_lock(root / ".build"):
        staged = [_stage(function, root, kept, compiled=compiled) for function in chosen]
        _remove_unknown(root / ".build", manifest)
    return staged


@contextlib.contextmanager
def _build_lock(folder: Path) -> Iterator[None]:
    folder.mkdir(exist_ok=True)
    with (folder / ".lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _remove_unknown(folder: Path, manifest: Manifest) -> None:
    known = {function.name for function in manifest.functions} | {".lock"}
    for entry in folder.iterdir():
        if entry.name not in known:
            shutil.rmtree(entry) if entry.is_dir() else entry.unlink()


def _stage(function: Function, root: Path, kept: Path, *, compiled: bool) -> Staged:
    target = Target(function.python.removeprefix("python"))
    python = _compiler(target) if compiled else None
    reached = _reached(function, root)
    lock = root / "scripts" / "locks" / EVERYTHING
    pins = wheels.read_pins(root / "requirements.txt", lock, target)
    needed = Store(kept, target, pins).with_dependencies(_distributions(function, reached, root))
    stage = root / ".build" / function.name
    with _replacing(stage) as fresh:
        for wheel in needed.values():
            wheels.unpack(wheel, fresh)
        _copy(_own_files(function, reached, root), root, fresh)
        (fresh / ".fcignore").write_text(FCIGNORE)
        if python:
            _compile(python, fresh)
        _normalise_metadata(fresh)
    return _summary(stage, tuple(needed))


def _reached(function: Function, root: Path) -> Reached:
    module = function.handler.rpartition(".")[0]
    if not root.joinpath(*module.split(".")).with_suffix(".py").is_file():
        line = f"s.yaml:{line_of(function.handler)}"
        raise BuildError(f"{line}: {function.handler} is in no file of this project")
    return reached_from(module, root, *_command_modules(function))


def _command_modules(function: Function) -> Iterator[str]:
    """The modules of this project that the command names, such as in `--http=shared.a:B`."""
    for part in function.command:
        module, colon, _ = part.rpartition("=")[2].partition(":")
        if colon and module.partition(".")[0] in OURS:
            yield module


def _compiler(target: Target) -> str:
    python = interpreters.find([target.python])
    if python is None:
        raise BuildError(
            f"no Python {target.python} was found to compile for it;"
            " install one, or pass --uncompiled to ship source only"
        )
    return python


def _distributions(function: Function, reached: Reached, root: Path) -> set[str]:
    """The distributions of the packages that a function imports or is started with."""
    needed = {imported.top_level: imported.at(root) for imported in reached.third_party}
    needed.update(dict.fromkeys(_command_packages(function), f"the command of {function.name}"))
    providers = wheels.providers()
    for name, where in needed.items():
        if name not in providers:
            raise BuildError(f"{where}: no distribution of requirements.txt provides {name}")
    return {distribution for name in needed for distribution in providers[name]}


def _command_packages(function: Function) -> Iterator[str]:
    """The packages that the command starts, such as uvicorn in `-m uvicorn`."""
    for option, module in zip(function.command, function.command[1:], strict=False):
        if option == "-m":
            yield module.partition(".")[0]


def _own_files(function: Function, reached: Reached, root: Path) -> set[Path]:
    folder = root / "functions" / function.name
    files = {file for file in folder.rglob("*") if file.is_file() and _is_shipped(file, folder)}
    for file in reached.files:
        if file.relative_to(root).parts[0] not in {"functions", "shared"}:
            raise BuildError(f"{function.name} reaches {file.relative_to(root)}, which never ships")
    return files | set(reached.files)


def _is_shipped(file: Path, folder: Path) -> bool:
    parts = file.relative_to(folder).parts
    hidden = any(part.startswith(".") or part == "__pycache__" for part in parts)
    for_people = file.match("event*.json") or file.match("README*.md")
    return not hidden and not for_people


def _copy(files: set[Path], root: Path, folder: Path) -> None:
    for file in sorted(files):
        copy = folder / file.relative_to(root)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(file.read_bytes())


def _compile(python: str, folder: Path) -> None:
    """Write `.pyc` files that stay valid in a zip and show `/code/...` in tracebacks."""
    command = [python, "-s", "-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash"]
    done = subprocess.run(
        [*command, "-s", str(folder), "-p", "/code", str(folder)],
        cwd=folder.parent,  # the stage itself would shadow the standard library
        env={"PATH": os.defpath, "PYTHONHASHSEED": "0"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    if done.returncode:
        raise BuildError(f"{python} cannot compile:\n{done.stdout.decode(errors='replace')}")


def _normalise_metadata(folder: Path) -> None:
    """Give all entries the same modes and time, so that equal sources give equal packages."""
    for entry in [*folder.rglob("*"), folder]:
        entry.chmod(0o755 if entry.is_dir() else 0o644)
        os.utime(entry, (EPOCH_SECONDS, EPOCH_SECONDS))


@contextlib.contextmanager
def _replacing(stage: Path) -> Iterator[Path]:
    """Yield a new directory that replaces the stage if the block succeeds."""
    fresh, retired = stage.with_name(f".new-{stage.name}"), stage.with_name(f".old-{stage.name}")
    for leftover in (fresh, retired):
        shutil.rmtree(leftover, ignore_errors=True)
    fresh.mkdir()
    try:
        yield fresh
        if stage.exists():
            stage.rename(retired)
        fresh.rename(stage)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
        shutil.rmtree(retired, ignore_errors=True)


def _summary(stage: Path, distributions: tuple[str, ...]) -> Staged:
    files = sorted(file for file in stage.rglob("*") if file.is_file())
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in files:
            archive.write(file, file.relative_to(stage))
    unzipped = sum(file.stat().st_size for file in files)
    return Staged(stage.name, len(files), unzipped, buffer.tell(), distributions)


def table(staged: Sequence[Staged]) -> str:
    rows = [("function", "files", "unzipped", "zipped", "distributions")]
    for stage in staged:
        sizes = (_megabytes(stage.unzipped_bytes), _megabytes(stage.zipped_bytes))
        names = ", ".join(stage.distributions) or "-"
        rows.append((stage.name, str(stage.files), *sizes, names))
    return "\n".join(f"{a:<14}{b:>6}{c:>11}{d:>10}  {e}" for a, b, c, d, e in rows)


def _megabytes(size: int) -> str:
    return f"{size / 1_000_000:.2f} MB"
