"""GET /api/health, /health, / and /api/info."""

import re
from typing import Any

import pytest

from functions.health.index import handler as health
from shared.version import VERSION
from tests.conftest import Configure
from tests.events import Reply, invoke

UNMETERED = {
    "note": "Nothing is counted across instances; each counts in its memory.",
    "per_address": {"messages": 20, "seconds": 3600},
    "per_instance": {"messages": 500, "seconds": 86400},
}


def ask(path: str, method: str = "GET") -> Reply:
    return invoke(health, method, path)


def untimed(reply: Reply) -> Any:
    """The body without its time, which is checked here."""
    body = reply.json
    moment = body["data"].pop("timestamp")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", moment)
    return body


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("path", ["/api/health", "/health", "/"])
def test_a_reachable_database_is_healthy(path: str) -> None:
    reply = ask(path)

    assert reply.status == 200
    assert untimed(reply) == {
        "code": 0,
        "message": "OK",
        "data": {"status": "healthy", "database": "connected"},
        "request_id": "1-event",
    }


@pytest.mark.parametrize("production", [{}, {"APP_ENV": "production"}])
def test_no_database_is_healthy_where_chat_without_one_is_allowed(
    configure: Configure, production: dict[str, str]
) -> None:
    configure(ALLOW_UNMETERED_CHAT="true", **production)

    reply = ask("/api/health")

    assert (reply.status, untimed(reply)["data"]) == (
        200,
        {"status": "healthy", "database": "not_configured"},
    )


def test_a_database_that_is_down_is_503_even_for_clients_that_want_200(
    configure: Configure,
) -> None:
    configure(DATABASE_URL="mysql://me:secret@127.0.0.1:1/shop", ENVELOPE_ALWAYS_200="true")

    reply = ask("/api/health")

    assert reply.status == 503
    assert untimed(reply) == {
        "code": 503,
        "message": "The database is down.",
        "error": "database_unavailable",
        "data": {"status": "unhealthy", "database": "down"},
        "request_id": "1-event",
    }


@pytest.mark.parametrize(
    "variables",
    [{"APP_ENV": "production"}, {"ALLOW_UNMETERED_CHAT": "false"}],
)
def test_no_database_is_503_where_one_is_needed(
    configure: Configure, variables: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    configure(**variables)

    reply = ask("/health")

    assert reply.status == 503
    assert untimed(reply) == {
        "code": 503,
        "message": "This deployment has no database.",
        "error": "database_not_configured",
        "data": {"status": "unhealthy", "database": "not_configured"},
        "request_id": "1-event",
    }
    assert '"error": "database_not_configured"' in capsys.readouterr().out
    assert ask("/api/info").data["features"]["chat"] is False


@pytest.mark.usefixtures("configure")
def test_head_is_enough_for_a_monitor() -> None:
    reply = ask("/health", "HEAD")

    assert (reply.status, reply.body) == (200, b"")


@pytest.mark.parametrize("has_database", [True, False])
def test_info_says_what_is_there(configure: Configure, has_database: bool) -> None:
    configure(
        DATABASE_URL="sqlite:///never-opened.db" if has_database else None,
        ENABLE_INVITE_CODES="true" if has_database else None,
        DAILY_FREE_MESSAGES="7",
        MAX_STREAMS_PER_USER="2",
        PROMPT_TOKENS="5000",
        ALLOWED_FILE_TYPES="image/jpg,application/pdf,image/jpeg",
        MAX_FILE_SIZE="1000",
        UPLOADS_PER_DAY="5",
        UNMETERED_LIMIT=None,
        UNMETERED_TOTAL=None,
    )

    assert ask("/api/info").data == {
        "name": "fc-ai-backend",
        "version": VERSION,
        "features": {
            "chat": True,
            "accounts": has_database,
            "conversations": has_database,
            "export": has_database,
            "admin": has_database,
            "medicines": has_database,
            "locations": has_database,
        },
        "invite_required": has_database,
        "free_messages_per_day": {"user": 7, "guest": 20} if has_database else None,
        "personas": [
            {"type": "default", "title": {"zh": "助手", "en": "Assistant"}},
            {"type": "oracle", "title": {"zh": "神谕", "en": "The Oracle"}},
        ],
        "limits": {
            "request_body_bytes": 1048576,
            "messages": 100,
            "message_characters": 32_000,
            "title_characters": 100,
            "idempotency_key_characters": 255,
            "prompt_tokens": 5000,
            "answer_tokens": 2048,
            "streams_per_user": 2,
        },
        "uploads": {
            "content_types": ["image/jpeg", "application/pdf"],
            "file_bytes": 1000,
            "files_per_day": 5,
            "bytes_per_day": 209715200,
        }
        if has_database
        else None,
        **({} if has_database else {"unmetered_chat": UNMETERED}),
    }


@pytest.mark.usefixtures("configure")
@pytest.mark.parametrize("path", ["/api/health", "/health", "/", "/api/info"])
def test_other_methods_are_refused(path: str) -> None:
    reply = ask(path, "POST")

    assert (reply.status, reply.headers["Allow"]) == (405, "GET, HEAD, OPTIONS")
