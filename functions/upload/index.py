"""/api/upload and /api/media: uploads straight to the storage, and the files that came."""

from functions.upload import commit, logic, presigning
from functions.upload.logic import CommitUpload, MediaQuery, PresignUpload
from shared.accounts import auth
from shared.accounts.tokens import Claims
from shared.database.connection import Connection
from shared.database.transactions import read, transaction
from shared.errors import NotFound
from shared.limits import rate_limits
from shared.limits.idempotency import client_key
from shared.repos import media, object_deletions
from shared.repos.media import Media
from shared.storage.media_choice import media_storage
from shared.times import now_ms
from shared.web.endpoint import Request, Response, endpoint, serve
from shared.web.pagination import ListQuery, page


@endpoint("POST", "/api/upload/presign", body=PresignUpload)
def presign_upload(request: Request) -> Response:
    claims, storage = auth.signed_in(request), media_storage(request.credentials)
    upload = presigning.new_upload(claims, request.parse(PresignUpload))
    rate_limits.take(rate_limits.of_user("upload", claims.user_id))
    stored = presigning.store(claims, upload, client_key(request))
    return Response.ok(logic.upload_json(stored, presigning.sign(storage, stored)))


@endpoint("POST", "/api/upload/commit", body=CommitUpload)
def commit_upload(request: Request) -> Response:
    claims, storage = auth.signed_in(request), media_storage(request.credentials)
    body = request.parse(CommitUpload)
    rate_limits.take(rate_limits.of_user("upload", claims.user_id))
    return Response.ok(logic.media_json(commit.commit(claims, body.upload_id, storage)))


@endpoint("GET", "/api/media", query=ListQuery)
def list_media(request: Request) -> Response:
    claims = auth.signed_in(request)
    return Response.ok(read(_list, claims, request.parse_query(ListQuery)))


@endpoint("GET", "/api/media/{media_id}", query=MediaQuery)
def get_media(request: Request) -> Response:
    claims, query = auth.signed_in(request), request.parse_query(MediaQuery)
    found = read(_get, claims, request.path["media_id"])
    process, now = logic.process_of(found, query), now_ms()
    url = media_storage(request.credentials).link(
        found.object_key,
        filename=found.filename,
        seconds=logic.LINK_SECONDS,
        process=process,
        inline=found.kind != "document",
    )
    return Response.ok(logic.link_json(found, url, now))


@endpoint("DELETE", "/api/media/{media_id}")
def delete_media(request: Request) -> Response:
    transaction(_delete, auth.signed_in(request), request.path["media_id"])
    return Response.ok({"id": request.path["media_id"]})


def _list(db: Connection, claims: Claims, query: ListQuery) -> dict[str, object]:
    user = auth.active_user(db, claims)
    rows = media.list_of(db, user.id, after=query.after, count=query.fetch_count)
    return page(rows, query, logic.media_json)


def _get(db: Connection, claims: Claims, media_id: str) -> Media:
    return media.get_for(db, media_id, auth.active_user(db, claims).id)


def _delete(db: Connection, claims: Claims, media_id: str) -> None:
    """Delete the row, and enter the object to be deleted. Raises: NotFound."""
    found, now = _get(db, claims, media_id), now_ms()
    if not media.remove(db, found):
        raise NotFound
    object_deletions.queue(db, [found.object_key], at_ms=now, next_at_ms=now)


handler = serve(presign_upload, commit_upload, list_media, get_media, delete_media)
