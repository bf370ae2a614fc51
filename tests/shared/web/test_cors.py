"""CORS: allowed and refused origins."""

import pytest

from tests.conftest import Configure
from tests.events import Reply, invoke
from tests.shared.web.mirror import mirror

APP = "https://app.example.com"
LOCAL = "http://localhost:5173"
EXPOSED = "X-Request-Id, Retry-After, X-Should-Retry, Content-Disposition, X-Aigc, ETag"


def preflight(origin: str | None) -> Reply:
    asked = {"Access-Control-Request-Method": "POST"}
    return ask("OPTIONS", origin, **asked)


def ask(method: str, origin: str | None, **headers: str) -> Reply:
    named = {} if origin is None else {"Origin": origin}
    return invoke(mirror, method, "/mirror", headers={**named, **headers})


def cors(reply: Reply) -> dict[str, str]:
    names = ("Vary", "Allow")
    return {k: v for k, v in reply.headers.items() if k in names or k.startswith("Access-")}


@pytest.fixture(params=["production", "development"])
def stage(request: pytest.FixtureRequest, configure: Configure) -> str:
    configure(APP_ENV=request.param, ALLOWED_ORIGINS=f"https://a.example, {APP}/")
    return str(request.param)


@pytest.mark.usefixtures("stage")
def test_a_preflight_from_an_allowed_origin_is_granted() -> None:
    reply = preflight(APP)

    assert (reply.status, reply.body) == (204, b"")
    assert cors(reply) == {
        "Vary": "Origin",
        "Allow": "GET, HEAD, OPTIONS, POST",
        "Access-Control-Allow-Origin": APP,
        "Access-Control-Allow-Methods": "GET, HEAD, OPTIONS, POST",
        "Access-Control-Allow-Headers": (
            "Authorization, Content-Type, Accept, Accept-Language, Idempotency-Key, If-Match"
            ", Last-Event-ID"
            ", User-Agent, OpenAI-Organization, OpenAI-Project, OpenAI-Beta, X-Client-Request-Id"
        ),
        "Access-Control-Expose-Headers": EXPOSED,
        "Access-Control-Max-Age": "7200",
    }


@pytest.mark.usefixtures("stage")
def test_what_every_version_of_openais_sdk_sends_is_allowed_and_nothing_else() -> None:
    """A browser asks for the names in lower case, without blanks."""
    sdk = {
        *("authorization", "content-type", "idempotency-key", "last-event-id", "user-agent"),
        *("openai-organization", "openai-project", "openai-beta"),
        *("x-stainless-arch", "x-stainless-os", "x-stainless-retry-count", "x-stainless-new-one"),
    }
    others = {"cookie", "x-evil", "x-stainless-é", "x-stainless-a: b", "not-x-stainless-b"}
    asked = ",".join(sorted(sdk | others))

    reply = ask("OPTIONS", APP, **{"Access-Control-Request-Headers": asked})

    allowed = reply.headers["Access-Control-Allow-Headers"].lower().split(", ")
    assert sdk <= set(allowed)
    assert others.isdisjoint(allowed)
    assert "x-stainless-b" not in allowed


@pytest.mark.usefixtures("stage")
@pytest.mark.parametrize(
    "origin",
    [
        None,
        "",
        "null",
        "https://evil.example",
        f"{APP}.evil.example",
        f"{APP}:8443",
        "http://app.example.com",
        "https://sub.app.example.com",
        "http://localhost.evil.example",
        "http://127.0.0.1.evil.example:80",
    ],
)
def test_a_preflight_from_elsewhere_is_granted_nothing(origin: str | None) -> None:
    reply = preflight(origin)

    assert reply.status == 204
    assert cors(reply) == {"Vary": "Origin", "Allow": "GET, HEAD, OPTIONS, POST"}


@pytest.mark.usefixtures("stage")
def test_an_answer_to_an_allowed_origin_may_be_read_by_its_page() -> None:
    assert cors(ask("GET", APP)) == {
        "Vary": "Origin",
        "Access-Control-Allow-Origin": APP,
        "Access-Control-Expose-Headers": EXPOSED,
    }


@pytest.mark.usefixtures("stage")
@pytest.mark.parametrize("origin", [None, "https://evil.example"])
def test_an_answer_to_anybody_else_may_not(origin: str | None) -> None:
    assert cors(ask("GET", origin)) == {"Vary": "Origin"}


@pytest.mark.usefixtures("stage")
def test_an_error_may_be_read_by_an_allowed_page_too() -> None:
    reply = ask("DELETE", APP)

    assert (reply.status, reply.headers["Access-Control-Allow-Origin"]) == (405, APP)


@pytest.mark.parametrize("origin", [LOCAL, "https://127.0.0.1", "http://[::1]:3000"])
def test_pages_of_this_machine_are_allowed_outside_production_only(stage: str, origin: str) -> None:
    granted = ask("GET", origin).headers.get("Access-Control-Allow-Origin")

    assert granted == {"production": None, "development": origin}[stage]


def test_the_frontend_is_allowed_without_being_listed(configure: Configure) -> None:
    configure(APP_ENV="production", FRONTEND_BASE_URL=f"{APP}/deep/path")

    assert ask("GET", APP).headers["Access-Control-Allow-Origin"] == APP


def test_any_origin_is_allowed_by_a_star_outside_production(configure: Configure) -> None:
    configure(APP_ENV="development", ALLOWED_ORIGINS="*")

    assert ask("GET", "https://any.example").headers["Access-Control-Allow-Origin"] == (
        "https://any.example"
    )


def test_a_star_is_refused_in_production_and_the_log_says_why(
    configure: Configure, capsys: pytest.CaptureFixture[str]
) -> None:
    configure(APP_ENV="production", ALLOWED_ORIGINS="*")

    reply = invoke(mirror, "POST", "/file", headers={"Origin": APP})

    assert (reply.status, reply.error) == (503, "misconfigured")
    assert cors(reply) == {"Vary": "Origin"}
    assert "ALLOWED_ORIGINS must list origins in production, not *" in capsys.readouterr().out


@pytest.mark.parametrize("url", ["http://[", "http://[::1", "https://a b", "http://a:99999"])
def test_a_frontend_url_that_cannot_be_one_is_named_and_breaks_nothing_else(
    configure: Configure, capsys: pytest.CaptureFixture[str], url: str
) -> None:
    configure(FRONTEND_BASE_URL=url)

    reply = ask("GET", LOCAL)

    assert (reply.status, reply.error) == (503, "misconfigured")
    assert "FRONTEND_BASE_URL must" in capsys.readouterr().out
