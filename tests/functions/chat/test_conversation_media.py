"""A conversation keeps which media its questions had, until one of the two is deleted."""

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from functions.account.index import handler as account
from functions.conversations.index import handler as conversations
from functions.export.index import handler as export
from functions.maintenance import aging
from functions.maintenance.chores import Counts
from shared.answers.conclusion import conclude
from shared.answers.ending import Ending
from shared.database.connection import Connection
from shared.database.transactions import read, transaction
from shared.ids import question_id
from shared.llm.estimate import estimate_prompt_tokens
from shared.money import charging
from shared.money.outcome import stored_outcome
from shared.pricing import Tokens
from shared.repos import media, turns
from shared.repos.answer_chunks import AnswerChunk
from shared.repos.media import Media
from shared.times import DAY_MS, now_ms
from tests.conftest import Configure
from tests.events import Reply, invoke
from tests.fakes import oss
from tests.fakes.oss import Bucket
from tests.fakes.upstream import Upstream
from tests.functions.chat.chatting import post
from tests.functions.conftest import SignUp
from tests.functions.exports.exporting import PATH, json_lines
from tests.functions.wallets import abandoned, today
from tests.media_files import add_document, add_picture
from tests.patience import HANG_SECONDS
from tests.people import PASSWORD, Person, admin_token
from tests.web import WebFunction, eventually, serving

NAMES = [("a.png", "image/png"), ("report.pdf", "application/pdf")]


@pytest.fixture(scope="module")
def bucket() -> Iterator[Bucket]:
    with oss.running() as started:
        yield started


@pytest.fixture(scope="module")
def seeing(
    variables: dict[str, str], upstream_server: Upstream, chat_database: str, bucket: Bucket
) -> Iterator[WebFunction]:
    """The models `vl`, which sees, and `blind`."""
    listed = [
        {"name": name, "url": upstream_server.url, "key": "k", "serves": name, "vision": vision}
        for name, vision in (("vl", True), ("blind", False))
    ]
    more = {"DATABASE_URL": chat_database, "UPSTREAMS": json.dumps(listed)}
    with serving("chat", **variables, **more, **bucket.variables) as web:
        yield web


@pytest.fixture
def anna(sign_up: SignUp) -> Person:
    return sign_up()


@pytest.fixture
def both(anna: Person, bucket: Bucket) -> list[Media]:
    """A picture and a document."""
    return [add_picture(bucket, anna.id), add_document(anna.id, "All of the text.")]


def show(web: WebFunction, person: Person, *shown: Media, **fields: object) -> Reply:
    ids = [one.id for one in shown]
    return post(
        web, {"message": "See?", "model": "vl", "media_ids": ids, **fields}, token=person.token
    )


def listed(person: Person, conversation_id: str) -> list[Any]:
    """The media of each question of a conversation."""
    path = f"/api/conversations/{conversation_id}/messages"
    items = invoke(conversations, "GET", path, token=person.token).data["items"]
    assert all("media" not in item for item in items if item["role"] == "assistant")
    return [item["media"] for item in items if item["role"] == "user"]


def as_listed(*shown: Media) -> list[dict[str, str]]:
    return [
        {"id": one.id, "filename": one.filename, "content_type": one.content_type} for one in shown
    ]


def kept(message_id: str) -> list[str]:
    """The ids of the media of a question, as they are stored."""
    kept = "SELECT media_id FROM message_media WHERE message_id = :id ORDER BY position"
    return read(lambda db: db.find_all(lambda media_id: str(media_id), kept, id=message_id))


def test_a_later_question_sees_what_the_earlier_ones_had(
    seeing: WebFunction, anna: Person, both: list[Media], bucket: Bucket, fake: Upstream
) -> None:
    first = show(seeing, anna, *both).data["conversation_id"]
    new = add_picture(bucket, anna.id)

    assert show(seeing, anna, new, conversation_id=first).status == 200

    _, earlier, _, now = fake.requests[-1].json["messages"]
    assert "All of the text." in earlier["content"][0]["text"]
    opened = [
        httpx.get(message["content"][1]["image_url"]["url"], timeout=HANG_SECONDS).content
        for message in (earlier, now)
    ]
    assert opened == [bucket.objects[one.object_key].body for one in (both[0], new)]
    assert listed(anna, first) == [as_listed(*both), as_listed(new)]


def test_a_model_that_does_not_see_is_given_the_documents_alone(
    seeing: WebFunction, anna: Person, both: list[Media], fake: Upstream
) -> None:
    first = show(seeing, anna, *both).data["conversation_id"]

    assert show(seeing, anna, model="blind", conversation_id=first).status == 200

    earlier = fake.requests[-1].json["messages"][1]["content"]
    assert isinstance(earlier, str)
    assert "All of the text." in earlier


