"""Loading of settings, and error reports for invalid ones."""

import secrets
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from functions.health.index import handler as health
from shared import config, settings
from shared.config import Secret, duration_seconds, env, load, whole
from shared.errors import Misconfigured
from tests.conftest import Configure
from tests.events import invoke
from tests.people import log_in, register

LONG = "k3yQ-mZ9x+Wf7uB2rT8vNc5LpJ6hGdS4aXe1Ko0i"


@dataclass(frozen=True)
class Kitchen:
    cook: str = env("COOK", "CHEF")
    ovens: int = env("OVENS", parse=whole(1, 8))
    guests: int = env("GUESTS", parse=whole(), default=0, local=20)
    recipe: Secret = env("RECIPE", parse=Secret, default=Secret(""))

    def unsafe(self) -> Iterator[str]:
        if self.cook == "nobody":
            yield "COOK must be somebody"
        if self.guests > 100:
            yield "GUESTS must fit the room"


def problems(section: type) -> list[str]:
    with pytest.raises(Misconfigured) as refusal:
        load(section)
    found: list[str] = refusal.value.context["problems"]
    return found


@pytest.mark.usefixtures("configure")
@pytest.mark.parametrize(
    ("section", "field", "names", "value", "expected"),
    [
        (settings.Http, "allowed_origins", ["ALLOWED_ORIGINS"], "https://a", ("https://a",)),
        (settings.Http, "frontend_base_url", ["FRONTEND_BASE_URL"], "https://a/", "https://a"),
        (settings.Http, "trusted_proxy_hops", ["TRUSTED_PROXY_HOPS"], "2", 2),
        (settings.Tokens, "secret", ["JWT_SECRET", "NEXTAUTH_SECRET"], LONG, Secret(LONG)),
        (settings.Tokens, "access_seconds", ["JWT_EXPIRES_IN"], "7d", 604800),
        (settings.FirstAdmin, "username", ["ADMIN_USERNAME"], "root", "root"),
        (settings.FirstAdmin, "password", ["ADMIN_PASSWORD"], "a b", Secret("a b")),
        (
            settings.Model,
            "api_key",
            ["OPENAI_API_KEY", "API_KEY", "DASHSCOPE_API_KEY", "ARK_API_KEY"],
            "sk-1",
            Secret("sk-1"),
        ),
        (
            settings.Model,
            "url",
            ["OPENAI_API_URL", "API_BASE_URL"],
            "https://api.example.com/v1/",
            "https://api.example.com/v1/chat/completions",
        ),
        (
            settings.Model,
            "url",
            ["OPENAI_API_URL", "API_BASE_URL"],
            "https://api.example.com/v1/chat/completions",
            "https://api.example.com/v1/chat/completions",
        ),
        (settings.DefaultModel, "name", ["OPENAI_MODEL", "MODEL_ID"], "qwen-max", "qwen-max"),
        (settings.Quota, "guest_daily_messages", ["GUEST_DAILY_MESSAGES"], "5", 5),
        (settings.Unmetered, "is_allowed", ["ALLOW_UNMETERED_CHAT"], "no", False),
        (settings.Database, "host", ["DB_HOST"], "db", "db"),
        (settings.Database, "port", ["DB_PORT"], "3307", 3307),
        (settings.Database, "user", ["DB_USER"], "me", "me"),
        (settings.Database, "password", ["DB_PASSWORD"], "p@s/s", Secret("p@s/s")),
        (settings.Database, "name", ["DB_NAME"], "shop", "shop"),
    ],
)
def test_every_name_of_a_setting_is_read(
    configure: Configure, section: type, field: str, names: list[str], value: str, expected: object
) -> None:
    for name in names:
        others = {"OPENAI_API_KEY": "needed", **dict.fromkeys(names)}
        configure(**{**others, name: value})
        assert getattr(load(section), field) == expected, name


@pytest.mark.parametrize(
    ("names", "production"),
    [
        ({"APP_ENV": "production"}, True),
        ({"APP_ENV": "development"}, False),
        ({"APP_ENV": " Test "}, False),
        ({"NODE_ENV": "development"}, False),
        ({"NODE_ENV": "production", "APP_ENV": "development"}, False),
        ({"APP_ENV": "", "NODE_ENV": "development"}, False),
        ({}, True),
        ({"APP_ENV": "staging"}, True),
    ],
)
def test_anything_but_development_and_test_is_production(
    configure: Configure, names: dict[str, str], production: bool
) -> None:
    configure(**{"APP_ENV": None, **names})

    assert config.is_production() is production


