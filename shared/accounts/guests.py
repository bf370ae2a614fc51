"""Guests' counting keys: keyed hashes of the client's network."""

import hashlib
import hmac

from shared import settings
from shared.config import load
from shared.web.client_ip import network
from shared.web.requests import Request


def of_address(kind: str, request: Request, *more: str) -> str:
    """Keyed, because a plain hash of an address can be reversed by trying all addresses."""
    secret = load(settings.Tokens).secret.reveal().encode()
    text = "\n".join([network(request.client_ip), *more])
    return hmac.new(secret, f"{kind}:{text}".encode(), hashlib.sha256).hexdigest()
