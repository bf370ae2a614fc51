"""The answers of health and info. Does no I/O."""

from shared import chat_rules, settings
from shared.times import iso_utc, now_ms
from shared.version import VERSION
from shared.web.endpoint import MEBIBYTE, Response


def health_response(database: str) -> Response:
    """`database` is connected, not_configured or down; only down is unhealthy."""
    down = database == "down"
    return Response(
        status=503 if down else 200,
        envelope={
            "code": 503 if down else 0,
            "message": "The database is down." if down else "OK",
            "data": {
                "status": "unhealthy" if down else "healthy",
                "database": database,
                "timestamp": iso_utc(now_ms()),
            },
        },
    )


def info_json(
    *,
    has_database: bool,
    chat: settings.Chat,
    quota: settings.Quota,
    invites: settings.Invites,
) -> dict[str, object]:
    """Chat works without a database, and counts nothing then; all other features need one."""
    free = {"user": quota.daily_free_messages, "guest": quota.guest_daily_messages}
    return {
        "name": "fc-ai-backend",
        "version": VERSION,
        "features": {
            "chat": True,
            "accounts": has_database,
            "conversations": has_database,
            "export": has_database,
            "admin": has_database,
        },
        "invite_required": invites.required,
        "free_messages_per_day": free if has_database else None,
        "personas": [
            {"type": type_, "title": title} for type_, title in chat_rules.PERSONA_TITLES.items()
        ],
        "limits": {
            "request_body_bytes": MEBIBYTE,
            "messages": chat_rules.MESSAGES,
            "message_characters": chat_rules.MESSAGE_CHARACTERS,
            "title_characters": chat_rules.TITLE_CHARACTERS,
            "idempotency_key_characters": chat_rules.KEY_CHARACTERS,
            "prompt_tokens": chat.prompt_tokens,
            "answer_tokens": chat.max_tokens,
            "streams_per_user": chat.max_streams_per_user,
        },
    }