def test_the_canonical_name_beats_its_alias(configure: Configure) -> None:
    configure(OPENAI_API_KEY="first", ARK_API_KEY="last")

    assert load(settings.Model).api_key == Secret("first")


@pytest.mark.parametrize("empty", ["", " ", "\n"])
def test_an_empty_variable_is_an_unset_one(configure: Configure, empty: str) -> None:
    configure(COOK=empty, CHEF="Anna", OVENS="2", GUESTS=empty)

    assert load(Kitchen) == Kitchen("Anna", 2, 20, Secret(""))


def test_defaults_are_the_careful_ones_in_production(configure: Configure) -> None:
    def for_strangers() -> tuple[int, bool]:
        return load(settings.Quota).guest_daily_messages, load(settings.Unmetered).is_allowed

    configure(APP_ENV="production")
    assert for_strangers() == (0, False)

    configure(APP_ENV="development")
    assert for_strangers() == (20, True)


def test_all_problems_are_reported_together(configure: Configure) -> None:
    configure(OVENS="nine", GUESTS="-1")

    assert problems(Kitchen) == [
        "COOK is not set",
        "OVENS must be a whole number from 1 to 8",
        "GUESTS must be a whole number from 0 to 2147483648",
    ]


def test_a_problem_names_the_variable_that_was_set(configure: Configure) -> None:
    configure(JWT_SECRET=None, NEXTAUTH_SECRET="short")

    assert problems(settings.Tokens) == [
        "NEXTAUTH_SECRET must be at least 32 bytes (openssl rand -hex 32)"
    ]


def test_what_is_unsafe_is_refused_in_production_only(configure: Configure) -> None:
    unsafe = {"COOK": "nobody", "OVENS": "1", "GUESTS": "101"}
    configure(APP_ENV="production", **unsafe)
    assert problems(Kitchen) == ["COOK must be somebody", "GUESTS must fit the room"]

    configure(APP_ENV="development", **unsafe)
    assert load(Kitchen).guests == 101


@pytest.mark.parametrize(
    ("section", "variable", "value"),
    [
        (settings.Http, "ALLOWED_ORIGINS", "https://a.example,*"),
        (settings.Passwords, "BCRYPT_COST", "9"),
        (settings.FirstAdmin, "ADMIN_PASSWORD", "elevenchars"),
        (settings.Database, "DATABASE_URL", "sqlite:////tmp/app.db"),
    ],
)
def test_unsafe_production_settings_are_refused_by_name(
    configure: Configure, section: type, variable: str, value: str
) -> None:
    configure(APP_ENV="development", **{variable: value})
    load(section)

    configure(APP_ENV="production")
    (line,) = problems(section)
    assert line.startswith(f"{variable} must ")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("900", 900), ("30m", 1800), ("12h", 43200), ("7d", 604800), ("2w", 1209600), ("45 S", 45)],
)
def test_durations_are_read_with_their_units(text: str, seconds: int) -> None:
    assert duration_seconds(text) == seconds


@pytest.mark.parametrize("text", ["0", "0d", "-5", "1.5h", "7y", "d", "1h30m", "9" * 10])
def test_what_is_no_duration_is_refused(configure: Configure, text: str) -> None:
    configure(JWT_EXPIRES_IN=text)

    assert problems(settings.Tokens) == [
        "JWT_EXPIRES_IN must be a duration such as 900, 30m, 12h or 7d"
    ]


@pytest.mark.parametrize("text", ["maybe", "2", "t"])
def test_what_is_no_boolean_is_refused(configure: Configure, text: str) -> None:
    configure(ENVELOPE_ALWAYS_200=text)

    assert problems(settings.Http) == ["ENVELOPE_ALWAYS_200 must be true or false"]


@pytest.mark.parametrize(
    "secret",
    [
        LONG[:31],
        "密" * 10,
        "a" * 64,
        "abcabcabc" * 5,
        "0123456" * 6,
        "your-production-jwt-secret-at-least-32-characters-long",
        "your-development-jwt-secret-at-least-32-characters-long",
        "replace-this-with-the-output-of-openssl-rand-hex-32",
        "abcdefghijklmnopqrstuvwxyz0123456789",
        "1234567890" * 4,
        "0123456789abcdef" * 3,
        "k3yQmZ9x" * 5,
        "changeme" * 5,
        "your_production_secret_key_1234567890",
        "my-super-s3cr3t-jwt-key-change-in-production",
        "生产环境密钥（强随机字符串）" * 3,
        "Your-Production-JWT-Secret-At-Least-32-Characters-Long",
    ],
)
def test_a_signing_secret_anyone_could_guess_is_refused(configure: Configure, secret: str) -> None:
    configure(JWT_SECRET=secret)

    (line,) = problems(settings.Tokens)
    assert line.startswith("JWT_SECRET ")
    assert secret not in line


