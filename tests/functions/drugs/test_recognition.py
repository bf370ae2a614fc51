"""A recognition turns pictures of one package into a draft, and costs one message."""

import pytest

from functions.drugs.index import handler
from shared.database.transactions import read
from shared.repos.wallets import Wallet
from tests.conftest import Configure
from tests.events import invoke
from tests.fakes.upstream import COMPLETION_TOKENS, PROMPT_TOKENS, Upstream
from tests.fakes.upstream_packages import CONFIDENCE
from tests.functions.drugs.conftest import as_in_a_new_process
from tests.functions.drugs.recognizing import (
    DRAFT,
    ON_THE_BOX,
    asked,
    photo,
    recognize,
)
from tests.functions.wallets import books
from tests.people import Person, new_person

pytestmark = pytest.mark.usefixtures("given")

USAGE = {"prompt_tokens": PROMPT_TOKENS, "completion_tokens": COMPLETION_TOKENS}


def turns_of(person: Person) -> list[dict[str, object]]:
    sql = """
        SELECT state, counted_prompt_tokens, completion_tokens, charged_fen
        FROM turns
        WHERE user_id = :id
        ORDER BY message_id
    """
    return read(lambda db: db.find_all(dict, sql, id=person.id))


def calls_recorded() -> int:
    sql = "SELECT message_id FROM upstream_attempts"
    return len(read(lambda db: db.find_all(dict, sql)))


def test_a_package_becomes_a_draft_with_its_charge(anna: Person, fake: Upstream) -> None:
    reply = recognize(anna.token, photo(anna.id, **ON_THE_BOX))
    assert reply.status == 200, reply.body
    got = reply.data
    assert got["draft"] == DRAFT
    assert got["confidence"] == dict.fromkeys(DRAFT, CONFIDENCE)
    assert got["model"] == "package"
    assert got["usage"] == {**got["usage"], **USAGE, "source": "reported"}
    assert (got["charge"]["kind"], got["charge"]["amount_fen"]) == ("balance", 100)
    assert got["charge"]["receipt"]["prompt_tokens"] == PROMPT_TOKENS
    assert got["quota"]["balance_fen"] == 900
    assert got["ai_generated"] is True
    assert "no medical advice" in got["notice"]
    assert books(anna.id) == Wallet(900, 0, 2, 0)
    assert calls_recorded() == 1
    [request] = fake.requests
    assert request.json["response_format"]["json_schema"]["name"] == "medicine"
    assert request.json["max_tokens"] == 2048
    [system, _] = request.json["messages"]
    assert "JSON" in system["content"]
    assert "never an instruction" in system["content"]


def test_several_photos_of_one_package_are_one_medicine_and_one_call(
    anna: Person, fake: Upstream
) -> None:
    front = photo(anna.id, name="Aspirin", manufacturer="Bayer")
    back = photo(anna.id, expires_on="EXP 03/27", batch_number="BJ1")
    got = recognize(anna.token, front, back, front).data
    known = {name: value for name, value in got["draft"].items() if value is not None}
    assert known == {
        "name": "Aspirin",
        "manufacturer": "Bayer",
        "expires_on": "2027-03-31",
        "batch_number": "BJ1",
    }
    assert {name for name, share in got["confidence"].items() if share is not None} == set(known)
    assert asked(fake) == 1
    assert books(anna.id).balance_fen == 900


def test_text_around_the_json_is_no_harm(anna: Person, fake: Upstream) -> None:
    picture = photo(anna.id, **ON_THE_BOX)
    reply = recognize(anna.token, picture, model="package-in-words", locale="zh-CN")
    assert "不构成医疗建议" in reply.data["notice"]
    assert (reply.status, reply.data["draft"]) == (200, DRAFT)
    assert asked(fake) == 1


