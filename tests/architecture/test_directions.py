"""Rules for imports: their directions, and modules without I/O."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from scripts.tooling.environment import ROOT
from scripts.tooling.gate.rules import directions
from scripts.tooling.gate.rules.directions import PURE


@pytest.mark.parametrize("check", directions.CHECKS, ids=lambda check: check.__name__)
def test_the_house_stands(check: Callable[[Path], Iterator[str]]) -> None:
    assert "\n".join(check(ROOT)) == ""


def test_a_wrong_direction_is_named_with_its_line(tmp_path: Path) -> None:
    _write(tmp_path, "functions/a/index.py", "from functions.b import index\n")
    _write(tmp_path, "functions/b/index.py", "from shared.errors import AppError\n")
    _write(tmp_path, "shared/database/threads.py", "def late():\n    import scripts.tooling\n")
    _write(tmp_path, "shared/errors.py", "from . import ids\n")
    _write(tmp_path, "shared/ids.py", "import shared.web.endpoint\n")
    _write(tmp_path, "shared/repos/users.py", "from functions.b import index\nimport shared.log\n")
    _write(tmp_path, "shared/repos/exports.py", "from shared.exports import columns\n")
    _write(tmp_path, "shared/exports/columns.py", "from shared.repos import users\n")
    _write(tmp_path, "shared/web/endpoint.py", "import os\nimport oss2\n")
    _write(tmp_path, "shared/web_tools/a.py", "")
    _write(tmp_path, "shared/log.py", "")
    _write(tmp_path, "scripts/tooling.py", "")

    assert list(directions.wrong_imports(tmp_path)) == [
        "functions/a/index.py:1: a function must not import functions.b.index",
        "shared/database/threads.py:2: the product must not import scripts.tooling",
        "shared/errors.py:1: errors.py must not import shared.ids",
        "shared/ids.py:1: ids must not import shared.web.endpoint",
        "shared/repos/exports.py:1: repos must not import shared.exports.columns",
        "shared/repos/users.py:1: shared must not import functions.b.index",
        "shared/repos/users.py:2: repos must not import shared.log",
        "shared/web/endpoint.py:2: only shared/storage/oss_bucket.py may import oss2",
    ]
    assert list(directions.wings_without_a_line(tmp_path)) == [
        "shared/web_tools: scripts.tooling.gate.rules.directions does not say what it may import"
    ]


@pytest.mark.parametrize("library", ["socket", "urllib.request"])
def test_io_is_named_with_the_way_to_it(library: str, tmp_path: Path) -> None:
    _write(tmp_path, "functions/a/index.py", "import socket\n")
    _write(tmp_path, "functions/a/logic.py", f'"""Who. {PURE}"""\nfrom shared.web import a\n')
    _write(tmp_path, "functions/b/logic.py", f'"""Who. {PURE}"""\nimport urllib.parse\n')
    _write(tmp_path, "shared/web/a.py", "def late():\n    from shared.web import b\n")
    _write(tmp_path, "shared/web/b.py", f"import json\nimport {library}\n")

    assert list(directions.impurities(tmp_path)) == [
        f'functions/a/logic.py: says "{PURE}", but shared/web/b.py:2 imports {library}'
    ]


def test_a_decision_that_does_not_say_so_is_named(tmp_path: Path) -> None:
    _write(tmp_path, "functions/a/logic.py", '"""Who may come in."""\n')

    assert list(directions.decisions_that_may_do_io(tmp_path)) == [
        f'functions/a/logic.py: its docstring must say "{PURE}"'
    ]


def test_a_module_that_reads_the_environment_is_named_with_its_line(tmp_path: Path) -> None:
    _write(tmp_path, "functions/a/index.py", "import os\n\nKEY = os.environ['KEY']\n")
    _write(tmp_path, "shared/config.py", "import os\n\nos.environ\n")
    _write(tmp_path, "shared/database/mysql.py", "from os import getenv\n")

    assert list(directions.environment_readers(tmp_path)) == [
        "functions/a/index.py:3: only shared/config.py reads the environment",
        "shared/database/mysql.py:1: only shared/config.py reads the environment",
    ]


def test_an_init_file_that_imports_is_named(tmp_path: Path) -> None:
    _write(tmp_path, "shared/web/endpoint.py", "")
    (tmp_path / "shared/web/__init__.py").write_text("from shared.web import endpoint\n")

    assert list(directions.filled_init_files(tmp_path)) == ["shared/web/__init__.py: must be empty"]


def _write(root: Path, place: str, text: str) -> None:
    file = root / place
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    for folder in [file.parent, *file.parent.parents]:
        if folder != root and folder.is_relative_to(root):
            (folder / "__init__.py").touch()
