"""Service tokens: each starts one worker on one subject."""

import time
from typing import Any

import jwt
import pytest

from shared import settings
from shared.accounts.tokens import Claims, issue_access, read_access
from shared.config import load
from shared.errors import InvalidToken, TokenExpired
from shared.workers.worker import issue_service_token, read_service_token

pytestmark = pytest.mark.usefixtures("configure")

ANNA = Claims("01ANNA", "01SESSION", "user")


def signed(payload: dict[str, Any]) -> str:
    return jwt.encode(payload, load(settings.Tokens).secret.reveal(), "HS256")


def test_a_token_between_functions_is_for_one_worker_one_thing_and_a_quarter_of_an_hour() -> None:
    token = issue_service_token("export-worker", "01EXPORT")
    held = jwt.decode(token, options={"verify_signature": False})

    assert read_service_token("export-worker", token) == "01EXPORT"
    assert held["exp"] - held["iat"] == 900
    with pytest.raises(InvalidToken):
        read_service_token("another-worker", token)
    with pytest.raises(InvalidToken):
        read_access(token)
    with pytest.raises(InvalidToken):
        read_service_token("export-worker", issue_access(ANNA))
    with pytest.raises(TokenExpired):
        read_service_token("export-worker", signed({**held, "exp": int(time.time()) - 1}))
