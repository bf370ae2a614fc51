"""The answers of health and info. Does no I/O."""

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


def info_json(*, has_database: bool) -> dict[str, object]:
    """Chat works without a database; all other features need one."""
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
        "limits": {"request_body_bytes": MEBIBYTE},
    }
