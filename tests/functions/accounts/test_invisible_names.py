"""Names that look alike: invisible characters in addresses and user names."""

import json

import pytest

from functions.account.index import handler as account
from functions.admin.index import handler as admin
from tests.events import Reply, invoke
from tests.people import PASSWORD, admin_token, log_in, register

INVISIBLE = {
    "right-to-left override": "\u202e",
    "isolate": "\u2066",
    "Arabic letter mark": "\u061c",
    "zero-width space": "\u200b",
    "word joiner": "\u2060",
    "byte order mark": "\ufeff",
    "soft hyphen": "\u00ad",
    "grapheme joiner": "\u034f",
    "Hangul filler": "\u115f",
    "another Hangul filler": "\u3164",
    "half-width Hangul filler": "\uffa0",
    "Khmer vowel": "\u17b4",
    "Mongolian selector": "\u180b",
    "variation selector": "\ufe0f",
    "ideographic selector": "\U000e0100",
    "tag": "\U000e0061",
    "unassigned, to be ignored": "\U000e0fff",
    "Arabic number sign": "\u0600",
    "musical control": "\U0001d173",
    "Braille blank": "\u2800",
    "joiner between Latin letters": "\u200d",
    "non-joiner between Latin letters": "\u200c",
}
MISPLACED = {
    "at the end": "علی\u200c",
    "at the beginning": "\u200cعلی",
    "twice": "می\u200c\u200cخواهم",
    "after a letter that never joins": "کار\u200cها",
    "joiner where letters join anyway": "می\u200dخواهم",
    "between other letters of India": "क\u200dष",
    "before a digit": "می\u200c1",
}
SPELLED = ["می\u200cخواهم", "क्\u200dष", "क्\u200cष", "র\u200d্যাব", "हिन्दी", "علی"]


def changed(token: str, **names: str) -> Reply:
    return invoke(account, "PATCH", "/api/auth/me", token=token, json_body=names)


def created(token: str, **names: str) -> Reply:
    return invoke(admin, "POST", "/api/admin/users", token=token, json_body=names)


def refusal(reply: Reply) -> tuple[int, list[dict[str, str]]]:
    return reply.status, reply.json.get("details", [])


def of(field: str) -> tuple[int, list[dict[str, str]]]:
    problem = {"field": f"body.{field}", "problem": "must have no invisible characters"}
    return 422, [problem]


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("character", INVISIBLE.values(), ids=list(INVISIBLE))
def test_an_invisible_character_in_a_name_is_refused_at_every_door(character: str) -> None:
    token, admins = register().data["access_token"], admin_token()
    name = f"an{character}na"
    email = f"{name}@example.com"

    assert refusal(register(email=email)) == refusal(created(admins, email=email)) == of("email")
    assert refusal(register("ben", username=name)) == of("username")
    assert refusal(created(admins, username=name)) == of("username")
    assert refusal(changed(token, username=name)) == of("username")
    assert refusal(changed(token, email=email, current_password=PASSWORD)) == of("email")
    assert refusal(register(email=f"anna@exam{character}ple.com")) == of("email")


@pytest.mark.usefixtures("configure")
@pytest.mark.parametrize("name", MISPLACED.values(), ids=list(MISPLACED))
def test_a_joiner_that_changes_nothing_is_refused(name: str) -> None:
    assert refusal(register(username=name)) == of("username")


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("name", SPELLED)
def test_names_are_spelled_as_their_scripts_need_it(name: str) -> None:
    made = register(email=f"{name}@example.com", username=name)

    assert (made.status, made.data["user"]["username"]) == (201, name)
    assert log_in(username=name).status == log_in(email=f"{name}@example.com").status == 200


@pytest.mark.usefixtures("configure")
@pytest.mark.parametrize("name", ["\u093fक", "x\u0301\u0301", "ab\u20dd", "a b", "😀😀"])
def test_other_marks_and_signs_are_no_letters(name: str) -> None:
    [detail] = register(username=name).json["details"]

    assert detail["problem"].startswith("must be 2 to 32 letters")


@pytest.mark.usefixtures("database")
def test_a_note_loses_what_cannot_be_seen() -> None:
    notes = {"note": "\u202eclass\u200b of 👩\u200d🏫\u3164"}

    reply = invoke(admin, "POST", "/api/admin/invites", token=admin_token(), json_body=notes)

    assert reply.data["invites"][0]["note"] == "class of 👩\u200d🏫"


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("field", ["name", "title"])
def test_a_model_has_no_name_that_looks_like_another(field: str) -> None:
    body = {"name": "qwen", field: "qwen\u3164"}

    reply = invoke(admin, "POST", "/api/admin/models", token=admin_token(), json_body=body)

    assert (reply.status, reply.json["details"][0]["field"]) == (422, f"body.{field}")
    assert "\u3164" not in json.dumps(reply.json, ensure_ascii=False)


@pytest.mark.usefixtures("database")
def test_a_title_of_a_model_may_have_emoji_of_several_characters() -> None:
    body = {"name": "qwen", "title": "Qwen 👩\u200d🚀 ❤️"}

    reply = invoke(admin, "POST", "/api/admin/models", token=admin_token(), json_body=body)

    assert (reply.status, reply.data["title"]) == (201, body["title"])
