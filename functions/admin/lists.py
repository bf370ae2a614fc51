"""Lists for administrators: one page of the rows that a query selects."""

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from shared.accounts import auth
from shared.database.connection import Connection
from shared.database.transactions import read
from shared.web.endpoint import Request, Response
from shared.web.pagination import HasCursor, ListQuery, page

Query = TypeVar("Query", bound=ListQuery)
Row = TypeVar("Row", bound=HasCursor)


def list_page(
    request: Request,
    model: type[Query],
    find: Callable[[Connection, Query], Sequence[Row]],
    to_json: Callable[[Row], Mapping[str, object]],
) -> Response:
    """Answer with the rows that `find` returns for the query.

    Raises: as auth.admitted_administrator; InvalidRequest; what `find` raises.
    """
    auth.admitted_administrator(request)
    query = request.parse_query(model)
    return Response.ok(page(read(find, query), query, to_json))
