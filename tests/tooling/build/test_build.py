"""scripts/build stages the imports of each function, reproducibly."""

import hashlib
import marshal
import os
import re
import shutil
import sys
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import CodeType

import pytest

from scripts.tooling.build.imports import ImportProblem
from scripts.tooling.build.stages import BuildError, build, main
from scripts.tooling.build.wheels import WheelProblem

RUNNING = f"python{sys.version_info.major}.{sys.version_info.minor}"
PINS = """\
uvicorn==0.54.0  # serves
h11==0.16.0  # uvicorn
click==8.5.1; python_version < "4"  # uvicorn
"""
FUNCTION = """\
  {name}:
    component: fc3
    props:
      functionName: demo-{name}
      code: ./.build/{name}
      handler: functions.{name}.index.handler
      runtime: {runtime}
      cpu: 1
      memorySize: 1024
      diskSize: 512
      timeout: 30
"""
COMMAND = """\
      customRuntimeConfig:
        command: [python3, -m, uvicorn]
        port: 9000
"""
HELLO = """\
from typing import TYPE_CHECKING

from shared.greetings import words

if TYPE_CHECKING:
    import pydantic
    from shared import typing_only


def handler(event, context):
    from shared.greetings import late
    return words.HELLO
"""

Project = Callable[..., Path]


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of generated wheels for pip, so that no test needs a network."""
    folder = tmp_path / "shelf"
    folder.mkdir()
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    needs = ["h11>=0.8", "click>=7.0", 'uvloop; extra == "standard"', 'colorama; os_name == "nt"']
    make_wheel(folder, "uvicorn", "0.54.0", needs)
    make_wheel(folder, "h11", "0.16.0", [])
    make_wheel(folder, "click", "8.5.1", [])
    return folder


def make_wheel(folder: Path, name: str, version: str, needs: list[str]) -> None:
    requires = "".join(f"Requires-Dist: {need}\n" for need in needs)
    information = f"{name}-{version}.dist-info"
    content = {
        f"{name}/__init__.py": f"VERSION = {version!r}\n",
        f"{name}/__init__.pyi": "VERSION: str\n",
        f"{name}/data.json": "{}\n",
        f"{name}/fast.c": "int fast;\n",
        f"{name}/tests/test_it.py": "raise AssertionError\n",
        f"{name}-{version}.data/scripts/{name}": "#!python\n",
        f"{name}-{version}.data/purelib/{name}/extra.py": "EXTRA = 1\n",
        f"{information}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        + requires,
        f"{information}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{information}/RECORD": "",
    }
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as wheel:
        for place, text in content.items():
            wheel.writestr(place, text)


BACKEND = """\
import os, zipfile

def build_wheel(folder, config_settings=None, metadata_directory=None):
    tag = "py3-none-any" if os.environ.get("CC") == "false" else "py3-none-linux_x86_64"
    name = f"oss2-2.19.1-{tag}.whl"
    about = "Metadata-Version: 2.1\\nName: oss2\\nVersion: 2.19.1\\n"
    with zipfile.ZipFile(os.path.join(folder, name), "w") as wheel:
        wheel.writestr("oss2/__init__.py", "")
        wheel.writestr("oss2-2.19.1.dist-info/METADATA", about)
        wheel.writestr("oss2-2.19.1.dist-info/WHEEL", "Wheel-Version: 1.0\\n")
        wheel.writestr("oss2-2.19.1.dist-info/RECORD", "")
    return name
