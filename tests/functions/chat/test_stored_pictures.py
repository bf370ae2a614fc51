"""Pictures of a question reach the upstream as it takes them, or are refused before they cost."""

import base64
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from shared.database.connection import Connection
from shared.database.transactions import read, transaction
from shared.ids import new_id
from shared.repos import media
from shared.repos.media import Media
from tests.events import Reply
from tests.fakes import oss, upstream
from tests.fakes.oss import Bucket
from tests.fakes.upstream import Upstream
from tests.functions.chat.chatting import Stream, post
from tests.functions.conftest import API_KEY, SignUp
from tests.ledger_checks import adds_up
from tests.media_files import add_media, add_picture, png
from tests.patience import HANG_SECONDS
from tests.people import Person, paying
from tests.web import WebFunction, serving

MEBIBYTE = 1024 * 1024


@pytest.fixture(scope="module")
def bucket() -> Iterator[Bucket]:
    with oss.running() as started:
        yield started


@pytest.fixture(scope="module")
def other() -> Iterator[Upstream]:
    """The server of a second upstream."""
    with upstream.running() as server:
        yield server


@pytest.fixture(scope="module")
def given(
    variables: dict[str, str], upstream_server: Upstream, other: Upstream, chat_database: str
) -> dict[str, str]:
    """The models `vl`, which sees, `blind`, and `two` with an upstream that fails first."""
    one, two = upstream_server.url, other.url
    listed: list[dict[str, Any]] = [
        {"name": "a", "url": one, "key": API_KEY, "serves": "vl", "vision": True},
        {"name": "b", "url": one, "key": API_KEY, "serves": "blind"},
        {"name": "c", "url": two, "key": API_KEY, "serves": "two", "vision": True, "weight": 100},
        {"name": "d", "url": one, "key": API_KEY, "serves": "two", "vision": True},
    ]
    more = {"DATABASE_URL": chat_database, "GUEST_DAILY_MESSAGES": "5", "CONTEXT_TOKENS": "30000"}
    return {**variables, **more, "UPSTREAMS": json.dumps(listed)}


@pytest.fixture(scope="module")
def linking(given: dict[str, str], bucket: Bucket) -> Iterator[WebFunction]:
    with serving("chat", **given, **bucket.variables) as web:
        yield web


@pytest.fixture(scope="module")
def sending(given: dict[str, str], bucket: Bucket) -> Iterator[WebFunction]:
    with serving("chat", **given, **bucket.variables, PICTURE_DELIVERY="data") as web:
        yield web


@pytest.fixture
def payer(sign_up: SignUp) -> Person:
    return paying(sign_up(), 10_000)


def show(web: WebFunction, person: Person, *shown: Media, **fields: object) -> Reply:
    ids = [one.id for one in shown]
    body = {"message": "What is this?", "model": "vl", "media_ids": ids, **fields}
    return post(web, body, token=person.token)


def urls(fake: Upstream, number: int = -1) -> list[str]:
    """The pictures in the last message of a request."""
    content = fake.requests[number].json["messages"][-1]["content"]
    assert content[0]["type"] == "text"
    return [part["image_url"]["url"] for part in content[1:]]


def data_of(url: str, content_type: str = "image/png") -> bytes:
    start = f"data:{content_type};base64,"
    assert url.startswith(start)
    return base64.b64decode(url.removeprefix(start))


def turn_count(person: Person) -> int | None:
    counted = "SELECT COUNT(*) AS n FROM turns WHERE user_id = :id"
    return read(lambda db: db.find(lambda n: int(n), counted, id=person.id))


def unpaid(person: Person, fake: Upstream, turns: int = 0) -> bool:
    """Whether nothing was asked, nothing is stored and nothing is reserved or charged."""
    balance = "SELECT balance_fen, reserved_fen FROM wallets WHERE user_id = :id"
    wallet = read(lambda db: db.find_all(dict[str, int], balance, id=person.id))
    read(adds_up, person.id)
    kept = [{"balance_fen": 10_000, "reserved_fen": 0}]
    return (fake.requests, turn_count(person), wallet) == ([], turns, kept)


