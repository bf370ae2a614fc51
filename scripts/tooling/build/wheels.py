"""Pinned wheels for the target Python: found by import name, downloaded once, unpacked.

A file whose hash is not in scripts/locks is refused, also if it was downloaded before.
"""

import hashlib
import os
import re
import subprocess
import sys
import tempfile
import zipfile
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from email.parser import BytesHeaderParser
from importlib.metadata import distributions
from pathlib import Path, PurePosixPath

from packaging.markers import Marker, default_environment
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name, parse_wheel_filename
from packaging.version import Version

# Every runtime of Function Compute has glibc 2.31, which satisfies these platforms.
PLATFORMS = ("manylinux2014_x86_64", "manylinux_2_24_x86_64", "manylinux_2_28_x86_64")

# Published as source only; both work as pure Python. The optional extension of crcmod would need
# a compiler and the headers of the target's Python, and shared/storage/oss_bucket.py needs no CRC.
# So they are built without a compiler, and only wheels for any platform are accepted.
# The stage gets the published source files, so that two builds have the same bytes.
FROM_SOURCE = frozenset({"crcmod", "oss2"})

UNNEEDED_FOLDERS = frozenset({"tests", "test", "docs", "__pycache__"})
# What pydantic loads only for models of its first version, for mypy, or where a model asks for it.
UNNEEDED_MODULES = frozenset({"v1", "experimental", "mypy.py", "color.py"})
UNNEEDED_SUFFIXES = frozenset({".pyi", ".pyc", ".c", ".h", ".pyx", ".pxd"})


class WheelProblem(Exception):
    """A distribution is not pinned, not available, or conflicts with another."""


@dataclass(frozen=True)
class Pin:
    """`hashes` are those of its files, in the form of pip: `sha256:...`."""

    name: str
    version: Version
    hashes: frozenset[str]

    def __str__(self) -> str:
        return f"{self.name}=={self.version}"

    @property
    def line(self) -> str:
        """A line of a requirements file."""
        return " ".join([str(self), *(f"--hash={one}" for one in sorted(self.hashes))])


@dataclass(frozen=True)
class Target:
    """The Python version that wheels must support, such as `3.12`."""

    python: str

    def accepts(self, marker: Marker | None) -> bool:
        return marker is None or marker.evaluate(self._environment())

    def _environment(self) -> dict[str, str]:
        linux = {
            "implementation_name": "cpython",
            "implementation_version": f"{self.python}.0",
            "os_name": "posix",
            "platform_machine": "x86_64",
            "platform_python_implementation": "CPython",
            "platform_system": "Linux",
            "python_full_version": f"{self.python}.0",
            "python_version": self.python,
            "sys_platform": "linux",
            "extra": "",
        }
        return {**{name: str(value) for name, value in default_environment().items()}, **linux}


def read_pins(requirements: Path, lock: Path, target: Target) -> dict[str, Pin]:
    """Read the pins of a requirements file that apply to the target, with their hashes.

    Raises: WheelProblem for a line that does not pin exactly one version, or is not locked.
    """
    pins: dict[str, Pin] = {}
    hashes = _read_hashes(lock)
    for number, line in enumerate(requirements.read_text(encoding="utf-8").splitlines(), 1):
        if not line.partition("#")[0].strip():
            continue
        requirement = _requirement(line.partition("#")[0].strip(), f"{requirements.name}:{number}")
        if target.accepts(requirement.marker):
            (specifier,) = requirement.specifier
            name = canonicalize_name(requirement.name)
            version = Version(specifier.version)
            if (name, version) not in hashes:
                raise WheelProblem(f"{name}=={version} has no hashes yet: run scripts/lock")
            pins[name] = Pin(name, version, hashes[name, version])
    return pins


def _read_hashes(lock: Path) -> dict[tuple[str, Version], frozenset[str]]:
    entries = re.split(r"\n(?=\S)", lock.read_text(encoding="utf-8"))
    found = (re.match(r"([\w.-]+)==([^\s;]+)", entry) for entry in entries)
    return {
        (canonicalize_name(match[1]), Version(match[2])): frozenset(
            re.findall(r"--hash=(\S+)", match.string)
        )
        for match in found
        if match
    }


def _requirement(text: str, where: str) -> Requirement:
    try:
        requirement = Requirement(text)
    except InvalidRequirement as problem:
        raise WheelProblem(f"{where}: {problem}") from None
    if [specifier.operator for specifier in requirement.specifier] != ["=="]:
        raise WheelProblem(f"{where}: {text} must pin one version with ==")
    return requirement


def providers() -> Mapping[str, set[str]]:
    """The installed distributions that provide each top-level import name.

    `importlib.metadata.packages_distributions` does the same from Python 3.12 on;
    before, it ignores distributions without a top_level.txt.
    """
    found: dict[str, set[str]] = defaultdict(set)
    for distribution in distributions():
        declared = (distribution.read_text("top_level.txt") or "").split()
        for name in declared or _top_levels(distribution.files or []):
            found[name].add(canonicalize_name(distribution.metadata["Name"]))
    return found


def _top_levels(files: Iterable[PurePosixPath]) -> set[str]:
    modules = (file for file in files if file.suffix == ".py")
    return {(file.parts[0] if len(file.parts) > 1 else file.stem) for file in modules}


