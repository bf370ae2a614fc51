"""Rules of this project: a violation is reported with file, line and problem."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from scripts.tooling.environment import ROOT
from scripts.tooling.gate.rules import (
    changelog,
    directions,
    endpoints,
    locks,
    manifest,
    module_map,
    personal_data,
    settings,
)
from scripts.tooling.gate.rules.__main__ import found_by
from scripts.tooling.manifest.s_yaml import ManifestError

TABLES = (*endpoints.API_TABLES, endpoints.FAIR_REQUESTS)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of the files that the rules read, for a test to change."""
    for folder in ("functions", "shared", "scripts/migrations", "scripts/locks"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    for name in (
        *("s.yaml", ".env.example", "CHANGELOG.md", "pyproject.toml"),
        *(endpoints.FAIR_REQUESTS, endpoints.COLD_STARTS),
        *("requirements.txt", "requirements-serve.txt", "requirements-dev.txt"),
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def replace(file: Path, old: str, new: str) -> None:
    text = file.read_text("utf-8")
    assert old in text
    file.write_text(text.replace(old, new, 1), "utf-8")


@pytest.mark.parametrize(
    "check",
    [
        *endpoints.CHECKS,
        *personal_data.CHECKS,
        *module_map.CHECKS,
        *changelog.CHECKS,
        *locks.CHECKS,
    ],
    ids=lambda check: check.__name__,
)
def test_the_tree_keeps_the_rules(check: endpoints.Check) -> None:
    assert list(check(ROOT)) == []


def test_a_new_endpoint_is_missed_everywhere_it_belongs(tree: Path) -> None:
    """The function is only a folder: no resource, event file, table row or route."""
    (tree / "functions/zz_example").mkdir()
    (tree / "functions/zz_example/__init__.py").touch()
    (tree / "functions/zz_example/index.py").write_text("")
    text = (tree / "s.yaml").read_text("utf-8")

    assert list(endpoints.functions_without_a_file(tree)) == [
        "functions/zz_example: has no event.json"
    ]
    assert list(endpoints.functions_without_cold_start(tree)) == [
        f"functions/zz_example: LOADED in {endpoints.COLD_STARTS} has no line for it"
    ]
    assert list(manifest.folders_without_resource(text, tree)) == [
        "functions/zz_example: s.yaml has no such resource"
    ]


def test_an_endpoint_without_row_route_or_fair_request_is_named(tree: Path) -> None:
    code = tree / "functions/credits/index.py"
    before = code.read_text("utf-8")
    code.write_text(
        before.replace(
            "\n\nhandler = serve(",
            '\n\n@endpoint("POST", "/api/credits/gift")\n'
            "def gift(request: Request) -> Response:\n    return Response.ok({})\n\n\n"
            "handler = serve(gift, ",
        )
    )
    line = before[: before.index("\n\nhandler = serve(")].count("\n") + 3
    at = f"functions/credits/index.py:{line}"
    text = (tree / "s.yaml").read_text("utf-8")

    assert list(endpoints.api_tables_that_disagree(tree)) == [
        f"{at}: {table} has no row for POST /api/credits/gift of credits"
        for table in endpoints.API_TABLES
    ]
    assert list(endpoints.writing_routes_without_a_fair_request(tree)) == [
        f"{at}: {endpoints.FAIR_REQUESTS} has no request for POST /api/credits/gift"
    ]
    assert f"{at}: s.yaml has no route to POST /api/credits/gift" in list(
        manifest.methods_and_paths_that_disagree(text, tree)
    )


def test_a_package_without_its_init_file_is_named(tree: Path) -> None:
    (tree / "functions/credits/__init__.py").unlink()

    assert list(endpoints.functions_without_a_file(tree)) == [
        "functions/credits: has no __init__.py"
    ]


def test_an_event_that_nothing_answers_is_named(tree: Path) -> None:
    shutil.copy(tree / "functions/health/event.json", tree / "functions/credits/event.json")

    assert list(endpoints.events_that_nothing_answers(tree)) == [
        "functions/credits/event.json: credits does not answer GET /api/health"
    ]


def test_a_migration_that_the_code_does_not_count_on_is_named(tree: Path) -> None:
    (tree / "scripts/migrations/9999_zz.sql").write_text("SELECT 1;\n")

    (line,) = changelog.schemas_that_disagree(tree)

    assert re.sub(r"is \d+,", "is N,", line) == (
        "shared/version.py: SCHEMA_VERSION is N, the last migration is 9999_zz.sql"
    )


def test_a_manifest_that_cannot_be_read_does_not_silence_the_other_rules() -> None:
    def unreadable() -> list[str]:
        raise ManifestError("s.yaml:3: broken")

    assert found_by(unreadable) == ["s.yaml:3: broken"]


@pytest.mark.parametrize("table", endpoints.API_TABLES)
def test_a_row_that_promises_too_much_is_named(table: str, tree: Path) -> None:
    replace(tree / table, "| POST `/api/chat/stop` |", "| POST, PUT `/api/chat/stop` |")

    (found,) = endpoints.api_tables_that_disagree(tree)

    assert re.sub(r":\d+:", ":N:", found) == f"{table}:N: chat does not answer PUT /api/chat/stop"


def test_a_row_lists_methods_and_paths(tmp_path: Path) -> None:
    file = tmp_path / "README.md"
    file.write_text(
        "| method | function |\n"
        "| GET `/a`, `/b` | `one` | text `/c` |\n"
        "| GET、PATCH `/d`、DELETE `/d/{id}` | `two` | |\n"
    )

    assert [(row.function, row.method, row.path, row.line) for row in endpoints.rows_of(file)] == [
        ("one", "GET", "/a", 2),
        ("one", "GET", "/b", 2),
        ("two", "GET", "/d", 3),
        ("two", "PATCH", "/d", 3),
        ("two", "DELETE", "/d/{id}", 3),
    ]


@pytest.mark.parametrize("column", ["user_id", "owner_id", "approved_by", "subject"])
def test_a_table_of_personal_data_must_be_copied_and_erased(column: str, tree: Path) -> None:
    (tree / "scripts/migrations/9999_zz_examples.sql").write_text(
        "CREATE TABLE IF NOT EXISTS zz_examples (\n"
        f"    id CHAR(26) NOT NULL,\n    {column} CHAR(26)\n);\n"
    )
    place = (
        f"scripts/migrations/9999_zz_examples.sql:3: zz_examples.{column} is a user's,"
        " but zz_examples is not"
    )

    assert [
        line.partition(" not ")[0] + " not" for line in personal_data.tables_not_copied(tree)
    ] == [place]
    assert [
        line.partition(" not ")[0] + " not" for line in personal_data.tables_not_erased(tree)
    ] == [place]


def test_a_column_added_later_counts_too(tree: Path) -> None:
    (tree / "scripts/migrations/9999_models.sql").write_text(
        "ALTER TABLE models ADD COLUMN owner_id CHAR(26);\n"
    )

    assert [line.partition(",")[0] for line in personal_data.tables_not_copied(tree)] == [
        "scripts/migrations/9999_models.sql:1: models.owner_id is a user's"
    ]


def test_a_table_that_is_no_longer_erased_is_named(tree: Path) -> None:
    replace(tree / "shared/accounts/erasure.py", "    conversations.remove_all(db, user_id)\n", "")

    (line,) = personal_data.tables_not_erased(tree)

    assert "conversations.user_id is a user's" in line


def test_a_table_that_is_no_longer_copied_is_named(tree: Path) -> None:
    copy = tree / personal_data.COPY
    admins, mark, own = copy.read_text("utf-8").partition("\nOWN_DATASETS")
    copy.write_text(admins + mark + own.replace('    "orders": money_datasets.ORDERS,\n', ""))

    (line,) = personal_data.tables_not_copied(tree)

    assert "orders.user_id is a user's" in line


def test_an_exemption_without_need_is_named(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(personal_data.NOT_ERASED, "sessions", "kept for fun")
    monkeypatch.setitem(personal_data.NOT_ERASED, "models", "no table of a user")

    assert [line.partition(": ")[2] for line in personal_data.tables_not_erased(tree)] == [
        "sessions is exempt without need",
        "models is exempt, but there is no such table with a user's id",
    ]


@pytest.fixture
def repository(tree: Path) -> Path:
    _git(tree, "init", "--quiet")
    _git(tree, "add", "--all")
    _git(tree, "commit", "--quiet", "--message", "Begin")
    return tree


def _git(root: Path, *arguments: str) -> None:
    identity = ["-c", "user.name=Test", "-c", "user.email=test@example.com"]
    subprocess.run(["git", "-C", str(root), *identity, *arguments], check=True, timeout=60)


def test_a_new_name_without_an_entry_in_the_changelog_is_named(repository: Path) -> None:
    with (repository / ".env.example").open("a") as file:
        file.write("NOTES_LIMIT=\n")
    replace(repository / "s.yaml", "- path: /api/chat/stop", "- path: /api/chat/end")

    assert list(changelog.names_without_an_entry(repository)) == [
        "CHANGELOG.md: has no entry since /api/chat/end came into s.yaml",
        "CHANGELOG.md: has no entry since /api/chat/stop went from s.yaml",
        "CHANGELOG.md: has no entry since NOTES_LIMIT came into .env.example",
    ]

    replace(repository / "CHANGELOG.md", "\n- ", "\n- Notes have a limit.\n- ")
    assert list(changelog.names_without_an_entry(repository)) == []
    _git(repository, "add", "--all")
    _git(repository, "commit", "--quiet", "--message", "Limit notes")
    assert list(changelog.names_without_an_entry(repository)) == []


def test_versions_and_empty_releases_are_named(tree: Path) -> None:
    version = changelog.version_of(tree)
    replace(tree / "CHANGELOG.md", f"## {version}\n", f"## 99.0.0\n\n## {version}\n")
    replace(tree / "pyproject.toml", f'version = "{version}"', 'version = "1.0.0"')

    assert list(changelog.versions_that_disagree(tree)) == [
        f"pyproject.toml: says 1.0.0, shared/version.py says {version}",
        f"CHANGELOG.md: begins with 99.0.0, shared/version.py says {version}",
    ]
    assert list(changelog.empty_releases(tree)) == ["CHANGELOG.md: 99.0.0 has no entry"]


def test_an_entry_that_a_merge_repeated_is_named(tree: Path) -> None:
    entry = "- Notes have a limit, which is a thousand characters"
    replace(tree / "CHANGELOG.md", "\n- ", f"\n{entry}.\n{entry} of text.\n- ")

    version = changelog.version_of(tree)
    assert list(changelog.repeated_entries(tree)) == [
        f"CHANGELOG.md: {version} says 2 times: Notes have a limit, which is a thousand ..."
    ]


def test_a_module_that_the_map_lacks_is_named_and_written(tree: Path) -> None:
    (tree / "shared/web/caching.py").write_text('"""Caching headers (RFC 9111). Does no I/O."""\n')

    assert list(module_map.maps_out_of_date(tree)) == [
        "shared/README.md: the map is not that of the modules; scripts/check --fix writes it"
    ]

    module_map.write_map(tree)
    assert "| `caching` | Caching headers (RFC 9111) |" in (tree / module_map.DOCUMENT).read_text()
    assert list(module_map.maps_out_of_date(tree)) == []


def test_every_wing_has_its_line_in_the_map() -> None:
    wings = {path.name for path in (ROOT / "shared").iterdir() if any(path.glob("*.py"))}

    assert wings == module_map.WINGS.keys()


def test_the_gate_runs_every_rule() -> None:
    from scripts.tooling.gate.rules import __main__ as gate

    every = {directions, endpoints, manifest, module_map, personal_data, settings, changelog, locks}
    assert {*gate.MODULES, manifest} == every


def test_a_pin_that_is_not_locked_is_named_for_each_lock_that_has_it(tree: Path) -> None:
    replace(tree / "requirements.txt", "pyjwt==", "pyjwt==1")
    replace(tree / "requirements-dev.txt", "pytest==", "pytest==1")

    found = [line.partition("; ")[0] for line in locks.stale_locks(tree)]

    version = re.compile(r"==[\d.]+")
    assert [version.sub("", line) for line in found] == [
        "scripts/locks/requirements-dev.txt: pyjwt is missing",
        "scripts/locks/requirements-dev.txt: pytest is missing",
        "scripts/locks/requirements-serve.txt: pyjwt is missing",
    ]


def test_a_package_without_hashes_is_named(tree: Path) -> None:
    lock = tree / "scripts/locks/uv.txt"
    lock.write_text("uv==1.0\n", "utf-8")

    assert list(locks.packages_without_hashes(tree)) == [
        "scripts/locks/uv.txt: uv==1.0 has no hash; run scripts/lock"
    ]
