"""Database URLs, and their separate parts."""

import pytest

from shared import settings
from shared.config import Secret, load
from shared.settings import DatabaseTarget, database_url
from tests.conftest import Configure

SHOP = DatabaseTarget("mysql", "db.example.com", 3307, "me", Secret("pass"), "shop")


@pytest.mark.parametrize("scheme", ["mysql", "mysql+pymysql"])
def test_a_mysql_url_is_taken_apart(scheme: str) -> None:
    assert database_url(f"{scheme}://me:pass@db.example.com:3307/shop") == SHOP


def test_the_port_has_a_default() -> None:
    assert database_url("mysql://me:pass@db.example.com/shop").port == 3306


def test_special_characters_are_percent_encoded() -> None:
    target = database_url("mysql://m%40e:p%40ss%2Fw%3Ao%23r%3Fd%25@db/sh%2Dop")

    assert (target.user, target.password.reveal(), target.name) == ("m@e", "p@ss/w:o#r?d%", "sh-op")


def test_an_ipv6_host_stands_in_brackets() -> None:
    target = database_url("mysql://me:pass@[2001:db8::1]:3307/shop")

    assert (target.host, target.port) == ("2001:db8::1", 3307)


@pytest.mark.parametrize(
    ("query", "mode"),
    [
        ("", "preferred"),
        ("?charset=utf8mb4", "preferred"),
        ("?ssl-mode=DISABLED", "disabled"),
        ("?ssl-mode=Preferred", "preferred"),
        ("?ssl-mode=REQUIRED&charset=utf8mb4", "required"),
        ("?ssl-mode=verify_identity", "verify_identity"),
        ("?sslmode=required", "required"),
        ("?ssl=false", "disabled"),
        ("?ssl=true", "required"),
    ],
)
def test_ssl_mode_speaks_as_mysql_does(query: str, mode: str) -> None:
    assert database_url(f"mysql://me:pass@db/shop{query}").tls == mode


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("sqlite:///app.db", "app.db"),
        ("sqlite:///data/app.db", "data/app.db"),
        ("sqlite:////tmp/app.db", "/tmp/app.db"),  # noqa: S108  # only a name here
        ("sqlite:///my%20app.db?cache=shared", "my app.db"),
    ],
)
def test_an_sqlite_url_names_a_file(url: str, path: str) -> None:
    assert database_url(url) == DatabaseTarget("sqlite", path=path)


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("postgresql://me:pass@db/shop", "names PostgreSQL, which is not supported"),
        ("postgres://me:pass@db/shop", "names PostgreSQL, which is not supported"),
        ("mongodb://db/shop", "must start with mysql:// or sqlite:///"),
        ("db.example.com", "must start with mysql:// or sqlite:///"),
        ("://", "must start with mysql:// or sqlite:///"),
        ("sqlite://app.db", "must be sqlite:///relative/path"),
        ("sqlite:///", "must be sqlite:///relative/path"),
        ("mysql://", "must look like mysql://user:password@host:3306/name"),
        ("mysql://me:pass@db", "must look like mysql://user:password@host:3306/name"),
        ("mysql://me:pass@db/", "must look like mysql://user:password@host:3306/name"),
        ("mysql:///shop", "must look like mysql://user:password@host:3306/name"),
        ("mysql://me:pa#ss@db/shop", "is not a URL; percent-encode special characters"),
        ("mysql://me:pa/ss@db/shop", "is not a URL; percent-encode special characters"),
        ("mysql://me:12/ss@db/shop", "is not a URL; percent-encode special characters"),
        ("mysql://me:pass@[db/shop", "is not a URL; percent-encode special characters"),
        ("mysql://me:pass@db:port/shop", "is not a URL; percent-encode special characters"),
        ("mysql://me:pass@db:99999/shop", "is not a URL; percent-encode special characters"),
        ("mysql://me:pass@db/shop?ssl-mode=maybe", "has an unknown ssl-mode"),
    ],
)
def test_what_names_no_database_is_refused_with_a_hint(url: str, problem: str) -> None:
    with pytest.raises(ValueError, match="^" + problem.replace("+", r"\+")) as refusal:
        database_url(url)

    assert "pass" not in str(refusal.value).replace("user:password", "")


def test_five_variables_do_what_one_url_does(configure: Configure) -> None:
    parts = {
        "DB_HOST": "db.example.com",
        "DB_PORT": "3307",
        "DB_USER": "me",
        "DB_PASSWORD": "pass",
        "DB_NAME": "shop",
    }
    configure(**parts)
    assert load(settings.Database).target == SHOP

    configure(DATABASE_URL="sqlite:///app.db")
    assert load(settings.Database).target == DatabaseTarget("sqlite", path="app.db")


@pytest.mark.usefixtures("configure")
def test_nothing_set_means_no_database() -> None:
    assert load(settings.Database).target is None
