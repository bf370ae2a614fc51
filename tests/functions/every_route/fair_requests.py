"""Users with data in every table that routes use, and a valid request for each route."""

import itertools
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from shared import settings
from shared.accounts import tokens
from shared.accounts.codes import new_code
from shared.accounts.passwords import hash_password
from shared.config import load
from shared.database.connection import Connection
from shared.database.transactions import transaction
from shared.exports.export_request import ExportRequest
from shared.exports.object_keys import WORKER
from shared.ids import new_id
from shared.repos import (
    conversations,
    drugs,
    export_jobs,
    invites,
    locations,
    media,
    sessions,
    turns,
    uploads,
)
from shared.repos.conversations import Conversation, Message
from shared.repos.drugs import Drug, DrugFields
from shared.repos.export_jobs import Job
from shared.repos.invites import Invite
from shared.repos.locations import Location
from shared.repos.media import Media
from shared.repos.sessions import Session
from shared.repos.turns import Turn
from shared.repos.uploads import Upload
from shared.times import now_ms, shanghai_day
from shared.workers.worker import issue_service_token
from tests import offering
from tests.media_files import add_media, png
from tests.people import add_user, grant

PASSWORD = "a fair password"
MINE = "what only its owner may see"

_numbers = itertools.count(1)


@dataclass(frozen=True)
class Person:
    """A user, and the ids of the user's data."""

    id: str
    token: str
    session_id: str
    refresh_token: str
    conversation_id: str
    message_id: str
    media_id: str
    upload_id: str
    location_id: str
    login: str
    invite_code: str
    drug_id: str

    @property
    def ids(self) -> tuple[str, ...]:
        talk = (self.conversation_id, self.message_id)
        files = (self.media_id, self.upload_id)
        return (self.id, self.session_id, *talk, *files, self.location_id, self.drug_id)


def person(role: str = "user") -> Person:
    """A user with a password, a session, an answered question, a location and 1,000 fen."""
    login = f"route{next(_numbers)}-{new_id().lower()}@example.com"
    user = add_user(role, email=login, password_hash=hash_password(PASSWORD))
    refresh, session_id, conversation_id, message_id = (new_id() for _ in range(4))
    media_id, upload_id, location_id, drug_id = (new_id() for _ in range(4))
    made = Person(
        user.id,
        tokens.issue_access(tokens.Claims(user.id, session_id, role)),
        session_id,
        refresh,
        conversation_id,
        message_id,
        media_id,
        upload_id,
        location_id,
        login,
        new_code(groups=3),
        drug_id,
    )
    grant(user, 1000)
    transaction(_settle_in, made)
    return made


def _settle_in(db: Connection, one: Person) -> None:
    now = now_ms()
    sessions.add(db, Session(one.session_id, one.id, MINE, now, now))
    sessions.add_refresh_token(
        db,
        tokens.refresh_hash(one.refresh_token),
        one.session_id,
        issued_at_ms=now,
        expires_at_ms=now + 1_000_000,
    )
    conversations.add(db, Conversation(one.conversation_id, one.id, MINE, now))
    conversations.append(db, Message(new_id(), one.conversation_id, "user", MINE, now))
    turns.add(db, _ended_turn(one, now))
    uploads.add(db, _committed_upload(one, now))
    key = f"media/{one.id}/{one.media_id}"
    file = (one.upload_id, one.id, key, MINE, "image/png", 9, "1", now)
    media.add(db, Media(one.media_id, *file))
    locations.add(db, Location(one.location_id, one.id, 39.9, 116.4, "gcj02", 30, now, now))
    drugs.add(db, _drug(one, now), search_text=MINE, most=1)
    invites.add(db, Invite(one.invite_code, one.id, 1, 0, 0, MINE, True, None, one.id, now))


def _committed_upload(one: Person, now: int) -> Upload:
    file = (MINE, "image/png", 9, "post", None, now, now)
    return Upload(one.upload_id, one.id, *file, state="committed", media_id=one.media_id)


