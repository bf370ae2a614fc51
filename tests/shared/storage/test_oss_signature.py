"""Our signatures of version 4 are those of OSS's own SDKs, byte for byte."""

import base64
import datetime
import hashlib
import hmac
import json
import string
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import oss2
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from shared.config import Secret
from shared.credentials import Credentials
from shared.storage.bucket_address import BucketAddress
from shared.storage.media_storage import UploadTerms
from shared.storage.oss_signature import Signer
from shared.storage.presigner import Presigner
from tests.client_python import client_python
from tests.patience import HANG_SECONDS
from tests.shared.storage import sdk_cases
from tests.shared.storage.sdk_cases import AT, BUCKET, ENDPOINT, REGION, Case

texts = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), min_size=1)
ascii_words = st.text(string.ascii_letters + string.digits, min_size=1, max_size=40)
tokens = st.one_of(st.just(""), st.text(string.printable.strip(), min_size=1, max_size=200))
keys = texts.filter(lambda key: not key.startswith("/") and len(key.encode()) < 1000)


class _Clock(datetime.datetime):
    @classmethod
    def utcnow(cls) -> datetime.datetime:  # type: ignore[override]  # oss2 takes no other clock
        return datetime.datetime.fromtimestamp(AT, datetime.timezone.utc).replace(tzinfo=None)


@pytest.fixture(autouse=True, scope="module")
def clock_of_oss2() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("oss2.auth.datetime", _Clock)
        yield


def oss2_bucket(access: Credentials, endpoint: str = ENDPOINT) -> Any:
    token = access.token.reveal()
    provider = oss2.credentials.StaticCredentialsProvider(
        access.key_id, access.secret.reveal(), token or None
    )
    is_cname = "aliyuncs" not in endpoint and "127.0.0.1" not in endpoint
    auth = oss2.ProviderAuthV4(provider)
    return oss2.Bucket(auth, endpoint, BUCKET, region=REGION, is_cname=is_cname)


def presigner(access: Credentials, endpoint: str = ENDPOINT) -> Presigner:
    return Presigner(BucketAddress.at(endpoint, BUCKET), REGION, lambda: access, lambda: AT)


def of(access_id: str, secret: str, token: str) -> Credentials:
    return Credentials(access_id, Secret(secret), Secret(token))


@given(keys, texts, ascii_words, ascii_words, tokens, st.integers(1, 604800))
@example("media/药 盒+1~*'()!/x&y=z?#.png", "药 盒+1.png", "LTAI5t", "s3cret", "a+b/c==", 600)
def test_links_are_those_of_oss2(
    key: str, filename: str, access_id: str, secret: str, token: str, seconds: int
) -> None:
    access = of(access_id, secret, token)
    for endpoint in (ENDPOINT, "https://files.example.com", "http://127.0.0.1:9000"):
        ours = presigner(access, endpoint).link(
            key, filename=filename, seconds=seconds, process="image/resize,w_400"
        )
        query = dict(parse_qsl(urlsplit(ours).query))
        params = {name: query[name] for name in ("response-content-disposition", "x-oss-process")}
        theirs = oss2_bucket(access, endpoint).sign_url(
            "GET", key, seconds, params=params, slash_safe=True
        )

        assert ours == theirs


@given(keys, ascii_words, ascii_words, tokens)
def test_signed_puts_are_those_of_oss2(key: str, access_id: str, secret: str, token: str) -> None:
    access = of(access_id, secret, token)
    ours = presigner(access).put(UploadTerms(key, "image/png", 9, (AT + 300) * 1000))
    theirs = oss2_bucket(access).sign_url(
        "PUT", key, 300, headers={"Content-Type": "image/png"}, slash_safe=True
    )

    assert ours.url == theirs
    assert ours.headers == {"Content-Type": "image/png"}


