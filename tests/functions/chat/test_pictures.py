"""Pictures in messages go to models that take them; all else is refused before it costs."""

import base64
import json
from collections.abc import Iterator
from typing import Any

import httpx
import openai
import pytest
from openai import OpenAI

from shared.database.transactions import read, transaction
from shared.llm.pictures import picture_tokens
from shared.repos import upstreams
from shared.repos.upstreams import Changes
from tests.conftest import Configure
from tests.fakes import upstream
from tests.fakes.upstream import Upstream
from tests.functions.conftest import Pair, SignUp
from tests.offering import KEYS_SECRET, offer, store
from tests.people import new_person, paying
from tests.web import WebFunction, serving

PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(20)).decode()
DATA = f"data:image/png;base64,{PNG}"
URL = "https://pictures.example.com/cat.png?signed=1"


@pytest.fixture(scope="module")
def blind() -> Iterator[Upstream]:
    """The fake server of an upstream that takes no pictures."""
    with upstream.running() as server:
        yield server


@pytest.fixture(scope="module")
def seeing(
    variables: dict[str, str], upstream_server: Upstream, blind: Upstream
) -> Iterator[WebFunction]:
    """Chat with a model of two upstreams, of which one takes pictures, and one of none."""
    listed: list[dict[str, Any]] = [
        {"name": "a", "url": upstream_server.url, "key": "k", "serves": "vl", "vision": True},
        {"name": "b", "url": blind.url, "key": "k", "serves": "vl", "weight": 100},
        {"name": "c", "url": blind.url, "key": "k", "serves": "blind"},
    ]
    with serving("chat", **{**variables, "UPSTREAMS": json.dumps(listed)}) as web:
        yield web


def picture(url: object, **more: object) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": url, **more}}


def look(web: WebFunction, *parts: object, model: str = "vl", token: str = "") -> httpx.Response:
    content = [{"type": "text", "text": "What is this?"}, *parts]
    body = {"model": model, "messages": [{"role": "user", "content": content}]}
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return web.client.post("/v1/chat/completions", json=body, headers=headers)


@pytest.mark.parametrize(
    "part",
    [picture(URL), picture(DATA), picture(URL, detail="high"), picture(DATA, detail="low")],
)
def test_a_picture_arrives_as_it_was_given_at_the_upstream_that_takes_it(
    part: dict[str, Any], seeing: WebFunction, fake: Upstream, blind: Upstream
) -> None:
    """The other upstream has a hundred times the weight."""
    assert look(seeing, part).json()["choices"][0]["message"]["content"]

    assert fake.requests[-1].json["messages"][0]["content"][1] == part
    assert blind.requests == []


@pytest.mark.parametrize("stream", [False, True])
def test_the_sdk_of_openai_sends_pictures(
    stream: bool, seeing: WebFunction, fake: Upstream, blind: Upstream
) -> None:
    client = OpenAI(base_url=f"{seeing.base}/v1", api_key="guest", max_retries=0)
    client = client.with_options(default_headers={"Authorization": ""})
    content: Any = [{"type": "text", "text": "What is this?"}, picture(URL), picture(DATA)]
    messages: Any = [{"role": "user", "content": content}]

    answer: Any = client.chat.completions.create(model="vl", messages=messages, stream=stream)
    chunks = list(answer) if stream else [answer]
    with pytest.raises(openai.BadRequestError) as refused:
        client.chat.completions.create(model="blind", messages=messages)

    assert chunks[-1].choices[0].finish_reason == "stop"
    assert fake.requests[-1].json["messages"] == messages
    assert refused.value.code == "unsupported_parameter"
    assert blind.requests == []


def test_marks_of_caches_and_nulls_are_left_out(seeing: WebFunction, fake: Upstream) -> None:
    marked = {**picture(URL, detail=None), "prompt_cache_breakpoint": {"mode": "explicit"}}

    assert look(seeing, marked).status_code == 200
    assert fake.requests[-1].json["messages"][0]["content"][1] == picture(URL)


def test_a_model_that_takes_no_pictures_refuses_them(
    seeing: WebFunction, fake: Upstream, blind: Upstream
) -> None:
    error = look(seeing, picture(URL), model="blind").json()["error"]

    assert (error["code"], error["param"]) == ("unsupported_parameter", "messages")
    assert "image_url" in error["message"]
    assert look(seeing, model="blind").status_code == 200
    assert fake.requests == []
    assert len(blind.requests) == 1
    blind.requests.clear()


def test_a_refused_picture_costs_nothing(pair: Pair, join: SignUp, fake: Upstream) -> None:
    payer = paying(join(), 10_000)

    answer = look(pair[0], picture(URL), model="test-model", token=payer.token)

    assert (answer.status_code, fake.requests) == (400, [])
    turns = "SELECT COUNT(*) AS n FROM turns WHERE user_id = :id"
    assert read(lambda db: db.find(lambda n: int(n), turns, id=payer.id)) == 0


