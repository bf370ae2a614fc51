"""/api/drugs: a user's list of medicines with their expiry dates, and their recognition."""

from collections.abc import Sequence
from datetime import date

from functions.drugs import logic
from functions.drugs.fields import ChangeDrug, CreateDrug, DrugsQuery
from functions.drugs.recognition.request import RecognizeDrug
from shared.accounts import auth
from shared.accounts.tokens import Claims
from shared.database.connection import Connection
from shared.database.transactions import read, transaction
from shared.errors import NotFound
from shared.limits.idempotency import ClientKey, client_key, once
from shared.repos import drugs, media, turns
from shared.repos.drugs import DrugFilter
from shared.times import now_ms, shanghai_day
from shared.web.endpoint import Request, Response, endpoint, serve
from shared.web.pagination import page


@endpoint("GET", "/api/drugs", query=DrugsQuery)
def list_drugs(request: Request) -> Response:
    claims, query = auth.signed_in(request), request.parse_query(DrugsQuery)
    found = read(_list, claims, query)
    return Response.ok({**found, "notice": logic.notice(request.language)})


@endpoint("POST", "/api/drugs", body=CreateDrug)
def create_drug(request: Request) -> Response:
    claims, body = auth.signed_in(request), request.parse(CreateDrug)
    made = transaction(_create, claims, body, client_key(request), request.language)
    return Response.ok(made, 201)


@endpoint("POST", "/api/drugs/recognize", body=RecognizeDrug)
def recognize_drug(request: Request) -> Response:
    claims, body = auth.signed_in(request), request.parse(RecognizeDrug)
    from functions.drugs.recognition.recognize import recognize  # asyncio and httpx, only here

    return Response.ok(recognize(request, claims, body))


@endpoint("GET", "/api/drugs/{drug_id}")
def get_drug(request: Request) -> Response:
    claims = auth.signed_in(request)
    return _one(read(_get, claims, request.path["drug_id"]), request.language)


@endpoint("PUT", "/api/drugs/{drug_id}", body=ChangeDrug)
def change_drug(request: Request) -> Response:
    claims, body = auth.signed_in(request), request.parse(ChangeDrug)
    version = logic.known_version(body, request.headers.get("if-match", ""))
    changed = transaction(_change, claims, request.path["drug_id"], body, version)
    return _one(changed, request.language)


@endpoint("DELETE", "/api/drugs/{drug_id}")
def delete_drug(request: Request) -> Response:
    transaction(_delete, auth.signed_in(request), request.path["drug_id"])
    return Response.ok({"id": request.path["drug_id"]})


def _today() -> date:
    return date.fromisoformat(shanghai_day(now_ms()))


def _one(drug: drugs.Drug, language: str) -> Response:
    """One medicine with its ETag, which a change sends as If-Match."""
    data = logic.item_json(drug, _today(), language)
    envelope = {"code": 0, "message": "OK", "data": data}
    return Response(200, envelope=envelope, headers={"ETag": logic.etag(drug.version)})


def _list(db: Connection, claims: Claims, query: DrugsQuery) -> dict[str, object]:
    user, today = auth.active_user(db, claims), _today()
    filters = logic.filters_of(query, today)
    rows = _rows(db, user.id, query, filters)
    shown = page(rows, query, lambda drug: logic.drug_json(drug, today))
    return {**shown, "ai_generated": any(drug.ai_generated for drug in rows[: query.limit])}


def _rows(
    db: Connection, user_id: str, query: DrugsQuery, filters: DrugFilter
) -> Sequence[drugs.Drug]:
    sorted_list = drugs.list_by_expiry if query.sort == "expires_on" else drugs.list_by_creation
    return sorted_list(db, user_id, filters, after=query.after, count=query.fetch_count)


def _create(
    db: Connection, claims: Claims, body: CreateDrug, key: ClientKey | None, language: str
) -> dict[str, object]:
    user = auth.active_user(db, claims)

    def add() -> dict[str, object]:
        _require_own(db, user.id, body.media_ids, body.recognition_id)
        drug = logic.new_drug(body, user.id, now_ms())
        drugs.add(db, drug, search_text=logic.search_text(drug), most=logic.MOST_DRUGS)
        return logic.item_json(drug, _today(), language)

    return once(db, user.id, key, add)


def _require_own(
    db: Connection, user_id: str, media_ids: Sequence[str], recognition_id: str | None = None
) -> None:
    """Raises: NotFound: a picture or the recognition is not the user's; InvalidRequest."""
    logic.require_pictures(media.list_by_ids(db, media_ids, user_id))
    if recognition_id is not None:
        turn = turns.get(db, recognition_id)
        if (turn.message_id, turn.user_id, turn.state) != (recognition_id, user_id, "settled"):
            raise NotFound


def _get(db: Connection, claims: Claims, drug_id: str) -> drugs.Drug:
    return drugs.get_for(db, drug_id, auth.active_user(db, claims).id)


def _change(
    db: Connection, claims: Claims, drug_id: str, body: ChangeDrug, version: int
) -> drugs.Drug:
    known = drugs.get_for(db, drug_id, auth.active_user(db, claims).id)
    _require_own(db, known.user_id, logic.new_pictures(body, known))
    fields = logic.fields_of(body)
    text = logic.search_text(fields)
    drugs.change(db, known, fields, search_text=text, version=version, at_ms=now_ms())
    return drugs.get_for(db, drug_id, known.user_id)


def _delete(db: Connection, claims: Claims, drug_id: str) -> None:
    drugs.remove(db, drug_id, auth.active_user(db, claims).id)


handler = serve(list_drugs, create_drug, recognize_drug, get_drug, change_drug, delete_drug)