def _drug(one: Person, now: int) -> Drug:
    unknown = dict.fromkeys(field.name for field in fields(DrugFields))
    return Drug(
        **{**unknown, "name": MINE, "media_ids": "[]"},  # type: ignore[arg-type]  # its fields
        id=one.drug_id,
        user_id=one.id,
        ai_generated=0,
        version=1,
        created_at_ms=now,
        updated_at_ms=now,
    )


def _ended_turn(one: Person, now: int) -> Turn:
    return Turn(
        message_id=one.message_id,
        subject=one.id,
        user_id=one.id,
        conversation_id=one.conversation_id,
        question=MINE,
        model="test-model",
        payment="free",
        day=shanghai_day(now),
        daily_limit=20,
        reserved_fen=0,
        price="",
        prompt_tokens=1,
        lease_until_ms=now,
        created_at_ms=now,
        state="settled",
        ended_at_ms=now,
        outcome="{}",
    )


@dataclass(frozen=True)
class Fair:
    """A valid request of a route; `ids` are the parameters of its path, `token` the caller's."""

    body: Any = None
    query: Mapping[str, str] = field(default_factory=dict)
    ids: tuple[str, ...] = ()
    token: str = ""


# A valid request for each writing route, made of its subject and an administrator.
Ask = Callable[[Person, Person], Fair]
HELLO = [{"role": "user", "content": "Hello"}]


def _nameless() -> str:
    return f"new{next(_numbers)}-{new_id().lower()}@example.com"


def _stored_model() -> str:
    name = f"model-{next(_numbers)}"
    offering.offer(name)
    return name


def _stored_upstream() -> str:
    """Store an upstream that refuses connections."""
    return offering.store(_stored_model(), "http://127.0.0.1:1/v1/chat/completions").id


def _new_upstream() -> dict[str, object]:
    return {
        "model": _stored_model(),
        "name": f"upstream-{next(_numbers)}",
        "url": "https://upstream.example.com/v1",
        "key": "sk-fair-enough",
    }


def _stored_picture(one: Person) -> str:
    """Store a picture in the folder that stands in for the bucket."""
    picture = add_media(one.id)
    place = Path(load(settings.Storage).folder) / picture.object_key
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(png())
    return picture.id


def _queued_export(admin: Person) -> str:
    now, request = now_ms(), ExportRequest("audit", "csv", 0, 1)
    job = Job(new_id(), admin.id, request.as_json, lease_until_ms=now, created_at_ms=now)
    transaction(export_jobs.add, job)
    return job.id