@pytest.mark.parametrize(
    "part",
    [
        picture("http://pictures.example.com/cat.png"),
        picture("file:///etc/passwd"),
        picture("ftp://pictures.example.com/cat.png"),
        picture("https://"),
        picture("https://[/cat.png"),
        picture("https://e.com/a\nb"),
        picture("https://e.com/" + "x" * 4096),
        picture("data:image/svg+xml;base64," + PNG),
        picture("data:text/html;base64," + PNG),
        picture("data:image/png," + PNG),
        picture("data:image/png;base64,"),
        picture("data:image/png;base64,not base64!"),
        picture(7),
        picture(URL, detail="enormous"),
        picture(URL, size=7),
        {"type": "image_url", "image_url": URL},
        {"type": "input_audio", "input_audio": {"data": PNG, "format": "wav"}},
        {"type": "file", "file": {"file_id": "file-1"}},
        {"type": "video_url", "video_url": {"url": URL}},
    ],
    ids=lambda part: json.dumps(part)[:60],
)
def test_what_is_no_picture_is_a_bad_request(
    part: dict[str, Any], seeing: WebFunction, fake: Upstream
) -> None:
    answer = look(seeing, part)

    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid_request")
    assert answer.json()["error"]["param"].startswith("messages.0.content.1")
    assert fake.requests == []


@pytest.mark.parametrize("kind", ["input_audio", "file", None, 7, ["text"], {"text": 1}])
def test_a_part_of_another_type_is_refused_in_words(kind: object, seeing: WebFunction) -> None:
    error = look(seeing, {"type": kind} if kind else {}).json()["error"]

    assert error["param"] == "messages.0.content.1"
    assert error["message"].endswith("type must be one of text, image_url, refusal")


def test_an_unknown_field_is_refused_with_those_that_are_known_there(seeing: WebFunction) -> None:
    in_url = look(seeing, picture(URL, size=7)).json()["error"]
    in_part = look(seeing, {**picture(URL), "size": 7}).json()["error"]

    assert in_url["param"] == "messages.0.content.1.image_url.size"
    assert in_url["message"].endswith("is not known; known are url, detail")
    assert in_part["param"] == "messages.0.content.1.size"
    assert in_part["message"].endswith("is not known; known are type, text, image_url, refusal")


def test_only_the_user_has_pictures_and_only_ten(seeing: WebFunction, fake: Upstream) -> None:
    assert look(seeing, *[picture(URL)] * 10).status_code == 200
    assert look(seeing, *[picture(URL)] * 11).json()["error"]["param"] == "messages"
    answer = seeing.client.post(
        "/v1/chat/completions",
        json={"model": "vl", "messages": [{"role": "system", "content": [picture(URL)]}]},
    )
    assert answer.json()["error"]["param"] == "messages.0"
    assert len(fake.requests) == 1


def test_a_request_may_have_four_mebibytes(seeing: WebFunction, fake: Upstream) -> None:
    large = base64.b64encode(bytes(3 * 1024 * 1024 - 30_000)).decode()

    assert look(seeing, picture(f"data:image/jpeg;base64,{large}")).status_code == 200
    assert look(seeing, *[picture(f"data:image/jpeg;base64,{large}")] * 2).status_code == 413
    assert len(fake.requests) == 1


def test_pictures_count_in_the_prompt(
    configure: Configure, variables: dict[str, str], upstream_server: Upstream, fake: Upstream
) -> None:
    """A prompt of three pictures has room for two in detail and a half."""
    room = str(3 * picture_tokens(picture(URL)["image_url"]) + 100)
    given = {**variables, "OPENAI_VISION": "true", "PROMPT_TOKENS": room}
    with serving("chat", **given) as web:
        assert look(web, *[picture(URL)] * 3, model="test-model").status_code == 200
        four = look(web, *[picture(URL)] * 4, model="test-model")
        detailed = look(web, *[picture(URL, detail="high")] * 2, model="test-model")

    for refused in (four, detailed):
        assert refused.json()["error"]["code"] == "context_length_exceeded"
    assert len(fake.requests) == 1


def test_a_stored_upstream_takes_pictures_if_it_says_so(
    configure: Configure, variables: dict[str, str], database: str, fake: Upstream
) -> None:
    configure(
        DATABASE_URL=database,
        JWT_SECRET=variables["JWT_SECRET"],
        UPSTREAM_KEYS_SECRET=KEYS_SECRET,
    )
    offer("eyes")
    offer("later")
    store("eyes", fake.url, vision=True)
    blind = store("later", fake.url)
    token = new_person().token
    more = {"DATABASE_URL": database, "UPSTREAM_KEYS_SECRET": KEYS_SECRET}
    with serving("chat", **variables, **more) as web:
        assert look(web, picture(URL), model="eyes", token=token).status_code == 200
        assert look(web, picture(URL), model="later", token=token).status_code == 400
    transaction(upstreams.change, blind, Changes(vision=True), at_ms=1)
    with serving("chat", **variables, **more) as web:
        assert look(web, picture(URL), model="later", token=token).status_code == 200


def test_what_an_upstream_says_of_the_question_stays_out_of_the_log_beside_a_picture(
    seeing: WebFunction, fake: Upstream
) -> None:
    """A picture must not take the room in which the log looks for quotations."""
    large = "data:image/png;base64," + base64.b64encode(bytes(30_000)).decode()
    content = [picture(large), {"type": "text", "text": "scenario: quoting-encoded"}]
    body = {"model": "vl", "messages": [{"role": "user", "content": content}]}
    answer = seeing.client.post("/v1/chat/completions", json=body)

    assert answer.status_code >= 400
    logged = "".join(seeing.logged(answer.headers["x-request-id"]))
    assert "refused" in logged
    assert b"scenario:".hex() not in logged
