"""Medicines as JSON, their expiry, and the versions that a change names. Does no I/O."""

import json
import re
import unicodedata
from collections.abc import Sequence
from datetime import date, timedelta

from functions.drugs.fields import ChangeDrug, CreateDrug, DrugsQuery
from shared.errors import InvalidRequest
from shared.ids import new_id
from shared.problems import Problem, detail, in_language
from shared.repos.drugs import UNKNOWN_EXPIRY, Drug, DrugFields, DrugFilter
from shared.repos.media import Media
from shared.times import iso_utc

MOST_DRUGS = 1000  # of one user
SOON_DAYS, NEAR_DAYS = 30, 90
NOTICE = Problem(
    "Fields that were recognised from pictures are made by AI and may be wrong. Compare them with"
    " the package. This is no medical advice: ask a doctor or a pharmacist.",
    "由图片识别的内容为 AI 生成，可能有误，请与药品包装核对。"
    "本内容不构成医疗建议，用药请咨询医生或药师。",
)
_ETAG = re.compile(r'"(\d{1,10})"', re.ASCII)


def notice(language: str) -> str:
    return in_language(NOTICE, language)


def days_left(drug: DrugFields, today: date) -> int | None:
    """The days until the last day of use; negative after it, None where it is unknown."""
    return (date.fromisoformat(drug.expires_on) - today).days if drug.expires_on else None


def expiry_level(left: int | None) -> str:
    if left is None:
        return "unknown"
    if left < 0:
        return "expired"
    if left <= SOON_DAYS:
        return "soon"
    return "near" if left <= NEAR_DAYS else "ok"


def drug_json(drug: Drug, today: date) -> dict[str, object]:
    left = days_left(drug, today)
    return {
        "id": drug.id,
        "name": drug.name,
        "generic_name": drug.generic_name,
        "approval_number": drug.approval_number,
        "manufacturer": drug.manufacturer,
        "specification": drug.specification,
        "batch_number": drug.batch_number,
        "produced_on": drug.produced_on,
        "expires_on": drug.expires_on,
        "days_left": left,
        "expiry_level": expiry_level(left),
        "dosage": drug.dosage,
        "storage": drug.storage,
        "warnings": drug.warnings,
        "media_ids": json.loads(drug.media_ids),
        "ai_generated": bool(drug.ai_generated),
        "version": drug.version,
        "created_at": iso_utc(drug.created_at_ms),
        "updated_at": iso_utc(drug.updated_at_ms),
    }


def item_json(drug: Drug, today: date, language: str) -> dict[str, object]:
    """One medicine as a response of its own, with the notice."""
    return {**drug_json(drug, today), "notice": notice(language)}


def fields_of(body: CreateDrug | ChangeDrug) -> DrugFields:
    return DrugFields(
        name=body.name,
        generic_name=body.generic_name,
        approval_number=body.approval_number,
        manufacturer=body.manufacturer,
        specification=body.specification,
        batch_number=body.batch_number,
        produced_on=body.produced_on,
        expires_on=body.expires_on,
        dosage=body.dosage,
        storage=body.storage,
        warnings=body.warnings,
        media_ids=json.dumps(list(dict.fromkeys(body.media_ids))),
    )


def search_text(fields: DrugFields) -> str:
    """The texts that `q` is looked for in, in the spelling of search terms."""
    texts = (fields.name, fields.generic_name, fields.manufacturer, fields.approval_number)
    return unicodedata.normalize("NFKC", "\n".join(text for text in texts if text)).lower()


def new_drug(body: CreateDrug, user_id: str, at_ms: int) -> Drug:
    return Drug(
        **vars(fields_of(body)),
        id=new_id(),
        user_id=user_id,
        ai_generated=int(body.recognition_id is not None),
        version=1,
        created_at_ms=at_ms,
        updated_at_ms=at_ms,
    )


def filters_of(query: DrugsQuery, today: date) -> DrugFilter:
    """The filter of a query. `expiring_within_days` keeps expired medicines, not unknown dates."""
    days = query.expiring_within_days
    if days is None:
        return DrugFilter(query.q)
    until = (today + timedelta(days)).isoformat()
    return DrugFilter(query.q, min(int(until.replace("-", "")), UNKNOWN_EXPIRY - 1))


def new_pictures(body: ChangeDrug, known: DrugFields) -> list[str]:
    """The pictures that the medicine did not name before: one of the others may be deleted."""
    named = json.loads(known.media_ids)
    return [media_id for media_id in body.media_ids if media_id not in named]


def require_pictures(media: Sequence[Media]) -> None:
    """Raises: InvalidRequest: one of the files is no picture."""
    if any(one.kind != "picture" for one in media):
        problem = Problem("must be pictures", "必须是图片")
        raise InvalidRequest(details=[detail("body.media_ids", problem)])


def etag(version: int) -> str:
    return f'"{version}"'


def known_version(body: ChangeDrug, if_match: str) -> int:
    """The version that the client has read, from If-Match or from the body.

    Raises: InvalidRequest: neither names one, or they differ.
    """
    named = {one for one in (_version_in(if_match), body.version) if one is not None}
    if len(named) != 1:
        problem = Problem(
            "version is required, here or as the header If-Match, and both must agree",
            "必须提供 version 或 If-Match 请求头，且二者须一致",
        )
        raise InvalidRequest(details=[detail("body.version", problem)])
    return named.pop()


def _version_in(if_match: str) -> int | None:
    """The version in a header If-Match; None without the header. Raises: InvalidRequest."""
    if not if_match.strip():
        return None
    match = _ETAG.fullmatch(if_match.strip())
    if match is None:
        problem = Problem("must be the ETag that was read", "必须是读取时返回的 ETag")
        raise InvalidRequest(details=[detail("header.if-match", problem)])
    return int(match[1])
