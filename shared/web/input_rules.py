"""Rules for the input of every route: its content type, and no input that the route ignores."""

import re
from collections.abc import Iterable

from shared.errors import InvalidRequest, UnsupportedMediaType
from shared.problems import Problem, detail
from shared.web.requests import EVERYWHERE, Request
from shared.web.unknown_names import unknown
from shared.web.validation import MOST_DETAILS, field_path

_NO_BODY = Problem("must be empty here", "此接口不接受请求体")
_JSON = re.compile(r"application/([\w.+-]+\+)?json\s*(;.*)?", re.IGNORECASE | re.DOTALL)


def refuse_other_types(request: Request) -> None:
    """Refuse a body that is not JSON by its type, because browsers send some without asking.

    A page of any origin can send text/plain, or no type at all, without a preflight
    (Fetch standard, "CORS-safelisted request-header"). Programs that are no browser send
    no Origin; their body needs no type.

    Raises: UnsupportedMediaType.
    """
    media_type = request.headers.get("content-type", "").strip()
    is_untyped = not media_type and "origin" not in request.headers
    if request.body and not is_untyped and not _JSON.fullmatch(media_type):
        raise UnsupportedMediaType


def refuse_ignored_query(request: Request) -> None:
    """For routes without query parameters. Raises: InvalidRequest."""
    _refuse("query", request.query.keys() - EVERYWHERE)


def refuse_ignored_body(request: Request) -> None:
    """For routes without a body; an empty object is none. Raises: MalformedJson, InvalidRequest."""
    if not request.body.strip():
        return
    content = request.json()
    if not isinstance(content, dict):
        raise InvalidRequest(details=[detail("body", _NO_BODY)])
    _refuse("body", content)


def _refuse(where: str, names: Iterable[str]) -> None:
    shown = sorted(names)[:MOST_DETAILS]
    if shown:
        raise InvalidRequest(
            details=[detail(field_path(where, name), unknown(name, [])) for name in shown]
        )
