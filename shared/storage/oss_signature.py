"""Signatures of OSS, version 4 (OSS documentation, "V4 signature"), over hmac."""

import hashlib
import hmac
import time
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote

from shared.credentials import Credentials

ALGORITHM = "OSS4-HMAC-SHA256"
_UNSIGNED_BODY = "UNSIGNED-PAYLOAD"


@dataclass(frozen=True)
class Signer:
    """Signs with one access key, for one region, at one moment (`20261129T080000Z`)."""

    keys: Credentials
    region: str
    at: str

    @classmethod
    def of_time(cls, keys: Credentials, region: str, seconds: float) -> "Signer":
        return cls(keys, region, time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(seconds)))

    @property
    def credential(self) -> str:
        return f"{self.keys.key_id}/{self._scope}"

    @property
    def _scope(self) -> str:
        return f"{self.at[:8]}/{self.region}/oss/aliyun_v4_request"

    def signed_headers(
        self, method: str, resource: str, query: Mapping[str, str], headers: Mapping[str, str]
    ) -> dict[str, str]:
        """The headers of a request, with its signature. `resource` is `/bucket/key`, decoded."""
        token = self.keys.token.reveal()
        signed = {
            **headers,
            "x-oss-content-sha256": _UNSIGNED_BODY,
            "x-oss-date": self.at,
            **({"x-oss-security-token": token} if token else {}),
        }
        signature = self.signature(method, resource, query, signed)
        value = f"{ALGORITHM} Credential={self.credential}, Signature={signature}"
        return {**signed, "Authorization": value}

    def signed_query(
        self,
        method: str,
        resource: str,
        query: Mapping[str, str],
        headers: Mapping[str, str],
        seconds: int,
    ) -> dict[str, str]:
        """The query of a URL that permits one request for a number of seconds."""
        token = self.keys.token.reveal()
        signed = {
            **query,
            **({"x-oss-security-token": token} if token else {}),
            "x-oss-date": self.at,
            "x-oss-expires": str(seconds),
            "x-oss-signature-version": ALGORITHM,
            "x-oss-credential": self.credential,
        }
        return {**signed, "x-oss-signature": self.signature(method, resource, signed, headers)}

    def signature(
        self, method: str, resource: str, query: Mapping[str, str], headers: Mapping[str, str]
    ) -> str:
        canonical = "\n".join(
            [
                method,
                quote(resource, safe="/"),
                _canonical_query(query),
                _canonical_headers(headers),
                "",  # no additional headers are signed
                _UNSIGNED_BODY,
            ]
        )
        hashed = hashlib.sha256(canonical.encode()).hexdigest()
        text = "\n".join([ALGORITHM, self.at, self._scope, hashed])
        return hmac.new(self._key(), text.encode(), hashlib.sha256).hexdigest()

    def form_fields(self) -> dict[str, str]:
        """The fields that a form's policy must name, besides its own conditions."""
        token = self.keys.token.reveal()
        return {
            "x-oss-signature-version": ALGORITHM,
            "x-oss-credential": self.credential,
            "x-oss-date": self.at,
            **({"x-oss-security-token": token} if token else {}),
        }

    def sign_policy(self, policy: str) -> str:
        """The signature of a form's policy, which is in Base64."""
        return hmac.new(self._key(), policy.encode(), hashlib.sha256).hexdigest()

    def _key(self) -> bytes:
        key = f"aliyun_v4{self.keys.secret.reveal()}".encode()
        for part in (self.at[:8], self.region, "oss", "aliyun_v4_request"):
            key = hmac.new(key, part.encode(), hashlib.sha256).digest()
        return key


def encode_query(query: Mapping[str, str]) -> str:
    return "&".join(f"{_encode(name)}={_encode(value)}" for name, value in query.items())


def _canonical_query(query: Mapping[str, str]) -> str:
    pairs = sorted((_encode(name), _encode(value)) for name, value in query.items())
    return "&".join(f"{name}={value}" if value else name for name, value in pairs)


def _canonical_headers(headers: Mapping[str, str]) -> str:
    lower = {name.lower(): value.strip() for name, value in headers.items()}
    return "".join(f"{name}:{lower[name]}\n" for name in sorted(lower) if _is_signed(name))


def _is_signed(name: str) -> bool:
    return name.startswith("x-oss-") or name in {"content-type", "content-md5"}


def _encode(text: str) -> str:
    return quote(text, safe="")
