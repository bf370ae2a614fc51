"""/api/conversations: list one's own conversations, read, rename and delete them."""

from functions.conversations import logic
from functions.conversations.logic import Change
from shared.accounts import auth
from shared.accounts.tokens import Claims
from shared.database.connection import Connection
from shared.database.transactions import read, transaction
from shared.errors import NotFound
from shared.repos import answer_chunks, conversations, turns
from shared.web.endpoint import Request, Response, endpoint, serve
from shared.web.pagination import ListQuery, page


@endpoint("GET", "/api/conversations")
def listing(request: Request) -> Response:
    claims = auth.signed_in(request)
    return Response.ok(read(_list, claims, request.parse_query(ListQuery)))


@endpoint("GET", "/api/conversations/{conversation_id}/messages")
def messages(request: Request) -> Response:
    claims = auth.signed_in(request)
    return Response.ok(read(_messages, claims, _id(request), request.parse_query(ListQuery)))


@endpoint("PATCH", "/api/conversations/{conversation_id}")
def rename(request: Request) -> Response:
    claims, change = auth.signed_in(request), request.parse(Change)
    return Response.ok(transaction(_rename, claims, _id(request), change.title))


@endpoint("DELETE", "/api/conversations/{conversation_id}")
def delete(request: Request) -> Response:
    transaction(_erase, auth.signed_in(request), _id(request))
    return Response.ok({"id": _id(request)})


def _id(request: Request) -> str:
    return request.path["conversation_id"]


def _list(db: Connection, claims: Claims, query: ListQuery) -> dict[str, object]:
    user = auth.active_user(db, claims)
    rows = conversations.list_of(db, user.id, after=query.after, count=query.fetch_count)
    return page("conversations", rows, query, logic.conversation)


def _messages(
    db: Connection, claims: Claims, conversation_id: str, query: ListQuery
) -> dict[str, object]:
    user = auth.active_user(db, claims)
    found = conversations.get_for(db, conversation_id, user.id)
    rows = conversations.list_messages(db, found.id, after=query.after, count=query.fetch_count)
    return page("messages", rows, query, logic.message)


def _rename(db: Connection, claims: Claims, conversation_id: str, title: str) -> dict[str, object]:
    user = auth.active_user(db, claims)
    found = conversations.get_for(db, conversation_id, user.id)
    conversations.rename(db, found.id, title)
    return logic.conversation(conversations.get_listed(db, found.id))


def _erase(db: Connection, claims: Claims, conversation_id: str) -> None:
    """What was said goes; what was charged for it stays.

    The turns come first, as where an answer is concluded: in another order the
    two would wait for each other. They come before anything is read, too: MySQL
    reads what there was at the first read, and an answer that was waited for is
    younger. A question whose first answer is still being given can be deleted.

    Raises: InvalidToken, NotFound.
    """
    if conversation_id.endswith(" "):  # MySQL overlooks blanks at the end
        raise NotFound
    asked = turns.forget_questions(db, claims.user_id, conversation_id)
    user = auth.active_user(db, claims)
    found = conversations.remove(db, conversation_id, user.id)
    if not (asked or found):
        raise NotFound
    answer_chunks.remove_of_conversation(db, user.id, conversation_id)


handler = serve(listing, messages, rename, delete)