@pytest.mark.parametrize(
    "password",
    [
        *("admin123", "Admin@123", "admin888", "changeme123", "ChangeMe123!", "password123!"),
        *("YourSecurePassword123!@#", "P@ssw0rd1234", "admin123admin123", "Qwerty123456"),
        *("Admin@123456", "a" * 20, "1qaz2wsx3edc", "abcdefghijkl", "hunter2hunter2"),
    ],
)
def test_an_admin_password_that_guides_print_is_refused_in_production(
    configure: Configure, password: str
) -> None:
    configure(APP_ENV="production", ADMIN_PASSWORD=password)

    (line,) = problems(settings.FirstAdmin)
    assert line.startswith("ADMIN_PASSWORD must ")
    assert line.endswith("(openssl rand -hex 16)")
    assert password not in line


def test_each_sealing_secret_is_checked(configure: Configure) -> None:
    configure(UPSTREAM_KEYS_SECRET=f"{LONG},{'changeme' * 5}")

    assert problems(settings.UpstreamKeys) == [
        "UPSTREAM_KEYS_SECRET is a value anyone could guess (openssl rand -hex 32)"
    ]


def test_random_secrets_pass(configure: Configure) -> None:
    for _ in range(200):
        made = [secrets.token_hex(16), secrets.token_hex(32), secrets.token_urlsafe(32)]
        assert [settings.signing_secret(one).reveal() for one in made] == made
    configure(APP_ENV="production", ADMIN_PASSWORD="correct horse battery")
    assert load(settings.FirstAdmin).password


def test_secrets_do_not_show_themselves(configure: Configure) -> None:
    secret = "s3cret-canary-" + LONG
    configure(
        JWT_SECRET=secret,
        ADMIN_PASSWORD=secret,
        OPENAI_API_KEY=secret,
        DB_PASSWORD=secret,
        DATABASE_URL=f"mysql://me:{secret}@db/shop",
    )
    sections = (settings.Tokens, settings.FirstAdmin, settings.Model, settings.Database)

    for loaded in (load(section) for section in sections):
        assert secret not in f"{loaded!r} {loaded!s}"
    assert f"{Secret(secret)} {Secret(secret)!r}" == "Secret(...) Secret(...)"


@pytest.mark.usefixtures("database")
def test_a_missing_variable_breaks_only_the_endpoint_that_needs_it(
    configure: Configure, capsys: pytest.CaptureFixture[str]
) -> None:
    configure(JWT_SECRET=None)
    capsys.readouterr()

    refused = register()

    assert (refused.status, refused.json) == (
        503,
        {
            "code": 503,
            "message": "The service is not configured completely.",
            "error": "misconfigured",
            "request_id": "1-event",
        },
    )
    assert "JWT_SECRET is not set" in capsys.readouterr().out
    assert invoke(health, "GET", "/api/health").status == 200
    assert log_in().status == 401


@pytest.mark.parametrize(
    ("variables", "problem"),
    [
        ({"DATABASE_URL": "postgresql://u:s3cret@h/d"}, "DATABASE_URL names PostgreSQL"),
        ({"DATABASE_URL": "mysql://u:s3cret@h"}, "DATABASE_URL must look like"),
        ({"DB_HOST": "db", "DB_PASSWORD": "s3cret"}, "DB_NAME is not set"),
        ({"DB_PORT": "s3cret", "DB_NAME": "d"}, "DB_PORT must be a whole number"),
    ],
)
def test_a_broken_database_setting_is_logged_by_name_without_its_value(
    configure: Configure,
    capsys: pytest.CaptureFixture[str],
    variables: dict[str, str],
    problem: str,
) -> None:
    configure(**variables)

    reply = invoke(health, "GET", "/api/health")

    said = capsys.readouterr().out
    assert (reply.status, reply.error) == (503, "misconfigured")
    assert problem in said
    assert "s3cret" not in said
