"""`scripts/mutate`: which mutants the tests of a small tree catch, on a copy of it."""

import re
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from scripts.tooling.environment import ROOT
from tests.patience import HANG_SECONDS

FILES = {
    "caught.py": "def double(n):\n    return n + n\n",
    "test_caught.py": "from caught import double\n\n\ndef test_it():\n    assert double(2) == 4\n",
    "survived.py": "def is_grown(age):\n    return age > 17\n",
    "test_survived.py": (
        "from survived import is_grown\n\n\n"
        "def test_it():\n    assert [is_grown(age) for age in (3, 30)] == [False, True]\n"
    ),
    "equal.py": "def larger(a, b):\n    return a if a > b else b\n",
    "test_equal.py": (
        "from equal import larger\n\n\n"
        "def test_it():\n    assert (larger(1, 2), larger(2, 1), larger(1, 1)) == (2, 2, 1)\n"
    ),
    "endless.py": "def drain(items):\n    while items:\n        items.pop()\n",
    "test_endless.py": (
        "from endless import drain\n\n\n"
        "def test_it():\n    items = [1]\n    drain(items)\n    assert items == []\n"
    ),
    "tests/mutation.yaml": """
tests:
  caught.py: [test_caught.py]
  survived.py: [test_survived.py]
  equal.py: [test_equal.py]
  endless.py: [test_endless.py]
equivalent:
  - module: equal.py
    function: larger
    before: return a if a > b else b
    after: return a if a >= b else b
    reason: Of two equal numbers both are the larger one.
""",
}
# One process for both tests, as of a server, and a note of each test that runs.
SIDES = """
import subprocess, sys
import pytest

LOOP = "import sys, sides\\nfor name in sys.stdin: print(vars(sides)[name.strip()](), flush=1)"

@pytest.fixture(scope="module")
def server():
    command = [sys.executable, "-c", LOOP]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, text=True, bufsize=1, **pipes) as process:
        yield process

@pytest.mark.parametrize(("name", "result"), [("left", "1"), ("right", "2")])
def test_it(server, name, result):
    print(name, file=open(RUNS, "a"))
    print(name, file=server.stdin, flush=True)
    assert server.stdout.readline().strip() == result
"""
SQL = '''
def take(db, subject, limit):
    return db.execute(
        f"""
        UPDATE counts
        SET used = used + 1
        WHERE subject = :subject AND (used < :limit OR {limit} IS NULL)
        /*! FOR UPDATE */
        """
    )
'''
ASYNC = """
async def save(rows, most=20, *, name="draft"):
    try:
        await rows.flush()
    except OSError:
        return not rows
    rows.is_saved = True
    return rows and most - 1
"""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    return planted(tmp_path, FILES)