def test_an_invalid_reply_is_asked_for_again_and_only_the_good_one_is_charged(
    anna: Person, fake: Upstream
) -> None:
    reply = recognize(anna.token, photo(anna.id, **ON_THE_BOX), model="package-second-time")
    assert (reply.status, reply.data["draft"]) == (200, DRAFT)
    assert asked(fake) == calls_recorded() == 2
    assert reply.data["usage"] == {**reply.data["usage"], **USAGE}
    assert books(anna.id) == Wallet(900, 0, 2, 0)
    [turn] = turns_of(anna)
    assert (turn["state"], turn["charged_fen"]) == ("settled", 100)


@pytest.mark.parametrize("model", ["package-never", "package-wrong-types"])
def test_a_reply_that_is_invalid_twice_is_a_failure_and_free(
    model: str, anna: Person, fake: Upstream
) -> None:
    reply = recognize(anna.token, photo(anna.id, **ON_THE_BOX), model=model, key="k")
    assert (reply.status, reply.error) == (502, "recognition_failed")
    assert asked(fake) == calls_recorded() == 2
    assert books(anna.id) == Wallet(1000, 0, 1, 0)
    [turn] = turns_of(anna)
    assert turn == {
        "state": "released",
        "counted_prompt_tokens": 2 * PROMPT_TOKENS,
        "completion_tokens": 2 * COMPLETION_TOKENS,
        "charged_fen": 0,
    }
    again = recognize(anna.token, photo(anna.id), model=model, key="k")
    assert again.status == 502  # the key of what gave nothing may be used again


def test_a_model_without_sight_is_refused_before_anything_is_reserved(
    anna: Person, configure: Configure, fake: Upstream
) -> None:
    picture = photo(anna.id, **ON_THE_BOX)
    reply = recognize(anna.token, picture, model="blind", key="k")
    assert (reply.status, reply.error) == (422, "model_cannot_see")
    unknown = recognize(anna.token, picture, model="nobody", key="k")
    assert (unknown.status, unknown.error) == (422, "invalid_request")
    configure(UPSTREAMS="", OPENAI_VISION="false")
    as_in_a_new_process()
    assert recognize(anna.token, picture, key="k").error == "model_cannot_see"
    assert (asked(fake), turns_of(anna)) == (0, [])
    assert books(anna.id) == Wallet(1000, 0, 1, 0)


def test_a_gateway_that_knows_no_schema_is_asked_without_it(anna: Person, fake: Upstream) -> None:
    picture = photo(anna.id, **ON_THE_BOX)
    reply = recognize(anna.token, picture, model="package-without-schema")
    assert (reply.status, reply.data["draft"]) == (200, DRAFT)
    assert ["response_format" in one.json for one in fake.requests] == [True, False]


@pytest.mark.parametrize("content_type", ["application/pdf", "image/heic"])
def test_a_file_that_no_model_can_be_shown_is_refused(content_type: str, anna: Person) -> None:
    reply = recognize(anna.token, photo(anna.id, content_type=content_type))
    assert (reply.status, reply.json["details"][0]["field"]) == (422, "body.media_ids")
    assert turns_of(anna) == []


def test_somebody_elses_picture_is_not_there(anna: Person) -> None:
    ben = new_person()
    assert recognize(anna.token, photo(anna.id), photo(ben.id)).status == 404
    assert recognize("", photo(ben.id)).status == 401


def test_a_confirmed_draft_says_that_it_was_recognised(anna: Person) -> None:
    picture = photo(anna.id, **ON_THE_BOX)
    got = recognize(anna.token, picture, lang="zh").data
    assert "不构成医疗建议" in got["notice"]
    body = {**got["draft"], "media_ids": [picture], "recognition_id": got["recognition_id"]}

    made = invoke(handler, "POST", "/api/drugs", token=anna.token, json_body=body)

    assert made.status == 201
    assert made.data == {**made.data, **DRAFT, "ai_generated": True, "media_ids": [picture]}
    listed = invoke(handler, "GET", "/api/drugs", token=anna.token).data
    assert listed["ai_generated"] is True
    ben = new_person()
    theirs = {"name": "x", "recognition_id": got["recognition_id"]}
    assert invoke(handler, "POST", "/api/drugs", token=ben.token, json_body=theirs).status == 404
