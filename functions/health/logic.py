"""The answers of health and info. Does no I/O."""

from collections.abc import Sequence

from shared import chat_rules, settings
from shared.config import Rate
from shared.errors import AppError, DatabaseNotConfigured, DatabaseNotMigrated
from shared.times import iso_utc, now_ms
from shared.version import VERSION
from shared.web.endpoint import MEBIBYTE, Response

_STATES = {
    DatabaseNotConfigured.name: ("not_configured", DatabaseNotConfigured.en),
    DatabaseNotMigrated.name: ("not_migrated", DatabaseNotMigrated.en),
}


def healthy_response(database: str) -> Response:
    """`database` is connected or not_configured."""
    return Response(envelope={"code": 0, "message": "OK", "data": _data("healthy", database)})


def unhealthy_response(failure: AppError) -> Response:
    database, message = _STATES.get(failure.name, ("down", "The database is down."))
    return Response(
        status=503,
        envelope={
            "code": 503,
            "message": message,
            "error": failure.name,
            "data": _data("unhealthy", database),
        },
    )


def _data(status: str, database: str) -> dict[str, object]:
    return {"status": status, "database": database, "timestamp": iso_utc(now_ms())}


def info_json(
    *,
    chat: settings.Chat,
    quota: settings.Quota,
    invites: settings.Invites,
    uploads: settings.Uploads,
    file_types: Sequence[str],
    unmetered: settings.Unmetered | None,
) -> dict[str, object]:
    """`unmetered` is given where there is no database: then at most chat works."""
    has_database = unmetered is None
    free = {"user": quota.daily_free_messages, "guest": quota.guest_daily_messages}
    info: dict[str, object] = {
        "name": "fc-ai-backend",
        "version": VERSION,
        "features": {
            "chat": unmetered is None or unmetered.is_allowed,
            "accounts": has_database,
            "conversations": has_database,
            "export": has_database,
            "admin": has_database,
            "medicines": has_database,
            "locations": has_database,
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
        "uploads": {
            "content_types": list(file_types),
            "file_bytes": uploads.max_bytes,
            "files_per_day": uploads.daily_files,
            "bytes_per_day": uploads.daily_bytes,
        }
        if has_database
        else None,
    }
    if unmetered and unmetered.is_allowed:
        info["unmetered_chat"] = {
            "note": "Nothing is counted across instances; each counts in its memory.",
            "per_address": _rate_json(unmetered.address),
            "per_instance": _rate_json(unmetered.total),
        }
    return info


def _rate_json(rate: Rate | None) -> dict[str, int] | None:
    return {"messages": rate.most, "seconds": rate.seconds} if rate else None
