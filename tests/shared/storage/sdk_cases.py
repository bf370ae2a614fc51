"""Cases of signatures, and a script that signs them with alibabacloud-oss-v2.

Run in the environment of client libraries, it prints the signatures as one line of JSON.
"""

import json
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from itertools import product
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit

AT = 1795939200  # 2026-11-29T08:00:00Z
BUCKET, REGION, ENDPOINT = "my-bucket", "cn-hangzhou", "https://oss-cn-hangzhou.aliyuncs.com"


@dataclass(frozen=True)
class Case:
    name: str
    key: str
    token: str
    query: dict[str, str] = field(default_factory=dict)
    access_id: str = "LTAI5tExample"
    secret: str = "canary+of/the=secret"
    content_type: str = "image/png"
    seconds: int = 600


_KEYS = {
    "plain": "media/01USER/01MEDIA.png",
    "Chinese": "media/药盒/照片.jpg",
    "blanks": "a b/ c ",
    "plus": "a+b/%2B/c%20d",
    "reserved": "a!*'();:@&=$,?#[]~.-_/x",
    "dots": "a/../b/./c//d",
    "emoji": "😀/é",
}
_TOKENS = {"own key": "", "token": "CAIS+token/of=a role~"}
_QUERIES: dict[str, dict[str, str]] = {
    "no query": {},
    "query": {
        "response-content-disposition": "attachment; filename*=UTF-8''%E8%8D%AF+1.png",
        "x-oss-process": "image/resize,w_400/format,jpg",
    },
    "empty value": {"acl": "", "a b": "c+d", "a": "药"},
}
CASES = [
    Case(f"{key}, {token}, {query}", _KEYS[key], _TOKENS[token], _QUERIES[query])
    for key, token, query in product(_KEYS, _TOKENS, _QUERIES)
]


def _signed(case: Case) -> dict[str, Any]:
    query = "&".join(f"{quote(k, safe='')}={quote(v, safe='')}" for k, v in case.query.items())
    put, copy = {"Content-Type": case.content_type}, {"x-oss-copy-source": "/b/k"}
    return {
        "link": _query_of(_sign(case, "GET", query, {}, case.seconds).request.url),
        "put": _query_of(_sign(case, "PUT", "", put, 60).request.url),
        "authorization": _authorization(_sign(case, "PUT", "", {**put, **copy}, 0)),
        "policy": _policy_signature(case),
    }


def _sign(case: Case, method: str, query: str, headers: dict[str, str], seconds: int) -> Any:
    """Sign in the query, or in headers if it has no end."""
    from alibabacloud_oss_v2.credentials import Credentials  # type: ignore[import-not-found]
    from alibabacloud_oss_v2.signer.v4 import SignerV4  # type: ignore[import-not-found]
    from alibabacloud_oss_v2.types import (  # type: ignore[import-not-found]
        HttpRequest,
        SigningContext,
    )

    url = f"https://{BUCKET}.oss-cn-hangzhou.aliyuncs.com/{quote(case.key)}"
    request = HttpRequest(method, f"{url}?{query}" if query else url, headers=headers)
    now = datetime.fromtimestamp(AT, timezone.utc)
    credentials = Credentials(case.access_id, case.secret, case.token or None)
    context = SigningContext("oss", REGION, BUCKET, case.key, request, credentials, now)
    context.auth_method_query = bool(seconds)
    context.expiration_time = now + timedelta(seconds=seconds)
    SignerV4().sign(context)
    return context


def _query_of(url: str) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(url).query, keep_blank_values=True))


def _authorization(context: Any) -> str:
    """As we and oss2 write it, with a blank after the comma."""
    return str(context.request.headers["Authorization"]).replace(",Signature", ", Signature")


def _policy_signature(case: Case) -> str:
    """The SDK signs texts with the same key, whatever they are."""
    from alibabacloud_oss_v2.signer.v4 import SignerV4

    day = datetime.fromtimestamp(AT, timezone.utc).strftime("%Y%m%d")
    return str(SignerV4()._calc_signature(case.secret, day, REGION, "oss", "cG9saWN5"))


if __name__ == "__main__":
    print(json.dumps({case.name: _signed(case) for case in CASES}))
