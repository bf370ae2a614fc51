"""Credentials for Alibaba Cloud's services: configured keys, or the function role's."""

from collections.abc import Mapping
from dataclasses import dataclass

from shared.config import Secret, role_credentials


@dataclass(frozen=True)
class Credentials:
    """An access key. `token` is set for temporary credentials of a role."""

    key_id: str
    secret: Secret
    token: Secret = Secret("")

    def __bool__(self) -> bool:
        return bool(self.key_id and self.secret)


def of_context(context: object) -> Credentials | None:
    """The credentials that the runtimes python3.9 and python3.10 pass with each call."""
    passed = getattr(context, "credentials", None)
    names = ("access_key_id", "access_key_secret", "security_token")
    key_id, secret, token = (str(getattr(passed, name, None) or "") for name in names)
    return Credentials(key_id, Secret(secret), Secret(token)) or None


def of_headers(headers: Mapping[str, str]) -> Credentials | None:
    """The credentials that custom runtimes pass with each request, in headers of their own."""
    names = ("access-key-id", "access-key-secret", "security-token")
    key_id, secret, token = (headers.get(f"x-fc-{name}", "") for name in names)
    return Credentials(key_id, Secret(secret), Secret(token)) or None


def of_role(called_with: Credentials | None) -> Credentials:
    """The credentials of this call, else those of the process, as in python3.12."""
    return called_with or Credentials(*role_credentials())
