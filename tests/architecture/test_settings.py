"""Every setting is documented once, and every pinned package has a reason."""

import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from scripts.tooling.environment import ROOT
from scripts.tooling.gate.rules import settings
from scripts.tooling.gate.rules.settings_source import declared


@pytest.mark.parametrize("check", settings.CHECKS, ids=lambda check: check.__name__)
def test_the_example_is_complete(check: Callable[[Path], Iterator[str]]) -> None:
    assert list(check(ROOT)) == []


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name in ("shared/settings.py", "s.yaml", ".env.example"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def test_what_the_example_lacks_or_has_too_much_is_named(tree: Path) -> None:
    example = tree / ".env.example"
    text = example.read_text("utf-8")
    lines = [line for line in text.splitlines() if not line.startswith(("BCRYPT_COST=", "REGION="))]
    lines = [line.replace("DASHSCOPE_API_KEY", "...") for line in lines]
    lines = ["JWT_SECRET=hunter2" if line.startswith("JWT_SECRET=") else line for line in lines]
    example.write_text("\n".join([*lines, "NOBODY_READS_THIS=", ""]), "utf-8")
    code = (tree / "shared/settings.py").read_text("utf-8")
    declared_at = code[: code.index('"BCRYPT_COST"')].count("\n") + 1

    assert [line for check in settings.CHECKS for line in check(tree)] == [
        f"shared/settings.py:{declared_at}: .env.example does not list BCRYPT_COST",
        "s.yaml: reads REGION, which .env.example does not list",
        f".env.example:{len(lines) + 1}: nothing reads NOBODY_READS_THIS",
        ".env.example: does not name the alias DASHSCOPE_API_KEY",
        ".env.example: JWT_SECRET has a value",
    ]


def test_every_setting_belongs_to_one_section() -> None:
    names = [name for setting in declared(ROOT) for name in (setting.name, *setting.aliases)]

    assert sorted(names) == sorted(set(names))


def test_every_runtime_pin_is_exact_and_has_its_reason() -> None:
    assert list(bad_pins((ROOT / "requirements.txt").read_text(encoding="utf-8"))) == []


def test_a_loose_or_unexplained_pin_is_named_with_its_line() -> None:
    text = "# why\nhttpx==1.0  # the upstream\npydantic>=2  # bodies\n\nbcrypt==5.0.0\n"

    assert list(bad_pins(text)) == [
        "requirements.txt:3: pydantic>=2  # bodies",
        "requirements.txt:5: bcrypt==5.0.0",
    ]


def bad_pins(text: str) -> Iterator[str]:
    pin = re.compile(r"[\w.-]+==[\w.]+(?:; [^#]+)?\s+# \w.*")
    for number, line in enumerate(text.splitlines(), 1):
        if line and not line.startswith("#") and not pin.fullmatch(line):
            yield f"requirements.txt:{number}: {line}"
