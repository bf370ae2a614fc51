"""/api/conversations: list, read, rename and delete one's own conversations."""

from functools import partial

from functions.conversations import logic, running
from functions.conversations.logic import MessagesQuery, RenameConversation
from functions.conversations.running import Page
from shared.accounts import auth
from shared.accounts.tokens import Claims
from shared.database.connection import Connection
from shared.database.transactions import read, transaction
from shared.errors import NotFound
from shared.repos import answer_chunks, conversations, running_answers, turns
from shared.web.endpoint import Request, Response, endpoint, serve
from shared.web.pagination import ListQuery, page


@endpoint("GET", "/api/conversations", query=ListQuery)
def list_conversations(request: Request) -> Response:
    claims = auth.signed_in(request)
    return Response.ok(read(_list, claims, request.parse_query(ListQuery)))


@endpoint("GET", "/api/conversations/{conversation_id}/messages", query=ListQuery)
def list_messages(request: Request) -> Response:
    claims = auth.signed_in(request)
    return Response.ok(read(_messages, claims, _id(request), request.parse_query(MessagesQuery)))


@endpoint("PATCH", "/api/conversations/{conversation_id}", body=RenameConversation)
def rename_conversation(request: Request) -> Response:
    claims, body = auth.signed_in(request), request.parse(RenameConversation)
    return Response.ok(transaction(_rename, claims, _id(request), body.title))


@endpoint("DELETE", "/api/conversations/{conversation_id}")
def delete_conversation(request: Request) -> Response:
    transaction(_erase, auth.signed_in(request), _id(request))
    return Response.ok({"id": _id(request)})


def _id(request: Request) -> str:
    return request.path["conversation_id"]


def _list(db: Connection, claims: Claims, query: ListQuery) -> dict[str, object]:
    user = auth.active_user(db, claims)
    part = Page(query.after, query.fetch_count, newest_first=True)
    rows = running.list_conversations(db, user.id, part)
    return page(rows, query, logic.conversation_json)


def _messages(
    db: Connection, claims: Claims, conversation_id: str, query: MessagesQuery
) -> dict[str, object]:
    user = auth.active_user(db, claims)
    part = Page(query.after, query.fetch_count, newest_first=query.order == "desc")
    found = running.list_messages(db, conversation_id, user.id, part)
    message_json = partial(logic.message_json, open_ids=found.open_ids, media=found.media)
    return page(found.rows, query, message_json)


def _rename(db: Connection, claims: Claims, conversation_id: str, title: str) -> dict[str, object]:
    """The turn of a running first answer is updated first: see `_erase`."""
    if conversation_id.endswith(" "):  # MySQL ignores blanks at the end
        raise NotFound
    is_new = running_answers.rename_new(db, conversation_id, claims.user_id, title)
    user = auth.active_user(db, claims)
    if is_new:
        return logic.conversation_json(running.get_new(db, conversation_id, user.id))
    found = conversations.get_for(db, conversation_id, user.id)
    conversations.rename(db, found.id, title)
    return logic.conversation_json(conversations.get_listed(db, found.id))


def _erase(db: Connection, claims: Claims, conversation_id: str) -> None:
    """Delete the messages and the questions; the charges stay.

    Turns are updated first: see shared.repos.lock_order. Nothing is read before them,
    because MySQL takes the snapshot of a transaction at its first read, and it would
    not show an answer that was stored while this waited. A question whose first answer
    is still running can be deleted too.

    Raises: InvalidToken, NotFound.
    """
    if conversation_id.endswith(" "):  # MySQL ignores blanks at the end
        raise NotFound
    forgotten = turns.forget_questions(db, claims.user_id, conversation_id)
    user = auth.active_user(db, claims)
    removed = conversations.remove(db, conversation_id, user.id)
    if not (forgotten or removed):
        raise NotFound
    answer_chunks.remove_of_conversation(db, user.id, conversation_id)


handler = serve(list_conversations, list_messages, rename_conversation, delete_conversation)