@pytest.mark.parametrize("form", ["message", "messages"])
@pytest.mark.parametrize("stream", [False, True])
def test_a_picture_is_a_link_of_ten_minutes_that_opens(
    form: str, stream: bool, linking: WebFunction, bucket: Bucket, payer: Person, fake: Upstream
) -> None:
    one, two = add_picture(bucket, payer.id), add_picture(bucket, payer.id)
    said = "What is this?"
    asked = said if form == "message" else [{"role": "user", "content": said}]
    body = {form: asked, "model": "vl", "media_ids": [two.id, one.id], "stream": stream}

    reply = post(linking, body, token=payer.token)

    assert reply.status == 200
    assert not stream or Stream.of(reply).last.name == "done"
    found = urls(fake)
    for url, picture in zip(found, [two, one], strict=True):
        opened = httpx.get(url, timeout=HANG_SECONDS)
        assert opened.content == bucket.objects[picture.object_key].body
        assert parse_qs(urlsplit(url).query)["x-oss-expires"] == ["600"]
    assert fake.requests[-1].json["messages"][-1]["content"][0]["text"] == said


def test_a_link_is_neither_logged_nor_stored(
    linking: WebFunction, bucket: Bucket, payer: Person, fake: Upstream
) -> None:
    reply = show(linking, payer, add_picture(bucket, payer.id))

    assert "x-oss-signature" in urls(fake)[0]
    assert linking.logged(reply.headers["x-request-id"])
    assert "x-oss-signature" not in linking.log
    message_id = reply.data["message_id"]
    kept = "SELECT * FROM turns WHERE message_id = :id"
    rows = read(lambda db: db.find_all(dict[str, object], kept, id=message_id))
    assert "x-oss" not in str(rows)


def test_an_upstream_that_quotes_a_link_brings_it_into_no_log(
    given: dict[str, str], bucket: Bucket, payer: Person, fake: Upstream
) -> None:
    with serving("chat", **given, **bucket.variables, LOG_UPSTREAM_TEXT="true") as web:
        picture = add_picture(bucket, payer.id)
        body = {"message": "scenario: quoting-a-picture", "model": "vl", "media_ids": [picture.id]}
        reply = post(web, body, token=payer.token)
        assert reply.status >= 400
        assert web.logged(reply.headers["x-request-id"])
        assert "x-oss-signature" in urls(fake)[0]
        for part in ("x-oss-signature", picture.object_key, bucket.key.id):
            assert part not in web.log


def test_a_link_is_signed_with_the_role_that_the_platform_names_in_the_request(
    given: dict[str, str], bucket: Bucket, payer: Person, fake: Upstream
) -> None:
    picture = add_picture(bucket, payer.id)
    body = {"message": "What is this?", "model": "vl", "media_ids": [picture.id]}
    named = {"X-Fc-Access-Key-Id": bucket.key.id, "X-Fc-Access-Key-Secret": bucket.key.secret}
    roleless = {"OSS_ACCESS_KEY_ID": "", "OSS_ACCESS_KEY_SECRET": ""}
    with serving("chat", **given, **{**bucket.variables, **roleless}) as web:
        without = post(web, body, token=payer.token)
        reply = post(web, body, token=payer.token, headers=named)
        assert web.logged(reply.headers["x-request-id"])
        assert bucket.key.secret not in web.log

    assert (without.status, without.error) == (503, "misconfigured")
    assert reply.status == 200
    assert httpx.get(urls(fake)[0], timeout=HANG_SECONDS).status_code == 200


def test_data_has_the_bytes_of_the_picture(
    sending: WebFunction, bucket: Bucket, payer: Person, fake: Upstream
) -> None:
    pictures = [add_picture(bucket, payer.id) for _ in range(8)]

    assert show(sending, payer, *pictures).status == 200

    stored = [bucket.objects[one.object_key].body for one in pictures]
    assert [data_of(url) for url in urls(fake)] == stored


