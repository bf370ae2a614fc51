"""Requests for a recognition, and pictures of packages in the folder of the storage."""

import json
from pathlib import Path
from typing import Any

from functions.drugs.index import handler
from shared import settings
from shared.config import load
from tests.events import Reply, invoke, v1_event
from tests.fakes.upstream import Upstream
from tests.fakes.upstream_packages import printed
from tests.media_files import add_media

PATH = "/api/drugs/recognize"
# A model for each scenario of the upstream; the first one takes no pictures.
MODELS = (
    "blind",
    "package",
    *("package-in-words", "package-held", "package-second-time", "package-never"),
    *(
        "package-wrong-types",
        "package-without-schema",
        "status-503",
        "silence",
        "cut-inside-a-character",
    ),
)
ON_THE_BOX = {
    "name": "阿司匹林肠溶片",
    "generic_name": "Aspirin",
    "approval_number": "国药准字 H20012345",
    "manufacturer": "拜耳医药",
    "specification": "100mg×30片",
    "batch_number": "BJ1234",
    "produced_on": "生产日期 2025年04月01日",
    "expires_on": "有效期至2027年03月",
    "dosage": "一日1次\n一次1片",
    "storage": "密封",
    "warnings": "孕妇慎用",
}
DRAFT = {
    **ON_THE_BOX,
    "approval_number": "国药准字H20012345",
    "produced_on": "2025-04-01",
    "expires_on": "2027-03-31",
}


def upstreams(url: str) -> str:
    """The setting UPSTREAMS: one upstream for each of MODELS, all at this URL."""
    return json.dumps(
        [
            {
                "name": name,
                "url": url,
                "key": "sk-test",
                "serves": name,
                "model": f"scenario:{name}",
                "vision": name != "blind",
            }
            for name in MODELS
        ]
    )


def photo(user_id: str, *, content_type: str = "image/png", **fields: object) -> str:
    """The id of a stored picture of a package with these fields on it."""
    data = printed(**fields)
    one = add_media(user_id, content_type, size=len(data))
    place = Path(load(settings.Storage).folder) / one.object_key
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(data)
    return one.id


def recognize(
    token: str, *media_ids: str, key: str = "", lang: str = "en", **fields: object
) -> Reply:
    headers = {"Idempotency-Key": key} if key else {}
    body = {"media_ids": list(media_ids), **fields}
    query = {"lang": lang}
    return invoke(handler, "POST", PATH, token=token, json_body=body, headers=headers, query=query)


def event_of(token: str, *media_ids: str, key: str, **fields: object) -> bytes:
    headers = {
        "Authorization": f"Bearer {token}",
        "Content-Type": "application/json",
        "Idempotency-Key": key,
    }
    body: dict[str, Any] = {"media_ids": list(media_ids), **fields}
    return v1_event("POST", PATH, body=json.dumps(body).encode(), headers=headers)


def asked(fake: Upstream) -> int:
    """How often the upstream was asked."""
    return len(fake.requests)
