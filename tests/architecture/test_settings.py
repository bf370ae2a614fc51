"""Every setting is documented once, and every pin says why it is there."""

import re
from collections.abc import Iterator
from pathlib import Path

from tests.architecture.settings_source import declared

ROOT = Path(__file__).resolve().parents[2]


def test_env_example_lists_every_variable() -> None:
    documented = entries((ROOT / ".env.example").read_text(encoding="utf-8"))

    assert sorted(canonical(ROOT) - documented.keys()) == []


def test_env_example_lists_what_the_manifest_asks_for() -> None:
    documented = entries((ROOT / ".env.example").read_text(encoding="utf-8"))

    assert sorted(asked_by_manifest(ROOT) - aliases(ROOT) - documented.keys()) == []


def test_env_example_lists_nothing_that_nobody_reads() -> None:
    documented = entries((ROOT / ".env.example").read_text(encoding="utf-8"))
    known = canonical(ROOT) | aliases(ROOT) | asked_by_manifest(ROOT) | read_by_commands(ROOT)

    unknown = [f".env.example:{line}: {n}" for n, line in documented.items() if n not in known]

    assert unknown == []


def test_env_example_names_every_alias() -> None:
    text = (ROOT / ".env.example").read_text(encoding="utf-8")

    assert sorted(alias for alias in aliases(ROOT) if not re.search(rf"\b{alias}\b", text)) == []


def test_env_example_holds_no_secret() -> None:
    text = (ROOT / ".env.example").read_text(encoding="utf-8")

    filled = re.findall(r"(?m)^\w*(?:SECRET|PASSWORD|KEY)=(?=\S).*$", text)

    assert filled == []


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


def entries(text: str) -> dict[str, int]:
    """`NAME=` lines, those behind a comment sign too, with their lines."""
    lines = enumerate(text.splitlines(), 1)
    found = ((re.match(r"(?:# ?)?([A-Z][A-Z0-9_]+)=", line), number) for number, line in lines)
    return {match[1]: number for match, number in found if match}


def canonical(root: Path) -> set[str]:
    return {setting.name for setting in declared(root)}


def aliases(root: Path) -> set[str]:
    return {alias for setting in declared(root) for alias in setting.aliases} | {"NODE_ENV"}


def asked_by_manifest(root: Path) -> set[str]:
    return set(re.findall(r"env\('(\w+)'", (root / "s.yaml").read_text(encoding="utf-8")))


def read_by_commands(root: Path) -> set[str]:
    found = set()
    for file in sorted((root / "scripts").rglob("*")):
        if file.is_file() and "__pycache__" not in file.parts:
            text = file.read_text(encoding="utf-8")
            found |= set(re.findall(r"environ(?:\.get\(|\[|\.setdefault\()\"([A-Z_]+)\"", text))
    return found


def bad_pins(text: str) -> Iterator[str]:
    pin = re.compile(r"[\w.-]+==[\w.]+(?:; [^#]+)?\s+# \w.*")
    for number, line in enumerate(text.splitlines(), 1):
        if line and not line.startswith("#") and not pin.fullmatch(line):
            yield f"requirements.txt:{number}: {line}"