def test_data_of_earlier_pictures_is_sent_in_what_the_limit_leaves(
    sending: WebFunction, bucket: Bucket, payer: Person, fake: Upstream
) -> None:
    large, other = (
        add_picture(bucket, payer.id, data=png(more=new_id().encode() + bytes(6 * MEBIBYTE)))
        for _ in range(2)
    )
    small = add_picture(bucket, payer.id)
    first = show(sending, payer, large).data["conversation_id"]

    counts = []
    for shown in (small, other, small):
        assert show(sending, payer, shown, conversation_id=first).status == 200
        contents = [one["content"] for one in fake.requests[-1].json["messages"]]
        counts.append([len(one) - 1 for one in contents if isinstance(one, list)])

    assert counts == [[1, 1], [1, 1], [1, 1, 1]]
    assert [one for one in contents if isinstance(one, str)][1] == "What is this?"


def test_from_a_folder_pictures_are_data_and_heic_is_refused(
    given: dict[str, str], tmp_path: Any, payer: Person, fake: Upstream
) -> None:
    with serving("chat", **given, STORAGE_FOLDER=str(tmp_path), PICTURE_DELIVERY="link") as web:
        picture, heic = add_media(payer.id), add_media(payer.id, "image/heic")
        place = tmp_path / picture.object_key
        place.parent.mkdir(parents=True)
        place.write_bytes(png())

        refused = show(web, payer, heic)
        assert (refused.status, refused.json["details"][0]["field"]) == (422, "body.media_ids")
        assert unpaid(payer, fake)
        assert show(web, payer, picture).status == 200
        assert data_of(urls(fake)[0]) == png()


@pytest.mark.parametrize("delivery", ["link", "data"])
def test_the_bucket_converts_heic_and_shrinks_what_is_large(
    delivery: str,
    request: pytest.FixtureRequest,
    bucket: Bucket,
    payer: Person,
    fake: Upstream,
) -> None:
    web = request.getfixturevalue("linking" if delivery == "link" else "sending")
    heic = add_picture(bucket, payer.id, "image/heic", b"heic")
    large = add_picture(bucket, payer.id, data=png(more=bytes(5 * MEBIBYTE)))
    small = add_picture(bucket, payer.id)
    bucket.processed.clear()

    assert show(web, payer, heic, large, small).status == 200

    found = urls(fake)
    if delivery == "link":
        assert [httpx.get(url, timeout=HANG_SECONDS).status_code for url in found] == [200] * 3
    else:
        assert data_of(found[0], "image/jpeg") == b"heic"
    assert sorted(bucket.processed) == sorted(
        [
            (heic.object_key, "image/auto-orient,1/format,jpg"),
            (large.object_key, "image/auto-orient,1/resize,l_2048"),
        ]
    )


def test_a_model_that_does_not_see_refuses_pictures_before_they_cost(
    sending: WebFunction, bucket: Bucket, payer: Person, fake: Upstream
) -> None:
    picture = add_picture(bucket, payer.id)
    bucket.requests.clear()
    for stream in (False, True):
        reply = show(sending, payer, picture, model="blind", stream=stream)
        assert (reply.status, reply.error) == (422, "model_cannot_see")

    assert unpaid(payer, fake)
    assert bucket.requests == []
    assert show(sending, payer, model="blind").status == 200


def test_media_of_others_are_not_found_and_cost_nothing(
    linking: WebFunction, bucket: Bucket, payer: Person, sign_up: SignUp, fake: Upstream
) -> None:
    mine, theirs = add_picture(bucket, payer.id), add_picture(bucket, sign_up().id)

    for strange in (theirs.id, new_id(), f"{mine.id} ", mine.id.lower()):
        reply = show(linking, payer, mine, media_ids=[mine.id, strange])
        assert (reply.status, reply.error) == (404, "not_found")
    assert unpaid(payer, fake)