def planted(root: Path, files: Mapping[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    return root


def mutate(root: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        ["scripts/mutate", "--root", root, "--grace", "5", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=2 * HANG_SECONDS,
        check=False,
    )


def listed(root: Path, source: str) -> set[str]:
    """The changed lines of all mutants of a module."""
    planted(
        root,
        {"one.py": source, "tests/mutation.yaml": "tests: {one.py: [one.py]}\n"},
    )
    done = mutate(root, "--list")
    assert done.returncode == 0, done.stderr
    return set(re.findall(r"^\+ (.*)", done.stdout, re.MULTILINE))


def test_each_mutant_is_caught_or_named_and_the_tree_is_not_touched(tree: Path) -> None:
    done = mutate(tree, "--workers", "2")

    assert done.returncode == 1, done.stderr
    rows = [line.split() for line in done.stdout.splitlines()]
    assert rows[-5:] == [
        ["caught.py", "2", "2", "0", "0", "0", "100.0%"],
        ["endless.py", "2", "1", "1", "0", "0", "100.0%"],
        ["equal.py", "3", "2", "0", "1", "0", "100.0%"],
        ["survived.py", "5", "2", "0", "0", "3", "40.0%"],
        ["total", "12", "7", "1", "1", "3", "75.0%"],
    ]
    survivors = re.findall(
        r"^survived.py:2 is_grown\n- return age > 17\n\+ (.*)$", done.stdout, re.MULTILINE
    )
    assert survivors == ["return age >= 17", "return age > 16", "return age > 18"]
    assert {name: (tree / name).read_text() for name in FILES} == FILES


def test_a_mutant_gets_only_the_tests_of_its_statement_which_may_run_in_another_process(
    tree: Path, tmp_path: Path
) -> None:
    runs = tmp_path / "runs"
    planted(
        tree,
        {
            "sides.py": "def left():\n    return 1\n\n\ndef right():\n    return 2\n",
            "test_sides.py": SIDES.replace("RUNS", repr(str(runs))),
            "tests/mutation.yaml": "tests: {sides.py: [test_sides.py]}\n",
        },
    )

    done = mutate(tree)

    assert done.stdout.splitlines()[-1].split()[:3] == ["total", "6", "6"], done.stderr
    assert runs.read_text().split() == ["left", "right", *["left"] * 3, *["right"] * 3]


def test_a_run_without_survivors_succeeds(tree: Path) -> None:
    done = mutate(tree, "caught.py")

    assert (done.returncode, done.stdout.splitlines()[-1].split()[:3]) == (0, ["total", "2", "2"])


def test_an_equivalent_mutant_is_known_wherever_it_moves(tree: Path) -> None:
    planted(tree, {"equal.py": f"LARGE = None\n\n\n{FILES['equal.py']}"})

    done = mutate(tree, "equal.py")

    assert (done.returncode, done.stderr.count("equivalent equal.py:5 larger")) == (0, 1)


@pytest.mark.parametrize(
    ("files", "named"),
    [
        ({"equal.py": "def larger(a, b):\n    return max(a, b)\n"}, "equal.py has no such mutant"),
        ({"caught.py": "def double(n):\n    return n\n"}, "assert 2 == 4"),
        ({"tests/mutation.yaml": "tests: {}"}, "names no tests for caught.py"),
        (
            {"tests/mutation.yaml": "tests: {caught.py: [x.py]}"},
            "tests that are missing: x.py",
        ),
    ],
    ids=["not-equivalent-any-more", "tests-fail-without-a-mutant", "no-tests", "missing-tests"],
)
def test_what_cannot_be_judged_is_named(tree: Path, files: dict[str, str], named: str) -> None:
    planted(tree, files)

    done = mutate(tree, "equal.py" if "equal.py" in files else "caught.py")

    assert done.returncode == 2
    assert named in done.stderr


def test_a_sample_is_the_same_for_the_same_seed_and_spread_over_the_modules(tree: Path) -> None:
    first, again, other = (
        mutate(tree, "--list", "--sample", "4", "--seed", seed).stdout for seed in "778"
    )

    assert first == again != other
    assert re.findall(r"^(\w+)\.py:", first, re.MULTILINE) == [
        "caught",
        "endless",
        "equal",
        "survived",
    ]


def test_the_lists_of_this_project_are_current() -> None:
    done = mutate(ROOT, "--list")

    assert (done.returncode, done.stderr) == (0, "")


def test_mistakes_in_sql_are_made_in_its_conditions(tmp_path: Path) -> None:
    assert listed(tmp_path, SQL) >= {
        "SET used = used - 1",
        "WHERE subject <> :subject AND (used < :limit OR {limit} IS NULL)",
        "WHERE 1 = 1 AND (used < :limit OR {limit} IS NULL)",
        "WHERE subject = :subject AND 1 = 1",
        "WHERE subject = :subject OR (used < :limit OR {limit} IS NULL)",
        "WHERE subject = :subject AND (used <= :limit OR {limit} IS NULL)",
        "WHERE subject = :subject AND (1 = 1 OR {limit} IS NULL)",
        "WHERE subject = :subject AND (used < :limit AND {limit} IS NULL)",
        "WHERE subject = :subject AND (used < :limit OR {limit} IS NOT NULL)",
    }


def test_mistakes_in_python_are_made_where_it_runs(tmp_path: Path) -> None:
    assert listed(tmp_path, ASYNC) == {
        'async def save(rows, most=21, *, name="draft"):',
        'async def save(rows, most=19, *, name="draft"):',
        'async def save(rows, most=20, *, name=""):',
        "pass",
        "except ():",
        "return None",
        "return rows",
        "rows.is_saved = False",
        "return rows or most - 1",
        "return rows and most + 1",
        "return rows and most - 2",
        "return rows and most - 0",
    }