@given(keys, ascii_words, ascii_words, tokens, st.dictionaries(ascii_words, ascii_words))
def test_headers_of_our_own_requests_are_those_of_oss2(
    key: str, access_id: str, secret: str, token: str, extra: dict[str, str]
) -> None:
    access = of(access_id, secret, token)
    given_headers = {
        "Content-Type": "image/png",
        "x-oss-copy-source": f"/{BUCKET}/x",
        **{f"x-oss-meta-{name.lower()}": text for name, text in extra.items()},
        "Range": "bytes=0-9",
    }
    signer = Signer.of_time(access, REGION, AT)
    ours = signer.signed_headers("PUT", f"/{BUCKET}/{key}", {}, given_headers)

    bucket = oss2_bucket(access)
    request = oss2.http.Request(
        "PUT", "https://x", headers=dict(given_headers), region=REGION, product="oss"
    )
    bucket.auth._sign_request(request, BUCKET, key)
    assert ours["Authorization"] == request.headers["authorization"]
    for name in ("x-oss-date", "x-oss-content-sha256", "x-oss-security-token"):
        assert ours.get(name) == request.headers.get(name)


def test_a_form_is_signed_as_oss2_signs_its_key() -> None:
    """oss2 makes no forms: their signature is the signing key over the policy in Base64."""
    access = of("LTAI5t", "s3cret", "a+b/c==")
    form = presigner(access).form(UploadTerms("tmp/药 盒", "image/png", 9, (AT + 300) * 1000))

    auth = oss2_bucket(access).auth
    request = oss2.http.Request("POST", "https://x", region=REGION, product="oss")
    signing_key = auth._ProviderAuthV4__get_signing_key(
        request, auth.credentials_provider.get_credentials(), form.fields["x-oss-date"]
    )
    wanted = hmac.new(signing_key, form.fields["policy"].encode(), hashlib.sha256).hexdigest()
    assert form.fields["x-oss-signature"] == wanted
    policy = json.loads(base64.b64decode(form.fields["policy"]))
    assert policy == {
        "expiration": "2026-11-29T08:05:00.000Z",
        "conditions": [
            {"bucket": BUCKET},
            ["content-length-range", 1, 9],
            ["eq", "$key", "tmp/药 盒"],
            ["eq", "$content-type", "image/png"],
            ["eq", "$x-oss-content-type", "image/png"],
            ["eq", "$success_action_status", "200"],
            ["eq", "$x-oss-signature-version", "OSS4-HMAC-SHA256"],
            ["eq", "$x-oss-credential", "LTAI5t/20261129/cn-hangzhou/oss/aliyun_v4_request"],
            ["eq", "$x-oss-date", "20261129T080000Z"],
            ["eq", "$x-oss-security-token", "a+b/c=="],
        ],
    }


@pytest.fixture(scope="module")
def signed_by_the_new_sdk() -> dict[str, dict[str, Any]]:
    """All cases, signed by alibabacloud-oss-v2 in a process of its own."""
    done = subprocess.run(
        [str(client_python()), str(Path(__file__).parent / "sdk_cases.py")],
        capture_output=True,
        text=True,
        timeout=HANG_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    signed: dict[str, dict[str, Any]] = json.loads(done.stdout.splitlines()[-1])
    return signed


@pytest.mark.parametrize("case", sdk_cases.CASES, ids=lambda case: case.name)
def test_signatures_are_those_of_the_new_sdk(
    case: Case, signed_by_the_new_sdk: dict[str, dict[str, Any]]
) -> None:
    theirs = signed_by_the_new_sdk[case.name]
    access = of(case.access_id, case.secret, case.token)
    signer, resource = Signer.of_time(access, REGION, AT), f"/{BUCKET}/{case.key}"

    query = signer.signed_query("GET", resource, case.query, {}, case.seconds)
    assert query == theirs["link"]
    put = signer.signed_query("PUT", resource, {}, {"Content-Type": case.content_type}, 60)
    assert put == theirs["put"]
    copied = {"Content-Type": case.content_type, "x-oss-copy-source": "/b/k"}
    headers = signer.signed_headers("PUT", resource, {}, copied)
    assert headers["Authorization"] == theirs["authorization"]
    assert signer.sign_policy("cG9saWN5") == theirs["policy"]