FAIR: dict[str, Ask] = {
    "POST /api/auth/register": lambda one, admin: Fair(
        {"email": _nameless(), "password": PASSWORD}
    ),
    "POST /api/auth/login": lambda one, admin: Fair({"email": one.login, "password": PASSWORD}),
    "POST /api/auth/refresh": lambda one, admin: Fair({"refresh_token": one.refresh_token}),
    "POST /api/auth/logout": lambda one, admin: Fair({}, token=one.token),
    "DELETE /api/auth/sessions/{session_id}": lambda one, admin: Fair(
        ids=(one.session_id,), token=one.token
    ),
    "PATCH /api/auth/me": lambda one, admin: Fair(
        {"username": secrets.token_hex(16)}, token=one.token
    ),
    "PUT /api/auth/password": lambda one, admin: Fair(
        {"current_password": PASSWORD, "new_password": f"another {PASSWORD}"}, token=one.token
    ),
    "DELETE /api/account": lambda one, admin: Fair({"password": PASSWORD}, token=one.token),
    "POST /api/chat": lambda one, admin: Fair({"message": "Hello"}, token=one.token),
    "POST /api/chat/stop": lambda one, admin: Fair({"message_id": one.message_id}, token=one.token),
    "POST /v1/chat/completions": lambda one, admin: Fair(
        {"messages": HELLO, "model": "test-model"}, token=one.token
    ),
    "GET /v1/models/{model:path}": lambda one, admin: Fair(ids=("test-model",), token=one.token),
    "PATCH /api/conversations/{conversation_id}": lambda one, admin: Fair(
        {"title": "Renamed"}, ids=(one.conversation_id,), token=one.token
    ),
    "DELETE /api/conversations/{conversation_id}": lambda one, admin: Fair(
        ids=(one.conversation_id,), token=one.token
    ),
    "POST /api/upload/presign": lambda one, admin: Fair(
        {"filename": "a.png", "content_type": "image/png", "size": 9}, token=one.token
    ),
    "POST /api/upload/commit": lambda one, admin: Fair(
        {"upload_id": one.upload_id}, token=one.token
    ),
    "DELETE /api/media/{media_id}": lambda one, admin: Fair(ids=(one.media_id,), token=one.token),
    "POST /api/location/report": lambda one, admin: Fair(
        {"latitude": 39.9087, "longitude": 116.3975, "consent": True}, token=one.token
    ),
    "DELETE /api/location": lambda one, admin: Fair(token=one.token),
    "DELETE /api/location/{location_id}": lambda one, admin: Fair(
        ids=(one.location_id,), token=one.token
    ),
    "POST /api/drugs": lambda one, admin: Fair(
        {"name": "Aspirin", "expires_on": "2027-03-31"}, token=one.token
    ),
    "POST /api/drugs/recognize": lambda one, admin: Fair(
        {"media_ids": [_stored_picture(one)]}, token=one.token
    ),
    "PUT /api/drugs/{drug_id}": lambda one, admin: Fair(
        {"name": "Aspirin", "version": 1}, ids=(one.drug_id,), token=one.token
    ),
    "DELETE /api/drugs/{drug_id}": lambda one, admin: Fair(ids=(one.drug_id,), token=one.token),
    "POST /api/admin/users": lambda one, admin: Fair(
        {"email": _nameless(), "password": PASSWORD, "role": "user"}, token=admin.token
    ),
    "PATCH /api/admin/users/{user_id}": lambda one, admin: Fair(
        {"disabled": False, "role": "user"}, ids=(one.id,), token=admin.token
    ),
    "POST /api/admin/users/{user_id}/password": lambda one, admin: Fair(
        {"password": PASSWORD}, ids=(one.id,), token=admin.token
    ),
    "POST /api/admin/invites": lambda one, admin: Fair({"note": "fair"}, token=admin.token),
    "DELETE /api/admin/invites/{code}": lambda one, admin: Fair(
        ids=(one.invite_code,), token=admin.token
    ),
    "POST /api/admin/models": lambda one, admin: Fair(
        {"name": f"model-{next(_numbers)}", "title": "A model"}, token=admin.token
    ),
    "PATCH /api/admin/models": lambda one, admin: Fair(
        {"name": _stored_model(), "title": "Renamed"}, token=admin.token
    ),
    "POST /api/admin/upstreams": lambda one, admin: Fair(_new_upstream(), token=admin.token),
    "PATCH /api/admin/upstreams/{upstream_id}": lambda one, admin: Fair(
        {"weight": 2}, ids=(_stored_upstream(),), token=admin.token
    ),
    "DELETE /api/admin/upstreams/{upstream_id}": lambda one, admin: Fair(
        ids=(_stored_upstream(),), token=admin.token
    ),
    "POST /api/admin/upstreams/{upstream_id}/test": lambda one, admin: Fair(
        {}, ids=(_stored_upstream(),), token=admin.token
    ),
    "POST /api/admin/prices": lambda one, admin: Fair(
        {"model": f"model-{next(_numbers)}", "unit": "message", "message_fen": 200},
        token=admin.token,
    ),
    "DELETE /api/admin/exports/{export_id}": lambda one, admin: Fair(
        ids=(_queued_export(admin),), token=admin.token
    ),
    "POST /api/internal/exports": lambda one, admin: Fair(
        {}, token=issue_service_token(WORKER, _queued_export(admin))
    ),
    "POST /api/admin/credits": lambda one, admin: Fair(
        {"user_id": one.id, "amount_fen": 1, "reason": "fair"}, token=admin.token
    ),
}


def fair(route: object, one: Person, admin: Person) -> Fair:
    """The valid request of a route; reading routes only need the token that their path requires."""
    if str(route) in FAIR:
        return FAIR[str(route)](one, admin)
    return Fair(token=admin.token if "/admin/" in str(route) else one.token)
