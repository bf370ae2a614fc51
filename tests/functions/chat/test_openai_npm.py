"""The OpenAI-compatible API through OpenAI's JavaScript SDK, as it comes from npm."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.upstream import COMPLETION_TOKENS, PROMPT_TOKENS, SENTENCE
from tests.functions.conftest import Pair, SignUp
from tests.npm import folder_with
from tests.patience import HANG_SECONDS
from tests.people import grant, use_up
from tests.web import WebFunction, serving

SDK = "openai@7.57.0"
SCRIPT = Path(__file__).with_name("openai_npm.mjs")
USAGE = {
    "prompt_tokens": PROMPT_TOKENS,
    "completion_tokens": COMPLETION_TOKENS,
    "total_tokens": PROMPT_TOKENS + COMPLETION_TOKENS,
    "prompt_tokens_details": {"cached_tokens": 0},
}


@pytest.fixture(scope="module")
def folder() -> Path:
    return folder_with(SDK, SDK)


@pytest.fixture
def web(pair: Pair) -> Iterator[WebFunction]:
    """An instance with the default number of concurrent answers."""
    with serving("chat", **{**pair[0].variables, "MAX_STREAMS_PER_USER": "3"}) as web:
        yield web


def test_the_sdk_of_npm_works_unchanged(folder: Path, web: WebFunction, join: SignUp) -> None:
    rich, poor = join(), join()
    grant(rich, 10_000)
    use_up(poor)
    script = shutil.copy(SCRIPT, folder)  # modules are looked for beside the script

    done = subprocess.run(
        ["node", script, f"{web.base}/v1", rich.token, poor.token, "nonsense"],
        capture_output=True,
        text=True,
        timeout=HANG_SECONDS,
    )

    def refused(kind: str, status: int, code: str, type_: str) -> dict[str, Any]:
        return {"class": kind, "status": status, "code": code, "type": type_}

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {
        "whole": {"text": SENTENCE, "usage": USAGE},
        "streamed": {"text": SENTENCE, "reason": "stop", "usage": USAGE},
        "models": ["test-model"],
        "wrongKey": refused("AuthenticationError", 401, "invalid_token", "authentication_error"),
        "noBalance": refused("APIError", 402, "insufficient_balance", "insufficient_quota"),
        "noSuchModel": refused("NotFoundError", 404, "model_not_found", "invalid_request_error"),
        "badRequest": refused("BadRequestError", 400, "invalid_request", "invalid_request_error"),
        "tooMany": refused("RateLimitError", 429, "too_many_streams", "rate_limit_error"),
    }
