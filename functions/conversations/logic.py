"""Conversations and messages as JSON, and the rename request. Does no I/O."""

from collections.abc import Mapping, Sequence, Set
from typing import Literal

from pydantic import BaseModel

from shared.repos.conversations import ConversationSummary, Message
from shared.repos.message_media import ListedMedia
from shared.times import iso_utc
from shared.web.fields import ShownTitle
from shared.web.pagination import ListQuery


class MessagesQuery(ListQuery):
    """`order` is by time: asc is the oldest first."""

    order: Literal["asc", "desc"] = "asc"


class RenameConversation(BaseModel):
    title: ShownTitle


def conversation_json(row: ConversationSummary) -> dict[str, object]:
    return {
        "id": row.id,
        "title": row.title,
        "created_at": iso_utc(row.created_at_ms),
        "updated_at": iso_utc(row.updated_at_ms),
    }


def message_json(
    row: Message, *, open_ids: Set[str], media: Mapping[str, Sequence[ListedMedia]]
) -> dict[str, object]:
    """`open_ids` are the answers that still run, `media` those of the questions.

    `message_id` is the name of an answer in chat.
    """
    common: dict[str, object] = {
        "id": row.id,
        "role": row.role,
        "content": row.content,
        "created_at": iso_utc(row.created_at_ms),
    }
    if row.role == "user":
        return {**common, "media": [_media_json(one) for one in media.get(row.id, ())]}
    usage = {"prompt_tokens": row.prompt_tokens, "completion_tokens": row.completion_tokens}
    return {
        **common,
        "message_id": row.id,
        "state": "open" if row.id in open_ids else "done",
        "model": row.model,
        "finish_reason": row.finish_reason,
        "usage": usage,
        "ai_generated": True,
    }


def _media_json(media: ListedMedia) -> dict[str, object]:
    return {"id": media.id, "filename": media.filename, "content_type": media.content_type}
