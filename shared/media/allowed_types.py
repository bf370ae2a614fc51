"""The content types that this deployment accepts."""

from shared import settings
from shared.config import load
from shared.errors import Misconfigured
from shared.media.content_types import ALLOWED, canonical


def allowed_types() -> list[str]:
    """Raises: Misconfigured: ALLOWED_FILE_TYPES names a type that is not known here."""
    names = [canonical(name) for name in load(settings.Uploads).allowed_types]
    if unknown := sorted(set(names) - set(ALLOWED)):
        raise Misconfigured(problems=[f"ALLOWED_FILE_TYPES has unknown types: {unknown}"])
    return list(dict.fromkeys(names)) or list(ALLOWED)