class Store:
    """The downloaded wheels of one target; a second build needs no network."""

    def __init__(self, folder: Path, target: Target, pins: Mapping[str, Pin]) -> None:
        self.folder = folder / target.python
        self.target = target
        self.pins = pins

    def with_dependencies(self, names: Iterable[str]) -> dict[str, Path]:
        """Return the wheels of these distributions and of their dependencies, by name.

        Raises:
            WheelProblem: one is not pinned, its pin does not fit, or there is no wheel.
        """
        wheels: dict[str, Path] = {}
        waiting: set[str] = {canonicalize_name(name) for name in names}
        while waiting:
            wheels.update(self._wheels([self._pin(name) for name in sorted(waiting)]))
            needed = {dependency for name in waiting for dependency in self._needs(wheels[name])}
            waiting = needed - wheels.keys()
        return dict(sorted(wheels.items()))

    def _pin(self, name: str) -> Pin:
        if name not in self.pins:
            raise WheelProblem(f"{name} is needed, but requirements.txt does not pin it")
        return self.pins[name]

    def _needs(self, wheel: Path) -> Iterator[str]:
        for requirement in _requires(wheel):
            if not self.target.accepts(requirement.marker):
                continue
            pin = self._pin(canonicalize_name(requirement.name))
            if not requirement.specifier.contains(pin.version, prereleases=True):
                raise WheelProblem(f"{wheel.name} needs {requirement}, the pin is {pin}")
            yield pin.name

    def _wheels(self, pins: list[Pin]) -> dict[str, Path]:
        missing = [pin for pin in pins if not self._kept(pin)]
        if missing:
            self._download(missing)
        return {pin.name: kept for pin in pins if (kept := self._kept(pin))}

    def _kept(self, pin: Pin) -> Path | None:
        for wheel in sorted(self.folder.glob("*.whl")):
            name, version, _, _ = parse_wheel_filename(wheel.name)
            if (name, version) == (pin.name, pin.version) and _is_locked(wheel, pin):
                return wheel
        return None

    def _download(self, pins: list[Pin]) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        published = [pin for pin in pins if pin.name not in FROM_SOURCE]
        with tempfile.TemporaryDirectory(dir=self.folder) as downloads:
            if published:
                self._pip("download", published, *self._target_options(), "--dest", downloads)
            for pin in pins:
                if pin.name in FROM_SOURCE:
                    self._pip(
                        "wheel", [pin], "--no-cache-dir", "--wheel-dir", downloads, CC="false"
                    )
            for wheel in Path(downloads).glob("*.whl"):
                _check_purity(wheel)
                os.replace(wheel, self.folder / wheel.name)

    def _target_options(self) -> list[str]:
        fit = ["--only-binary=:all:", "--implementation=cp"]
        fit += [f"--platform={platform}" for platform in PLATFORMS]
        return [*fit, f"--python-version={self.target.python}"]

    def _pip(self, verb: str, pins: Iterable[Pin], *arguments: str, **variables: str) -> None:
        command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
        with tempfile.NamedTemporaryFile("w", suffix=".txt") as requirements:
            requirements.write("\n".join(pin.line for pin in pins))
            requirements.flush()
            wanted = ["--require-hashes", f"--requirement={requirements.name}"]
            done = subprocess.run(
                [*command, verb, "--no-deps", *arguments, *wanted],
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env={**os.environ, **variables},
                check=False,
            )
        if done.returncode:
            raise WheelProblem(f"pip found no wheels:\n{done.stdout.decode(errors='replace')}")


def _is_locked(wheel: Path, pin: Pin) -> bool:
    """A wheel that was built here has no hash of its own; its source had."""
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    return pin.name in FROM_SOURCE or f"sha256:{digest}" in pin.hashes


def _check_purity(wheel: Path) -> None:
    name, _, _, tags = parse_wheel_filename(wheel.name)
    if name in FROM_SOURCE and {tag.platform for tag in tags} != {"any"}:
        raise WheelProblem(f"{wheel.name} was to be built from source for any platform, and is not")


def _requires(wheel: Path) -> list[Requirement]:
    with zipfile.ZipFile(wheel) as archive:
        (metadata,) = (
            name
            for name in archive.namelist()
            if name.endswith(".dist-info/METADATA") and name.count("/") == 1
        )
        headers = BytesHeaderParser().parsebytes(archive.read(metadata))
    return [Requirement(value) for value in headers.get_all("Requires-Dist", [])]


def unpack(wheel: Path, folder: Path) -> None:
    """Unpack the files of a wheel that a function needs at run time.

    Raises:
        WheelProblem: another distribution has written a different file of that name.
    """
    with zipfile.ZipFile(wheel) as archive:
        for member in archive.infolist():
            path = _stage_path(PurePosixPath(member.filename))
            if member.is_dir() or path is None:
                continue
            _write(folder / path, archive.read(member), wheel)


def _write(file: Path, content: bytes, wheel: Path) -> None:
    if file.exists() and file.read_bytes() != content:
        raise WheelProblem(f"{wheel.name} and another distribution both bring {file.name}")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)


def _stage_path(member: PurePosixPath) -> PurePosixPath | None:
    """The path of a wheel's member in the stage; None if it is not needed at run time."""
    parts = member.parts
    if parts[0].endswith(".data"):
        if parts[1] not in {"purelib", "platlib"}:
            return None
        parts = parts[2:]
    if parts[0].endswith(".dist-info") or UNNEEDED_FOLDERS.intersection(parts[:-1]):
        return None
    if parts[0] == "pydantic" and parts[1] in UNNEEDED_MODULES:
        return None
    return None if member.suffix in UNNEEDED_SUFFIXES else PurePosixPath(*parts)
