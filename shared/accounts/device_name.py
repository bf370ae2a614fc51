"""Device names: how clients call themselves in the User-Agent header."""

from shared.web.requests import Request

_LONGEST = 200


def device_name(request: Request) -> str | None:
    """The header's printable characters; None where there are none."""
    header = request.headers.get("user-agent", "")
    printable = "".join(character for character in header if character.isprintable())
    return printable.strip()[:_LONGEST] or None