def test_pictures_beyond_the_context_are_left_out(
    seeing: WebFunction, anna: Person, bucket: Bucket, fake: Upstream
) -> None:
    """A picture of an unknown size is 2,560 tokens, and the context has 8,000."""
    pictures = [add_picture(bucket, anna.id) for _ in range(4)]
    first = show(seeing, anna, *pictures).data["conversation_id"]
    assert len(fake.requests[-1].json["messages"][-1]["content"]) == 1 + 4

    assert show(seeing, anna, conversation_id=first).status == 200

    messages = fake.requests[-1].json["messages"]
    assert 1 < len(messages[1]["content"]) < 1 + 4
    assert estimate_prompt_tokens(messages) <= 8000


def test_deleted_media_are_left_out(
    seeing: WebFunction, anna: Person, both: list[Media], fake: Upstream
) -> None:
    answer = show(seeing, anna, *both).data
    first = answer["conversation_id"]
    transaction(media.remove, both[0])

    assert show(seeing, anna, conversation_id=first).status == 200

    assert "All of the text." in fake.requests[-1].json["messages"][1]["content"]
    assert listed(anna, first)[0] == as_listed(both[1])
    assert kept(question_id(answer["message_id"])) == [both[1].id]


def test_media_that_are_deleted_while_the_answer_runs_are_not_kept(
    seeing: WebFunction, anna: Person, both: list[Media], fake: Upstream
) -> None:
    with ThreadPoolExecutor(1) as pool:
        asking = pool.submit(show, seeing, anna, *both, message="scenario: held-midway")
        message_id = eventually(lambda: running_answer(anna))
        assert listed(anna, message_id) == [as_listed(*both)]
        transaction(media.remove, both[0])
        assert listed(anna, message_id) == [as_listed(both[1])]
        fake.released.set()
        assert asking.result(HANG_SECONDS).data["message_id"] == message_id

    assert kept(question_id(message_id)) == [both[1].id]
    assert listed(anna, message_id) == [as_listed(both[1])]


def running_answer(person: Person) -> str:
    """The id of the answer that still runs, or nothing."""
    sql = "SELECT message_id FROM turns WHERE user_id = :id AND state = 'open'"
    return read(lambda db: db.find(lambda message_id: str(message_id), sql, id=person.id)) or ""


def test_an_answer_that_another_instance_ends_has_the_media_too(
    anna: Person, both: list[Media]
) -> None:
    transaction(charging.prepare, anna.id, anna.id, today())
    turn = abandoned(
        anna.id,
        AnswerChunk("text", "So"),
        media_ids=",".join(one.id for one in both),
        is_truncated=1,
    )

    transaction(conclude, read(turns.get, turn.message_id), Ending("So", "stop", Tokens(1, 1)))

    assert listed(anna, turn.message_id) == [as_listed(*both)]
    assert stored_outcome(read(turns.get, turn.message_id))["truncated"] is True


def test_media_go_with_their_conversation_and_their_account(
    seeing: WebFunction, anna: Person, both: list[Media], configure: Configure
) -> None:
    ids = [show(seeing, anna, *both).data["message_id"] for _ in range(3)]
    questions = [question_id(one) for one in ids]
    assert [kept(one) for one in questions] == [[one.id for one in both]] * 3

    failing = {"message": "scenario: status-500"}
    assert show(seeing, anna, *both, conversation_id=ids[0], **failing).status == 502
    assert show(seeing, anna, *both, conversation_id=ids[2], **failing).status == 502
    assert turns_with_media(anna) == 2
    path = f"/api/conversations/{ids[0]}"
    assert invoke(conversations, "DELETE", path, token=anna.token).status == 200
    assert kept(questions[0]) == []
    assert turns_with_media(anna) == 1
    transaction(touch, ids[1])
    configure(KEEP_CONVERSATIONS_DAYS="30")
    aging.remove_conversations(time.monotonic() + HANG_SECONDS, Counts())
    assert [len(kept(one)) for one in questions] == [0, 0, 2]
    body = {"password": PASSWORD}
    assert invoke(account, "DELETE", "/api/account", token=anna.token, json_body=body).status == 200
    assert kept(questions[2]) == []
    assert turns_with_media(anna) == 0


def turns_with_media(person: Person) -> int | None:
    left = "SELECT COUNT(*) AS n FROM turns WHERE user_id = :id AND media_ids IS NOT NULL"
    return read(lambda db: db.find(lambda n: int(n), left, id=person.id))


def touch(db: Connection, conversation_id: str) -> None:
    """Make the conversation 40 days old."""
    old = "UPDATE conversations SET updated_at_ms = :at_ms WHERE id = :id"
    db.execute(old, id=conversation_id, at_ms=now_ms() - 40 * DAY_MS)


def test_the_own_copy_and_the_export_name_the_media_of_a_question(
    seeing: WebFunction, anna: Person, both: list[Media]
) -> None:
    show(seeing, anna, *both)
    ids = ",".join(one.id for one in both)

    copy = invoke(account, "GET", "/api/account/export", token=anna.token)
    root = admin_token()
    exported = invoke(
        export, "GET", PATH, token=root, query={"dataset": "messages", "format": "ndjson"}
    )

    assert [row["media_ids"] for row in copy.json["messages"]] == [ids, None]
    assert [row["media_ids"] for row in json_lines(exported.body) if row["user_id"] == anna.id] == [
        ids,
        None,
    ]
