"""Contents of the log, and data that never reaches it."""

import json
import secrets
from typing import Any

import pytest

from functions.login.index import handler as login
from shared import log
from shared.web.endpoint import Request, Response, endpoint
from tests.conftest import Configure
from tests.events import call, invoke, v1_event
from tests.functions.every_route.bad_input import web
from tests.people import log_in, register


def records(captured: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in captured.readouterr().out.splitlines()]


def _raise_deep_inside(secret: str) -> None:
    raise LookupError(f"no row for {secret}")


@endpoint("GET", "/defect", is_strict=False)
def defect(request: Request) -> Response:
    _raise_deep_inside(request.query["secret"])
    return Response.ok({})


def test_a_request_leaves_one_line(
    configure: Configure, capsys: pytest.CaptureFixture[str]
) -> None:
    configure(APP_ENV="production")

    invoke(defect, "POST", "/defect?a=1", query={"b": "2"})

    (record,) = records(capsys)
    assert record == {
        "time": record["time"],
        "level": "info",
        "event": "request",
        "request_id": "1-event",
        "method": "POST",
        "status": 404,
        "latency_ms": record["latency_ms"],
        "error": "not_found",
    }
    assert 0 <= record["latency_ms"] < 1000


def test_a_defect_is_logged_with_its_frames_and_without_its_text_in_production(
    configure: Configure, capsys: pytest.CaptureFixture[str]
) -> None:
    configure(APP_ENV="production")

    invoke(defect, "GET", "/defect", query={"secret": "canary"})

    crash, access = records(capsys)
    assert (crash["event"], crash["level"], crash["error"]) == ("crash", "error", "LookupError")
    assert crash["request_id"] == access["request_id"] == "1-event"
    assert [frame.rpartition(" ")[2] for frame in crash["frames"]][-2:] == [
        "defect",
        "_raise_deep_inside",
    ]
    assert (access["level"], access["status"]) == ("error", 500)
    assert "canary" not in json.dumps([crash, access])


def test_outside_production_a_defect_shows_its_text(
    configure: Configure, capsys: pytest.CaptureFixture[str]
) -> None:
    configure(APP_ENV="development")

    invoke(defect, "GET", "/defect", query={"secret": "canary"})

    assert records(capsys)[0]["detail"] == "no row for canary"


@pytest.mark.usefixtures("configure")
@pytest.mark.parametrize("text", ["x" * 100_000, "药" * 100_000, '"\n' * 50_000])
def test_a_record_stays_one_json_line_under_the_platforms_32_kb(
    capsys: pytest.CaptureFixture[str], text: str
) -> None:
    log.write("info", "long", text=text)

    line = capsys.readouterr().out
    assert line.endswith("\n")
    assert line.count("\n") == 1
    assert len(line.encode()) < 32 * 1024
    record = json.loads(line)
    assert (record["event"], record["text"]) == ("long", text[:200])


@endpoint("GET", "/endless")
def endless(request: Request) -> Response:
    return endless.run(request)  # type: ignore[return-value]  # it never returns


def test_an_endless_recursion_leaves_the_frames_it_ended_in(
    configure: Configure, capsys: pytest.CaptureFixture[str]
) -> None:
    configure(APP_ENV="production")

    reply = invoke(endless, "GET", "/endless")

    crash, access = records(capsys)
    assert (reply.status, access["status"]) == (500, 500)
    assert (crash["error"], len(crash["frames"])) == ("RecursionError", 50)
    assert crash["frames"][-1].endswith(" endless")


@pytest.mark.usefixtures("configure")
def test_text_that_cannot_be_encoded_is_logged_all_the_same(
    capsys: pytest.CaptureFixture[str],
) -> None:
    log.write("info", "odd", text="\ud800")

    assert records(capsys)[0]["event"] == "odd"


@pytest.fixture
def canaries() -> dict[str, str]:
    names = ("email", "username", "password", "token", "body", "query", "header", "path")
    return {name: f"{name}-{secrets.token_hex(8)}" for name in names}


@pytest.mark.parametrize("stage", ["production", "development"])
def test_accounts_leave_no_secret_in_the_log(
    configure: Configure,
    capsys: pytest.CaptureFixture[str],
    canaries: dict[str, str],
    stage: str,
    database: str,
) -> None:
    if stage == "production" and database.startswith("sqlite"):
        pytest.skip("production refuses SQLite")
    key = secrets.token_hex(32)
    configure(APP_ENV=stage, BCRYPT_COST="10", JWT_SECRET=key)
    person: dict[str, Any] = {
        "email": f"{canaries['email']}@example.com",
        "username": canaries["username"][:31],
        "password": canaries["password"],
    }
    hidden = [key, person["email"], person["username"], *canaries.values()]

    session = register(**person).data
    hidden += [session["access_token"], session["refresh_token"]]
    session = log_in(**person).data
    hidden += [session["access_token"], session["refresh_token"]]
    answers = [
        register(**person),
        invoke(login, "POST", "/api/auth/login", json_body={**person, "password": "wrong"}),
        invoke(
            login,
            "POST",
            "/api/auth/login",
            body=f'{{"password": "{canaries["body"]}'.encode(),
            token=canaries["token"],
            headers={"Cookie": canaries["header"], "X-Fc-Security-Token": canaries["header"]},
            query={"lang": canaries["query"]},
        ),
        invoke(login, "POST", "/api/auth/login", json_body={"password": [canaries["body"]]}),
        invoke(login, "GET", f"/api/auth/{canaries['path']}"),
        invoke(login, canaries["path"], "/api/auth/login"),
        call(login, v1_event("POST", "/api/auth/login") + canaries["body"].encode()),
    ]

    assert [reply.status for reply in answers] == [409, 401, 400, 422, 404, 405, 400]
    said = capsys.readouterr()
    assert len(said.out.splitlines()) == 2 + len(answers)
    assert [text for text in hidden if text in said.out + said.err] == []


def test_chat_leaves_no_secret_in_the_log(
    configure: Configure, capsys: pytest.CaptureFixture[str], canaries: dict[str, str]
) -> None:
    key = f"sk-{secrets.token_hex(8)}"
    configure(APP_ENV="production", OPENAI_API_KEY=key)
    said = {"role": "user", "content": canaries["body"]}
    headers = [
        (b"authorization", f"Bearer {canaries['token']}".encode()),
        (b"x-fc-security-token", canaries["header"].encode()),
    ]
    bodies: list[object] = [
        {"messages": [said]},
        {"messages": [said, said], "type": canaries["body"], "locale": canaries["body"]},
        {"messages": [{**said, "role": canaries["body"]}]},
        {"message": canaries["body"], "model": canaries["body"]},
        canaries["body"],
    ]
    query = f"lang={canaries['query']}".encode()

    answers = [
        web("POST", "/api/chat", body=json.dumps(body).encode(), headers=given, query=query)
        for body in bodies
        for given in ([], headers)
    ]

    assert {reply.status for reply in answers} == {422, 503}
    said_out, said_err = capsys.readouterr()
    assert said_out.count('"event": "request"') == len(answers)
    assert [text for text in (key, *canaries.values()) if text in said_out + said_err] == []
