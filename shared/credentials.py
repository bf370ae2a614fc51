"""The keys to Alibaba Cloud's services: one's own, or those of the function's role."""

from dataclasses import dataclass

from shared.config import Secret, role_credentials


@dataclass(frozen=True)
class Credentials:
    """`token` goes with those of a role, which expire."""

    key_id: str
    secret: Secret
    token: Secret = Secret("")

    def __bool__(self) -> bool:
        return bool(self.key_id and self.secret)


def of_context(context: object) -> Credentials | None:
    """Those that python3.9 and python3.10 hand to the function with each call."""
    given = getattr(context, "credentials", None)
    names = ("access_key_id", "access_key_secret", "security_token")
    key_id, secret, token = (str(getattr(given, name, None) or "") for name in names)
    return Credentials(key_id, Secret(secret), Secret(token)) or None


def of_role(called_with: Credentials | None) -> Credentials:
    """Those of this call, else those of the process: python3.12 has only the latter."""
    return called_with or Credentials(*role_credentials())
