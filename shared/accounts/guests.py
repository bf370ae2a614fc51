"""Whom something is counted for, where it is nobody with an account: keyed hashes."""

import hashlib
import hmac

from shared import settings
from shared.config import load
from shared.web.client_ip import network
from shared.web.requests import Request


def of_address(kind: str, request: Request, *more: str) -> str:
    """Keyed, because a plain hash of an address is soon undone by trying them all."""
    secret = load(settings.Tokens).secret.reveal().encode()
    told = "\n".join([network(request.client_ip), *more])
    return hmac.new(secret, f"{kind}:{told}".encode(), hashlib.sha256).hexdigest()
