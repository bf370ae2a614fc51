"""Random codes to copy by hand, without characters that look alike."""

import secrets

_ALPHABET = "23456789ABCDEFGHJKMNPQRSTVWXYZ"  # neither 0 and O, nor 1, I and L, nor U


def new_code(*, groups: int) -> str:
    """Groups of four, such as K7QX-2MWD-9TRB; each is worth 19.6 bits."""
    return "-".join(_group() for _ in range(groups))


def _group() -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(4))
