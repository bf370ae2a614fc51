"""Encryption of stored upstream keys."""

import secrets

import pytest

from shared import settings
from shared.config import Secret, load
from shared.errors import Misconfigured
from shared.llm.sealing import seal, unseal
from tests.conftest import Configure

KEY = Secret("sk-canary-of-a-stored-key")
URL = "https://api.example.com/v1/chat/completions"
OLD, NEW = secrets.token_hex(32), secrets.token_hex(32)


@pytest.fixture(autouse=True)
def _secret(configure: Configure) -> None:
    configure(UPSTREAM_KEYS_SECRET=OLD)


def test_a_sealed_key_opens_again_and_tells_nothing() -> None:
    sealed = seal(KEY, "one", URL)

    assert unseal(sealed, "one", URL) == KEY
    assert "canary" not in sealed
    assert seal(KEY, "one", URL) != sealed


def test_the_path_of_the_url_may_change() -> None:
    sealed = seal(KEY, "one", URL)

    assert unseal(sealed, "one", "HTTPS://API.example.com/v2/chat/completions") == KEY


@pytest.mark.parametrize(
    ("upstream_id", "url"),
    [
        ("two", URL),
        ("one", "https://api.example.org/v1/chat/completions"),
        ("one", "http://api.example.com/v1/chat/completions"),
        ("one", "https://api.example.com:8443/v1/chat/completions"),
        ("one", "https://me@api.example.com/v1/chat/completions"),
    ],
)
def test_it_opens_for_no_other_upstream_and_no_other_server(upstream_id: str, url: str) -> None:
    sealed = seal(KEY, "one", URL)

    with pytest.raises(Misconfigured) as refused:
        unseal(sealed, upstream_id, url)

    [problem] = refused.value.context["problems"]
    assert problem == f"UPSTREAM_KEYS_SECRET does not open the key of upstream {upstream_id}"


@pytest.mark.parametrize("part", [0, 5, 20, -3])
def test_one_that_was_changed_does_not_open(part: int) -> None:
    sealed = seal(KEY, "one", URL)
    letter = "A" if sealed[part] != "A" else "B"
    changed = sealed[:part] + letter + sealed[part:][1:]

    with pytest.raises(Misconfigured):
        unseal(changed, "one", URL)


@pytest.mark.parametrize("text", ["", ".", "x", "ä.ö", "%", KEY.reveal()])
def test_what_was_never_sealed_does_not_open(text: str) -> None:
    with pytest.raises(Misconfigured):
        unseal(text, "one", URL)


def test_a_new_secret_seals_while_the_old_one_still_opens(configure: Configure) -> None:
    before = seal(KEY, "one", URL)
    configure(UPSTREAM_KEYS_SECRET=f"{NEW}, {OLD}")
    after = seal(KEY, "one", URL)
    assert unseal(before, "one", URL) == unseal(after, "one", URL) == KEY

    configure(UPSTREAM_KEYS_SECRET=NEW)
    assert unseal(after, "one", URL) == KEY
    with pytest.raises(Misconfigured):
        unseal(before, "one", URL)


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        (None, "UPSTREAM_KEYS_SECRET is not set"),
        ("short", "UPSTREAM_KEYS_SECRET must be at least 32 bytes (openssl rand -hex 32)"),
        ("{good},short", "UPSTREAM_KEYS_SECRET must be at least 32 bytes (openssl rand -hex 32)"),
        ("a" * 40, "UPSTREAM_KEYS_SECRET is a value anyone could guess (openssl rand -hex 32)"),
    ],
)
def test_there_is_no_secret_but_a_good_one(
    configure: Configure, value: str | None, problem: str
) -> None:
    configure(UPSTREAM_KEYS_SECRET=value and value.format(good=NEW))

    with pytest.raises(Misconfigured) as refused:
        load(settings.UpstreamKeys)

    assert refused.value.context["problems"] == [problem]
