"""Access tokens: genuine ones are read, all others are refused."""

import base64
import json
import secrets
import time
from typing import Any

import jwt
import pytest

from shared import settings
from shared.accounts import auth, tokens
from shared.accounts.tokens import Claims, issue_access
from shared.config import load
from shared.web.endpoint import Request, Response, endpoint
from tests.conftest import Configure
from tests.events import Reply, invoke
from tests.web import eventually

ANNA = Claims("01ANNA", "01SESSION", "user")
DATABASE = "sqlite:///:memory:"


@pytest.fixture(autouse=True)
def accounts(configure: Configure) -> None:
    """Tokens are read where there are accounts; no test here connects."""
    configure(DATABASE_URL=DATABASE)


@endpoint("GET", "/whoami")
def whoami(request: Request) -> Response:
    claims = auth.claims_of(request)
    return Response.ok(vars(claims) if claims else None)


def ask(authorization: str) -> Reply:
    return invoke(whoami, "GET", "/whoami", headers={"Authorization": authorization})


def payload(**changes: object) -> dict[str, Any]:
    """The claims of a genuine token, with changes; None removes a claim."""
    ours = jwt.decode(issue_access(ANNA), options={"verify_signature": False})
    return {name: value for name, value in {**ours, **changes}.items() if value is not None}


def signed(
    body: dict[str, Any], *, algorithm: str = "HS256", headers: dict[str, Any] | None = None
) -> str:
    return jwt.encode(body, load(settings.Tokens).secret.reveal(), algorithm, headers)


