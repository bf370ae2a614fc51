"""Device names: how clients call themselves in the User-Agent header."""

import unicodedata

from shared.invisible import without_invisible
from shared.web.requests import Request

_LONGEST = 200


def device_name(request: Request) -> str | None:
    """The header's visible characters; None where there are none."""
    header = request.headers.get("user-agent", "")
    printable = "".join(
        one for one in header if one.isprintable() or unicodedata.category(one) == "Cf"
    )
    return without_invisible(printable).strip()[:_LONGEST] or None
