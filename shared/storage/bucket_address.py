"""Addresses of a bucket: its host under Alibaba Cloud's, a domain of one's own, or an IP."""

import ipaddress
from dataclasses import dataclass
from urllib.parse import quote, urlsplit


@dataclass(frozen=True)
class BucketAddress:
    """The URL of a bucket. A signature names the object as `/bucket/key` at each of them."""

    base: str
    bucket: str

    @classmethod
    def at(cls, endpoint: str, bucket: str) -> "BucketAddress":
        scheme, _, host = endpoint.partition("://")
        if is_own_domain(endpoint):
            return cls(endpoint, bucket)
        if _is_ip(endpoint):
            return cls(f"{endpoint}/{bucket}", bucket)
        return cls(f"{scheme}://{bucket}.{host}", bucket)

    def url(self, key: str) -> str:
        return f"{self.base}/{quote(key, safe='/')}"

    def resource(self, key: str) -> str:
        return f"/{self.bucket}/{key}"


def is_own_domain(endpoint: str) -> bool:
    """Whether the endpoint is a domain that was bound to the bucket (CNAME)."""
    host = urlsplit(endpoint).hostname or ""
    return not host.endswith(".aliyuncs.com") and not _is_ip(endpoint)


def _is_ip(endpoint: str) -> bool:
    host = urlsplit(endpoint).hostname or ""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return host == "localhost"
    return True