"""


def make_source(shelf: Path, folder: Path, backend: str) -> None:
    """A source distribution with its own build backend."""
    write(folder, "pyproject.toml", PYPROJECT)
    write(folder, "backend.py", backend)
    write(folder, "PKG-INFO", "Metadata-Version: 2.1\nName: oss2\nVersion: 2.19.1\n")
    with tarfile.open(shelf / "oss2-2.19.1.tar.gz", "w:gz") as archive:
        archive.add(folder, "oss2-2.19.1")


PYPROJECT = """\
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
"""


@pytest.fixture
def project(tmp_path: Path, shelf: Path) -> Project:
    """Make a small project: hello on a built-in runtime and, if asked, talk on a web one."""

    def make(name: str = "project", *, runtime: str = "python3.12", talk: bool = False) -> Path:
        root = tmp_path / name
        manifest = "resources:\n" + FUNCTION.format(name="hello", runtime=runtime)
        if talk:
            manifest += FUNCTION.format(name="talk", runtime="custom.debian11") + COMMAND
        write(root, "s.yaml", manifest)
        pin(root, shelf, PINS)
        write(root, ".env", "SECRET=1\n")
        write(root, "functions/__init__.py", "")
        write(root, "functions/hello/__init__.py", "")
        write(root, "functions/hello/index.py", HELLO)
        write(root, "functions/hello/prompts/zh.md", "你好\n")
        write(root, "functions/hello/event.json", "{}")
        write(root, "functions/hello/.env", "SECRET=1\n")
        write(root, "functions/hello/__pycache__/index.cpython-312.pyc", "stale")
        write(root, "functions/talk/__init__.py", "")
        write(
            root, "functions/talk/index.py", "from shared.greetings import late\nhandler = late\n"
        )
        write(root, "shared/__init__.py", "")
        write(root, "shared/greetings/__init__.py", "")
        write(root, "shared/greetings/words.py", "import json\n\nHELLO = 'hello'\n")
        write(root, "shared/greetings/late.py", "from . import words\n")
        write(root, "shared/typing_only.py", "")
        write(root, "shared/unused.py", "")
        return root

    return make


def write(root: Path, place: str, text: str) -> None:
    file = root / place
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")


def pin(root: Path, shelf: Path, pins: str) -> None:
    """Require these, and lock the hashes of their files on the shelf; of no file, a made-up one."""
    write(root, "requirements.txt", pins)
    locked = []
    for name, version in re.findall(r"^(\w+)==([\w.]+)", pins, flags=re.MULTILINE):
        found = [path.read_bytes() for path in shelf.glob(f"{name}-{version}*")]
        hashes = [hashlib.sha256(content).hexdigest() for content in found] or ["0" * 64]
        locked += [f"{name}=={version} \\", *(f"    --hash=sha256:{one}" for one in hashes)]
    write(root, "scripts/locks/requirements-dev.txt", "\n".join(locked))


def files(stage: Path) -> list[str]:
    return sorted(p.relative_to(stage).as_posix() for p in stage.rglob("*") if p.is_file())


def snapshot(root: Path) -> dict[str, tuple[int, float, bytes]]:
    """Every entry with its mode, time and bytes."""
    stages = root / ".build"
    return {
        entry.relative_to(stages).as_posix(): (
            entry.stat().st_mode,
            entry.stat().st_mtime,
            entry.read_bytes() if entry.is_file() else b"",
        )
        for entry in stages.rglob("*")
        if entry.name != ".lock"
    }


def test_a_stage_holds_the_function_and_the_shared_modules_it_reaches(project: Project) -> None:
    root = project()

    build(root, ["hello"], compiled=False)

    assert files(root / ".build/hello") == [
        ".fcignore",
        "functions/__init__.py",
        "functions/hello/__init__.py",
        "functions/hello/index.py",
        "functions/hello/prompts/zh.md",
        "shared/__init__.py",
        "shared/greetings/__init__.py",
        "shared/greetings/late.py",
        "shared/greetings/words.py",
    ]


def test_a_web_function_ships_its_server_without_extras_tests_or_stubs(project: Project) -> None:
    root = project(talk=True)

    (talk,) = build(root, ["talk"], compiled=False)

    assert talk.distributions == ("click", "h11", "uvicorn")
    assert [name for name in files(root / ".build/talk") if not name.startswith("shared")] == [
        ".fcignore",
        "click/__init__.py",
        "click/data.json",
        "click/extra.py",
        "functions/__init__.py",
        "functions/talk/__init__.py",
        "functions/talk/index.py",
        "h11/__init__.py",
        "h11/data.json",
        "h11/extra.py",
        "uvicorn/__init__.py",
        "uvicorn/data.json",
        "uvicorn/extra.py",
    ]


def test_a_module_that_the_command_names_ships_too(project: Project) -> None:
    root = project(talk=True)
    manifest = root / "s.yaml"
    named = '[python3, -m, uvicorn, "--http=shared.unused:Protocol"]'
    manifest.write_text(manifest.read_text().replace("[python3, -m, uvicorn]", named))

    build(root, ["talk"], compiled=False)

    assert "shared/unused.py" in files(root / ".build/talk")


def test_a_second_build_asks_nobody_for_wheels(project: Project, shelf: Path) -> None:
    root = project(talk=True)
    (first,) = build(root, ["talk"], compiled=False)
    shutil.rmtree(shelf)

    (second,) = build(root, ["talk"], compiled=False)

    assert second == first


def test_compiled_code_is_valid_in_a_zip_and_knows_its_place_in_the_cloud(
    project: Project,
) -> None:
    root = project(runtime=RUNNING)

    build(root, ["hello"])

    stage = root / ".build/hello"
    sources = [name for name in files(stage) if name.endswith(".py")]
    compiled = [name for name in files(stage) if name.endswith(".pyc")]
    assert len(compiled) == len(sources)
    for name in compiled:
        content = (stage / name).read_bytes()
        code = marshal.loads(content[16:])  # noqa: S302  # just compiled above
        assert isinstance(code, CodeType)
        folder, _, file = name.partition("__pycache__/")
        assert int.from_bytes(content[4:8], "little") == 0b01, "hash-based and unchecked"
        assert code.co_filename == f"/code/{folder}{file.partition('.')[0]}.py"


def test_equal_sources_give_equal_bytes_wherever_they_stand(project: Project) -> None:
    here, there = project(runtime=RUNNING), project("another/place", runtime=RUNNING)

    build(here)
    build(there)
    first = snapshot(here)
    build(here)

    assert first == snapshot(here) == snapshot(there)
    assert {mode for mode, _, content in first.values() if content} == {0o100644}


def test_a_failed_build_leaves_the_stage_that_stood(project: Project) -> None:
    root = project(runtime=RUNNING)
    build(root)
    before = snapshot(root)
    write(root, "functions/hello/logic.py", "def broken(:\n")

    with pytest.raises(BuildError, match=r"logic\.py"):
        build(root)

    assert snapshot(root) == before


def test_stages_of_functions_that_are_gone_are_removed(project: Project) -> None:
    root = project(talk=True)
    build(root, compiled=False)
    write(root, "s.yaml", "resources:\n" + FUNCTION.format(name="hello", runtime="python3.12"))

    build(root, compiled=False)

    assert sorted(entry.name for entry in (root / ".build").iterdir()) == [".lock", "hello"]


def test_without_the_target_python_one_line_says_so(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    root = project(runtime="python3.99")

    assert main([], root) == 1
    assert capsys.readouterr().err == (
        "scripts/build: no Python 3.99 was found to compile for it;"
        " install one, or pass --uncompiled to ship source only\n"
    )
    assert main(["--uncompiled"], root) == 0


def test_a_table_says_what_was_staged(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    root = project(talk=True)

    assert main(["--uncompiled"], root) == 0

    head, hello, talk = capsys.readouterr().out.splitlines()
    assert head.split() == ["function", "files", "unzipped", "zipped", "distributions"]
    assert hello.split() == ["hello", "9", "0.00", "MB", "0.00", "MB", "-"]
    assert talk.split()[:2] == ["talk", "17"]
    assert talk.endswith("  click, h11, uvicorn")


@pytest.mark.parametrize(
    ("code", "failure", "problem"),
    [
        (
            "import shared.nowhere\n",
            ImportProblem,
            "functions/hello/index.py:1: shared.nowhere does not exist",
        ),
        (
            "\nimport no_such_thing\n",
            BuildError,
            "functions/hello/index.py:2: no distribution of requirements.txt provides"
            " no_such_thing",
        ),
        (
            "import yaml\n",
            WheelProblem,
            "pyyaml is needed, but requirements.txt does not pin it",
        ),
        (
            "import scripts.tool\n",
            BuildError,
            "hello reaches scripts/__init__.py, which never ships",
        ),
    ],
)
def test_an_import_that_cannot_be_staged_is_named(
    code: str, failure: type[Exception], problem: str, project: Project
) -> None:
    root = project()
    write(root, "functions/hello/index.py", code)
    write(root, "scripts/__init__.py", "")
    write(root, "scripts/tool.py", "")

    with pytest.raises(failure) as caught:
        build(root, compiled=False)

    assert str(caught.value) == problem


@pytest.mark.parametrize(
    ("pins", "problem"),
    [
        (
            PINS.replace("h11==0.16.0", "h11==0.7"),
            "uvicorn-0.54.0-py3-none-any.whl needs h11>=0.8, the pin is h11==0.7",
        ),
        (
            PINS.replace("h11==0.16.0", "h11>=0.16.0"),
            "requirements.txt:2: h11>=0.16.0 must pin one version with ==",
        ),
        (
            PINS.replace("h11==0.16.0  # uvicorn\n", ""),
            "h11 is needed, but requirements.txt does not pin it",
        ),
    ],
)
def test_pins_that_do_not_fit_are_named(
    pins: str, problem: str, project: Project, shelf: Path
) -> None:
    make_wheel(shelf, "h11", "0.7", [])
    root = project(talk=True)
    pin(root, shelf, pins)

    with pytest.raises(WheelProblem) as caught:
        build(root, compiled=False)

    assert str(caught.value) == problem


def test_what_is_published_as_source_only_is_built_without_a_compiler(
    project: Project, shelf: Path, tmp_path: Path
) -> None:
    root = project()
    make_source(shelf, tmp_path / "source", BACKEND)
    pin(root, shelf, PINS + "oss2==2.19.1  # storage\n")
    write(root, "functions/hello/index.py", "import oss2\n")

    (hello,) = build(root, ["hello"], compiled=False)

    assert hello.distributions == ("oss2",)
    assert (root / ".build/hello/oss2/__init__.py").is_file()


def test_a_source_that_gives_a_wheel_for_one_platform_is_refused(
    project: Project, shelf: Path, tmp_path: Path
) -> None:
    root = project()
    make_source(shelf, tmp_path / "source", BACKEND.replace('"false"', '"cc"'))
    pin(root, shelf, PINS + "oss2==2.19.1  # storage\n")
    write(root, "functions/hello/index.py", "import oss2\n")

    with pytest.raises(WheelProblem, match=r"linux_x86_64\.whl was to be built from source"):
        build(root, ["hello"], compiled=False)


def test_a_wheel_that_nobody_has_is_reported_in_the_words_of_pip(
    project: Project, shelf: Path
) -> None:
    root = project(talk=True)
    pin(root, shelf, PINS.replace("click==8.5.1", "click==8.5.99"))

    with pytest.raises(WheelProblem, match=r"No matching distribution found for click==8\.5\.99"):
        build(root, compiled=False)


def test_a_pin_that_is_not_locked_is_named(project: Project) -> None:
    root = project(talk=True)
    write(root, "requirements.txt", PINS.replace("click==8.5.1", "click==8.5.2"))

    with pytest.raises(WheelProblem, match=r"click==8\.5\.2 has no hashes yet: run scripts/lock"):
        build(root, compiled=False)


def test_a_wheel_that_is_not_the_locked_one_is_refused(project: Project, shelf: Path) -> None:
    root = project(talk=True)
    make_wheel(shelf, "click", "8.5.1", ["colorama"])

    with pytest.raises(WheelProblem, match="DO NOT MATCH THE HASHES"):
        build(root, compiled=False)


def test_a_source_that_is_not_the_locked_one_is_refused(
    project: Project, shelf: Path, tmp_path: Path
) -> None:
    root = project()
    make_source(shelf, tmp_path / "source", BACKEND)
    pin(root, shelf, PINS + "oss2==2.19.1  # storage\n")
    make_source(shelf, tmp_path / "source", BACKEND + "# changed\n")
    write(root, "functions/hello/index.py", "import oss2\n")

    with pytest.raises(WheelProblem, match="DO NOT MATCH THE HASHES"):
        build(root, ["hello"], compiled=False)


def test_a_downloaded_wheel_that_was_changed_is_replaced(project: Project, shelf: Path) -> None:
    root = project(talk=True)
    build(root, compiled=False)
    (kept,) = root.rglob("click-8.5.1-*.whl")
    content = kept.read_bytes()
    make_wheel(kept.parent, "click", "8.5.1", ["colorama"])

    build(root, compiled=False)

    assert kept.read_bytes() == content


def test_a_handler_in_no_file_is_named_with_its_line(project: Project) -> None:
    root = project()
    (root / "functions/hello/index.py").unlink()

    with pytest.raises(BuildError) as caught:
        build(root, compiled=False)

    assert str(caught.value) == (
        "s.yaml:7: functions.hello.index.handler is in no file of this project"
    )
