"""Encryption of stored upstreams' keys, bound to the upstream and the origin of its URL."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from hashlib import blake2b
from urllib.parse import urlsplit

from shared import settings
from shared.config import Secret, load
from shared.errors import Misconfigured

_BYTES = 32
_ID_BYTES = 6


def seal(key: Secret, upstream_id: str, url: str) -> str:
    """Encrypt a key for one upstream and the origin of its URL, with the first of our secrets.

    It cannot be decrypted in another row or with the URL of another server, so write
    access to the table is not enough to have the key sent elsewhere.

    Raises: Misconfigured.
    """
    from nacl.secret import Aead  # 20 ms to import, only where upstreams are stored

    secret = load(settings.UpstreamKeys).secrets[0]
    sealed = Aead(_key(secret)).encrypt(key.reveal().encode(), _owner(upstream_id, url))
    return f"{_id(secret)}.{urlsafe_b64encode(sealed).decode()}"


def unseal(sealed: str, upstream_id: str, url: str) -> Secret:
    """Raises: Misconfigured: none of our secrets decrypts it for this upstream."""
    from nacl.exceptions import CryptoError
    from nacl.secret import Aead

    used, _, text = sealed.partition(".")
    for secret in load(settings.UpstreamKeys).secrets:
        if _id(secret) == used:
            try:
                opened = Aead(_key(secret)).decrypt(
                    urlsafe_b64decode(text), _owner(upstream_id, url)
                )
            except (CryptoError, ValueError):
                break
            return Secret(opened.decode())
    raise Misconfigured(
        problems=[f"UPSTREAM_KEYS_SECRET does not open the key of upstream {upstream_id}"]
    )


def origin_of(url: str) -> str:
    """Scheme, host and port: the server that receives the key."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}".lower()


def _owner(upstream_id: str, url: str) -> bytes:
    return f"{upstream_id} {origin_of(url)}".encode()


def _key(secret: Secret) -> bytes:
    return _derived(secret, b"upstream-key", _BYTES)


def _id(secret: Secret) -> str:
    """An identifier of the secret that reveals nothing of it, so that secrets can be rotated."""
    return _derived(secret, b"upstream-key-id", _ID_BYTES).hex()


def _derived(secret: Secret, purpose: bytes, size: int) -> bytes:
    return blake2b(secret.reveal().encode(), digest_size=size, person=purpose).digest()