def test_what_no_model_is_given_is_an_error_of_the_field(
    linking: WebFunction, sending: WebFunction, bucket: Bucket, payer: Person, fake: Upstream
) -> None:
    picture = add_picture(bucket, payer.id)
    sound = add_media(payer.id, "audio/mpeg", filename="a.mp3")
    large = [add_media(payer.id, size=4 * MEBIBYTE) for _ in range(3)]

    refused = [
        show(linking, payer, sound),
        show(linking, payer, picture, picture),
        show(linking, payer, media_ids=[new_id() for _ in range(9)]),
        show(linking, payer, add_media(payer.id, "application/pdf")),
        show(sending, payer, *large),
    ]

    for reply in refused:
        field = reply.json["details"][0]["field"]
        assert (reply.status, reply.error, field) == (422, "invalid_request", "body.media_ids")
    assert unpaid(payer, fake)


def test_guests_and_chat_without_accounts_have_no_media(
    linking: WebFunction, chat: WebFunction, guest_ip: str, fake: Upstream
) -> None:
    body = {"message": "What is this?", "media_ids": [new_id()]}
    guest = post(linking, {**body, "model": "vl"}, headers={"X-Forwarded-For": guest_ip})
    nobody = post(chat, body)

    assert (guest.status, guest.error) == (401, "unauthorized")
    assert (nobody.status, nobody.error) == (422, "invalid_request")
    assert nobody.json["details"][0]["field"] == "body.media_ids"
    assert fake.requests == []


def test_a_store_that_fails_costs_nothing_and_leaves_the_key_free(
    sending: WebFunction, bucket: Bucket, payer: Person, fake: Upstream
) -> None:
    picture, key = add_picture(bucket, payer.id), new_id()
    bucket.fail = [("read", 503)] * 50
    whole = show(sending, payer, picture, client_message_id=key)
    bucket.fail = [("read", 503)] * 50
    streamed = Stream.of(show(sending, payer, picture, client_message_id=key, stream=True))
    bucket.fail = []

    assert (whole.status, whole.error) == (503, "storage_unavailable")
    assert (streamed.last.name, streamed.last.data["error"]) == ("error", "storage_unavailable")
    assert unpaid(payer, fake, turns=2)
    assert show(sending, payer, picture, client_message_id=key).status == 200


def test_a_picture_that_was_removed_from_the_bucket_is_not_found(
    sending: WebFunction, bucket: Bucket, payer: Person, fake: Upstream
) -> None:
    picture = add_picture(bucket, payer.id)
    del bucket.objects[picture.object_key]

    assert show(sending, payer, picture).status == 404
    assert unpaid(payer, fake, turns=1)


@pytest.mark.parametrize("delivery", ["link", "data"])
def test_each_upstream_that_is_tried_is_given_the_picture(
    delivery: str,
    request: pytest.FixtureRequest,
    bucket: Bucket,
    payer: Person,
    fake: Upstream,
    other: Upstream,
) -> None:
    web = request.getfixturevalue("linking" if delivery == "link" else "sending")
    picture = add_picture(bucket, payer.id)
    stored = bucket.objects[picture.object_key].body
    other.requests.clear()
    body = {"message": "scenario: status-500", "model": "two", "media_ids": [picture.id]}

    assert post(web, body, token=payer.token).status == 502

    assert other.requests
    assert fake.requests
    for server in (other, fake):
        [url] = urls(server)
        data = httpx.get(url, timeout=HANG_SECONDS).content if delivery == "link" else data_of(url)
        assert data == stored


def test_a_key_with_other_media_is_another_question(
    linking: WebFunction, bucket: Bucket, payer: Person, fake: Upstream
) -> None:
    one, two = add_picture(bucket, payer.id), add_picture(bucket, payer.id)
    key = {"client_message_id": new_id()}
    first = show(linking, payer, one, **key)

    for others in ([two], [one, two], []):
        reply = show(linking, payer, *others, **key)
        assert (reply.status, reply.error) == (422, "idempotency_mismatch")
    transaction(_remove, one)
    again = show(linking, payer, one, **key)

    assert again.data == first.data
    assert len(fake.requests) == 1
    assert turn_count(payer) == 1
    read(adds_up, payer.id)


def _remove(db: Connection, one: Media) -> None:
    assert media.remove(db, one)