def part(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def test_a_token_of_ours_holds_what_the_contract_lists() -> None:
    token = issue_access(ANNA)

    now = time.time()
    body = jwt.decode(token, options={"verify_signature": False})
    assert jwt.get_unverified_header(token) == {"alg": "HS256", "typ": "JWT"}
    assert body == {
        "iss": "fc-ai-backend",
        "aud": "fc-ai-backend/api",
        "sub": "01ANNA",
        "typ": "access",
        "iat": pytest.approx(now, abs=2),
        "exp": body["iat"] + 1800,
        "jti": body["jti"],
        "sid": "01SESSION",
        "role": "user",
    }


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER", " Bearer  "])
def test_a_token_of_ours_is_read(scheme: str) -> None:
    assert ask(f"{scheme} {issue_access(ANNA)}").data == vars(ANNA)


def test_a_token_signed_again_by_us_is_read() -> None:
    assert ask(f"Bearer {signed(payload())}").data == vars(ANNA)


def test_without_a_token_nobody_is_asking() -> None:
    assert invoke(whoami, "GET", "/whoami").data is None
    assert ask("  ").data is None


def test_lifetimes_follow_the_setting(configure: Configure) -> None:
    configure(JWT_EXPIRES_IN="2h", DATABASE_URL=DATABASE)
    body = payload()

    assert body["exp"] - body["iat"] == 7200


def test_a_token_is_over_in_the_second_it_names() -> None:
    now = int(time.time())

    assert ask(f"Bearer {signed(payload(exp=now + 60))}").status == 200
    for expires in (now, now - 1, 0):
        reply = ask(f"Bearer {signed(payload(exp=expires))}")
        assert (reply.status, reply.error) == (401, "token_expired")


def test_a_token_that_was_read_before_expires_too() -> None:
    """Read tokens are remembered; their end and the secret are not."""
    token = signed(payload(exp=int(time.time()) + 2))

    assert ask(f"Bearer {token}").status == 200
    eventually(lambda: ask(f"Bearer {token}").status == 401)
    assert ask(f"Bearer {token}").error == "token_expired"


def test_a_token_that_was_read_before_is_refused_after_a_change_of_the_secret(
    configure: Configure,
) -> None:
    token = issue_access(ANNA)
    assert ask(f"Bearer {token}").status == 200
    configure(JWT_SECRET=secrets.token_hex(32), DATABASE_URL=DATABASE)

    assert refused(f"Bearer {token}")


def test_a_token_from_an_instance_whose_clock_is_ahead_is_read() -> None:
    assert ask(f"Bearer {signed(payload(iat=int(time.time()) + 30))}").status == 200


def refused(authorization: str) -> bool:
    reply = ask(authorization)
    return (reply.status, reply.error, reply.headers.get("WWW-Authenticate")) == (
        401,
        "invalid_token",
        "Bearer",
    )


@pytest.mark.parametrize(
    "authorization",
    [
        "Bearer",
        "Bearer ",
        "Basic YTpi",
        "Token abc",
        "Bearer garbage",
        "Bearer a.b.c",
        "Bearer ..",
        "Bearer é.é.é",
        "Bearer \x00",
        "Bearer " + "." * 2000,
        "Bearer " + "a" * 2049,
        "Bearer " + "a" * 9000,
    ],
    ids=lambda text: text[:20],
)
def test_garbage_is_no_token(authorization: str) -> None:
    assert refused(authorization)


def test_an_oversized_token_is_refused_even_if_ours() -> None:
    assert refused(f"Bearer {signed(payload(extra='x' * 2048))}")


@pytest.mark.parametrize("algorithm", ["none", "None", "NONE", ""])
def test_an_unsigned_token_is_refused(algorithm: str) -> None:
    head = part({"alg": algorithm, "typ": "JWT"})
    signature = issue_access(ANNA).rpartition(".")[2]

    assert refused(f"Bearer {head}.{part(payload())}.")
    assert refused(f"Bearer {head}.{part(payload())}.{signature}")


@pytest.mark.parametrize("algorithm", ["HS384", "HS512"])
def test_another_algorithm_is_refused_even_with_our_secret(algorithm: str) -> None:
    assert refused(f"Bearer {signed(payload(), algorithm=algorithm)}")


def test_a_payload_under_another_tokens_signature_is_refused() -> None:
    head, _, signature = issue_access(ANNA).split(".")

    assert refused(f"Bearer {head}.{part(payload(role='admin'))}.{signature}")


def test_a_token_signed_with_another_secret_is_refused(configure: Configure) -> None:
    token = issue_access(ANNA)
    configure(JWT_SECRET="another-secret-of-a-decent-length-42", DATABASE_URL=DATABASE)

    assert refused(f"Bearer {token}")


@pytest.mark.parametrize(
    "headers",
    [
        {"kid": "../../dev/null"},
        {"kid": "' UNION SELECT 'k"},
        {"jwk": {"kty": "oct", "k": part("attacker")}},
        {"jku": "http://127.0.0.1:1/keys"},
        {"x5u": "http://127.0.0.1:1/cert"},
    ],
    ids=lambda headers: next(iter(headers)),
)
def test_a_key_the_token_brings_along_is_never_used(headers: dict[str, Any]) -> None:
    forged = jwt.encode(payload(role="admin"), "attacker" * 8, "HS256", headers)

    assert refused(f"Bearer {forged}")


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "somebody-else"},
        {"aud": "somebody-else"},
        {"aud": ["a", "b"]},
        {"typ": "refresh"},
        {"typ": ""},
        {"sub": 7},
        {"exp": "soon"},
        {"exp": {}},
        *(
            {name: None}
            for name in ("iss", "aud", "sub", "typ", "iat", "exp", "jti", "sid", "role")
        ),
    ],
    ids=str,
)
def test_a_signed_token_for_something_else_is_refused(changes: dict[str, Any]) -> None:
    assert refused(f"Bearer {signed(payload(**changes))}")


NESTED = base64.urlsafe_b64encode(b"[" * 1300).decode().rstrip("=")  # deeper than Python goes


def test_absurd_nesting_in_a_token_is_refused() -> None:
    head, _, signature = issue_access(ANNA).split(".")

    assert refused(f"Bearer {NESTED}.e30.{signature}")
    assert refused(f"Bearer {head}.{NESTED}.{signature}")


def test_absurd_nesting_is_refused_even_if_signed() -> None:
    signer = jwt.get_algorithm_by_name("HS256")
    message = f"{part({'alg': 'HS256', 'typ': 'JWT'})}.{NESTED}"
    key = signer.prepare_key(load(settings.Tokens).secret.reveal())
    signature = base64.urlsafe_b64encode(signer.sign(message.encode(), key)).decode()

    assert refused(f"Bearer {message}.{signature.rstrip('=')}")


def test_refresh_tokens_are_long_and_their_hash_says_nothing() -> None:
    first, second = tokens.new_refresh(), tokens.new_refresh()

    assert first != second
    assert len(base64.urlsafe_b64decode(first + "=")) == 32
    assert len(tokens.refresh_hash(first)) == 64
    assert first not in tokens.refresh_hash(first)
