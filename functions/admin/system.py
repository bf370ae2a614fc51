"""GET /api/admin/system: versions, schema, database, reservations, upstreams, maintenance."""

import json
import platform
import time

from shared.accounts import auth
from shared.database.connection import Connection
from shared.database.transactions import read
from shared.llm.breaker import FAILURE_RATIO, FEWEST
from shared.repos import timers
from shared.repos.reports import system_status
from shared.repos.reports.system_status import Reservations, UpstreamHealth, UpstreamTrouble
from shared.repos.timers import TimerRun
from shared.times import iso_utc, iso_utc_if, now_ms
from shared.version import SCHEMA_VERSION, VERSION
from shared.web.endpoint import Request, Response, endpoint

_WINDOW_SECONDS = 300
_TROUBLE_SECONDS = 86_400
_LATE_MS = 180_000  # the timer starts it every minute


@endpoint("GET", "/api/admin/system")
def get_system(request: Request) -> Response:
    auth.admitted_administrator(request)
    return Response.ok(read(_system_json))


def _system_json(db: Connection) -> dict[str, object]:
    latency_ms, now, server = _latency_ms(db), now_ms(), db.server()
    recent = system_status.upstreams(db, now - _WINDOW_SECONDS * 1000)
    troubles = system_status.troubles(db, now - _TROUBLE_SECONDS * 1000)
    return {
        "versions": {
            "service": VERSION,
            "python": platform.python_version(),
            "database": server.version,
        },
        "schema": _schema_json(system_status.schema_version(db)),
        "database": {"size_bytes": server.size_bytes, "latency_ms": latency_ms},
        "reservations": _reservations_json(system_status.reservations(db, now)),
        "upstreams": {
            "window_seconds": _WINDOW_SECONDS,
            "recent": [_upstream_json(one) for one in recent],
            "trouble_window_seconds": _TROUBLE_SECONDS,
            "troubles": [_trouble_json(one) for one in troubles],
        },
        "maintenance": _run_json(timers.find(db, "maintenance"), now),
    }


def _latency_ms(db: Connection) -> float:
    started = time.perf_counter()
    system_status.ping(db)
    return round((time.perf_counter() - started) * 1000, 2)


def _schema_json(applied: int) -> dict[str, object]:
    """Migrations are not deployed; SCHEMA_VERSION is the one that this code needs."""
    pending = max(SCHEMA_VERSION - applied, 0)
    return {"applied": applied, "expected": SCHEMA_VERSION, "pending": pending}


def _reservations_json(found: Reservations) -> dict[str, object]:
    return {
        "open": found.open,
        "reserved_fen": found.reserved_fen,
        "abandoned": found.abandoned,
        "oldest_at": iso_utc_if(found.oldest_at_ms),
    }


def _upstream_json(one: UpstreamHealth) -> dict[str, object]:
    """`failing`: the calls recorded by all instances would open a circuit breaker.

    The breakers themselves are in the memory of each chat instance.
    """
    ratio = one.failures / one.attempts
    return {
        "name": one.name,
        "attempts": one.attempts,
        "failures": one.failures,
        "failure_ratio": round(ratio, 3),
        "failing": one.attempts >= FEWEST and ratio >= FAILURE_RATIO,
        "last_ok_at": iso_utc_if(one.last_ok_at_ms),
        "last_failure_at": iso_utc_if(one.last_failure_at_ms),
    }


def _trouble_json(one: UpstreamTrouble) -> dict[str, object]:
    """`over`: the upstream has answered since, at any instance."""
    return {
        "name": one.name,
        "code": one.code,
        "at": iso_utc(one.at_ms),
        "over": one.last_ok_at_ms is not None and one.last_ok_at_ms > one.at_ms,
    }


def _run_json(last: TimerRun | None, now: int) -> dict[str, object]:
    return {
        "last_run_at": iso_utc(last.at_ms) if last else None,
        "outcome": last.outcome if last else None,
        "summary": json.loads(last.summary) if last else None,
        "late": last is None or now - last.at_ms > _LATE_MS,
    }


endpoints = (get_system,)
