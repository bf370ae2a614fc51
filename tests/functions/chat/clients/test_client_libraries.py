"""The OpenAI-compatible API through the libraries that people use: structured output and tools.

Each script beside this file is a client of one library, and prints what it got as one line of
JSON. The model is a fake that calls tools, keeps to schemas, and refuses what OpenAI refuses.
Every call of a library is one call of the model and one charge.
"""

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from shared.database.transactions import read
from tests.client_python import client_python
from tests.fakes.upstream import Upstream
from tests.functions.conftest import Pair, SignUp
from tests.ledger_checks import adds_up
from tests.npm import folder_with
from tests.patience import HANG_SECONDS
from tests.people import paying
from tests.web import WebFunction, serving

PACKAGES = ("ai@6.0.326", "@ai-sdk/openai-compatible@2.0.92", "zod@4.6.7")
SCRIPTS = Path(__file__).parent
WEATHER = {"city": "杭州", "degrees": 7}
SAID = "It is sunny in 杭州."
SPENT_FEN = 100  # for each call

# What each script prints, and the calls of the model for it.
EXPECTED: dict[str, tuple[dict[str, object], int]] = {
    "openai_python.py": (
        {
            **dict.fromkeys(("parsed", "parsed stream", "parsed call"), WEATHER),
            **dict.fromkeys(("tool result", "streamed tool result"), "It is sunny."),
            "refusal": ["unsupported_parameter", "n"],
        },
        7,
    ),
    "langchain.py": (
        {
            **dict.fromkeys(("json_schema", "function_calling"), WEATHER),
            **dict.fromkeys(("tool result", "streamed tool result"), SAID),
        },
        6,
    ),
    "instructor_client.py": (dict.fromkeys(("TOOLS", "JSON", "JSON_SCHEMA"), WEATHER), 3),
    "litellm_client.py": (
        {
            "text": "It is sunny.",
            **dict.fromkeys(("call", "streamed call", "schema"), WEATHER),
        },
        4,
    ),
    "agents_client.py": (
        {"tool result": SAID, "streamed tool result": SAID, "typed": WEATHER},
        5,
    ),
    "ai_sdk.mjs": (
        {"object": WEATHER, "tool result": SAID, "streamed tool result": SAID},
        5,
    ),
}


@pytest.fixture(scope="session")
def python() -> Path:
    return client_python()


@pytest.fixture(scope="session")
def node_folder() -> Path:
    return folder_with("npm-clients", *PACKAGES)


@pytest.fixture
def web(pair: Pair) -> Iterator[WebFunction]:
    """An instance with the default number of concurrent answers."""
    with serving("chat", **{**pair[0].variables, "MAX_STREAMS_PER_USER": "3"}) as web:
        yield web


@pytest.mark.parametrize("script", EXPECTED)
def test_a_library_gets_what_it_asks_for_and_pays_once_for_each_call(
    script: str, web: WebFunction, join: SignUp, fake: Upstream, request: pytest.FixtureRequest
) -> None:
    anna = paying(join(), 10_000)
    before = read(adds_up, anna.id)
    if script.endswith(".mjs"):
        folder = request.getfixturevalue("node_folder")
        command = ["node", shutil.copy(SCRIPTS / script, folder)]  # packages are looked for beside
    else:
        command = [str(request.getfixturevalue("python")), str(SCRIPTS / script)]

    done = subprocess.run(
        [*command, f"{web.base}/v1", anna.token, "scenario: obedient"],
        capture_output=True,
        text=True,
        timeout=HANG_SECONDS,
        check=False,
    )

    result, calls = EXPECTED[script]
    assert done.returncode == 0, done.stderr
    printed: Any = json.loads(done.stdout.splitlines()[-1])
    assert printed == result
    assert len(fake.requests) == calls
    after = read(adds_up, anna.id)
    assert (before.balance_fen - after.balance_fen, after.open_turns) == (SPENT_FEN * calls, 0)
