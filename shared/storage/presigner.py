"""Presigned uploads and links: permissions for clients, made without a request to the storage."""

import base64
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timezone
from urllib.parse import quote

from shared.credentials import Credentials
from shared.storage.bucket_address import BucketAddress
from shared.storage.media_storage import SignedForm, SignedPut, UploadTerms
from shared.storage.oss_signature import Signer, encode_query

LONGEST_UPLOAD_SECONDS = 900


@dataclass(frozen=True)
class Presigner:
    """Signs for clients. `keys` is called for each signature: those of a role are replaced."""

    address: BucketAddress
    region: str
    keys: Callable[[], Credentials]
    now: Callable[[], float] = time.time

    def form(self, terms: UploadTerms) -> SignedForm:
        """A form for exactly this object, at most 15 minutes long.

        `x-oss-content-type` wins over the type that an app or browser gives to the file part.
        """
        now = self.now()
        signer = self._signer(now)
        fields = {
            "key": terms.key,
            "content-type": terms.content_type,
            "x-oss-content-type": terms.content_type,
            "success_action_status": "200",
            **signer.form_fields(),
        }
        conditions: list[object] = [
            {"bucket": self.address.bucket},
            ["content-length-range", 1, terms.size],
            *(["eq", f"${name}", value] for name, value in fields.items()),
        ]
        ends = _iso(now + _seconds_left(terms, now))
        policy = _base64({"expiration": ends, "conditions": conditions})
        signature = signer.sign_policy(policy)
        signed = {**fields, "policy": policy, "x-oss-signature": signature}
        return SignedForm(f"{self.address.base}/", signed)

    def put(self, terms: UploadTerms) -> SignedPut:
        """A PUT for this key and content type, at most 15 minutes long."""
        now, headers = self.now(), {"Content-Type": terms.content_type}
        seconds = _seconds_left(terms, now)
        return SignedPut(self._url("PUT", terms.key, {}, headers, seconds, now), headers)

    def link(
        self, key: str, *, filename: str, seconds: int, process: str = "", inline: bool = False
    ) -> str:
        query = {"response-content-disposition": disposition(filename, inline=inline)}
        if process:
            query["x-oss-process"] = process
        return self._url("GET", key, query, {}, seconds, self.now())

    def _url(
        self,
        method: str,
        key: str,
        query: dict[str, str],
        headers: dict[str, str],
        seconds: int,
        now: float,
    ) -> str:
        resource = self.address.resource(key)
        signed = self._signer(now).signed_query(method, resource, query, headers, seconds)
        return f"{self.address.url(key)}?{encode_query(signed)}"

    def _signer(self, now: float) -> Signer:
        return Signer.of_time(self.keys(), self.region, now)


class PresignedStorage:
    """The methods of MediaStorage that only sign."""

    def __init__(self, presigner: Presigner) -> None:
        self._presigner = presigner

    def form(self, terms: UploadTerms) -> SignedForm:
        return self._presigner.form(terms)

    def put(self, terms: UploadTerms) -> SignedPut:
        return self._presigner.put(terms)

    def link(
        self, key: str, *, filename: str, seconds: int, process: str = "", inline: bool = False
    ) -> str:
        return self._presigner.link(
            key, filename=filename, seconds=seconds, process=process, inline=inline
        )


def disposition(filename: str, *, inline: bool) -> str:
    """The Content-Disposition of a download (RFC 6266), for a file name in any script."""
    kind = "inline" if inline else "attachment"
    plain = "".join(c if " " <= c <= "~" and c not in '"\\%' else "_" for c in filename)
    encoded = quote(filename.encode("utf-8", "replace"), safe="")
    return f"{kind}; filename=\"{plain}\"; filename*=UTF-8''{encoded}"


def _seconds_left(terms: UploadTerms, now: float) -> int:
    return max(1, min(LONGEST_UPLOAD_SECONDS, terms.expires_at_ms // 1000 - int(now)))


def _iso(seconds: float) -> str:
    moment = datetime.fromtimestamp(int(seconds), timezone.utc)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.000Z")


def _base64(document: object) -> str:
    return base64.b64encode(json.dumps(document).encode()).decode()
