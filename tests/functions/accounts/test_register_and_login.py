"""Registration and login."""

from typing import Any

import bcrypt
import pytest

from shared.accounts import passwords, tokens
from shared.database.transactions import read, transaction
from shared.repos import users
from tests.conftest import Configure
from tests.people import PASSWORD, log_in, register

ANNA: dict[str, Any] = {"email": "anna@example.com", "password": PASSWORD}


@pytest.mark.usefixtures("database")
def test_registration_opens_an_account_and_a_session() -> None:
    reply = register(username="Anna")
    assert reply.status == 201
    session = reply.data
    claims = tokens.read_access(session["access_token"])
    assert session == {
        "user": {
            "id": claims.user_id,
            "email": "anna@example.com",
            "username": "anna",
            "role": "user",
            "created_at": session["user"]["created_at"],
        },
        "access_token": session["access_token"],
        "expires_in": 1800,
        "refresh_token": session["refresh_token"],
    }
    assert session["user"]["created_at"].endswith("Z")


@pytest.mark.usefixtures("database")
def test_a_taken_email_is_refused_however_it_is_spelled() -> None:
    assert register().status == 201
    again = register(email=" ANNA@Example.com ")
    assert (again.status, again.error) == (409, "email_taken")


@pytest.mark.usefixtures("database")
def test_a_taken_username_is_refused_and_leaves_no_account() -> None:
    assert register(username="anna").status == 201
    again = register(email="other@example.com", username="ANNA")
    assert (again.status, again.error) == (409, "username_taken")
    assert read(users.find_by_login, "other@example.com") is None


@pytest.mark.usefixtures("database")
def test_fields_that_are_nobodys_to_set_are_refused() -> None:
    reply = register(role="admin", id="me", created_at_ms=1, disabled_at_ms=1)
    assert (reply.status, len(reply.json["details"])) == (422, 4)
    assert read(users.find_by_login, "anna@example.com") is None


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("login_field", ["email", "username"])
@pytest.mark.parametrize("name", ["anna@example.com", " Anna@EXAMPLE.com", "anna"])
def test_a_login_takes_the_email_or_the_username_in_either_field(
    login_field: str, name: str
) -> None:
    created = register(username="anna").data["user"]
    login: dict[str, Any] = {login_field: name}
    reply = log_in(**login)
    assert (reply.status, reply.data["user"]) == (200, created)


@pytest.mark.usefixtures("database")
def test_a_wrong_password_gets_one_answer_whatever_the_account_is() -> None:
    register()
    register("off")
    disable("off")
    answers = [
        log_in(email="anna@example.com", password="wrong"),
        log_in(email="nobody@example.com", password="wrong"),
        log_in(email="off@example.com", password="wrong"),
    ]
    assert [(one.status, one.body, one.headers) for one in answers] == [
        (401, answers[0].body, answers[0].headers)
    ] * 3
    assert answers[0].error == "wrong_credentials"


@pytest.mark.usefixtures("database")
def test_only_the_right_password_reveals_that_an_account_is_disabled() -> None:
    register("off")
    disable("off")

    reply, in_chinese = log_in("off"), log_in("off", headers={"Accept-Language": "zh-CN"})

    assert (reply.status, reply.error) == (403, "account_disabled")
    assert in_chinese.json["message"] == "该账号已被停用，请联系管理员。"


def disable(name: str) -> None:
    statement = "UPDATE users SET disabled_at_ms = 1 WHERE email = :email"
    transaction(lambda db: db.execute(statement, email=f"{name}@example.com"))


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize(
    "password", ["p" * 71, "p" * 72, "p" * 73, "p" * 1000, "密" * 25, "nul\0inside", "emoji 🐼🐼"]
)
def test_every_byte_of_a_password_counts(password: str) -> None:
    assert register(password=password).status == 201
    assert log_in(email=ANNA["email"], password=password).status == 200
    assert log_in(email=ANNA["email"], password=password[:-1]).status == 401
    assert log_in(email=ANNA["email"], password=password + "x").status == 401


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("password", ["", "p", "p" * 7, "p" * 1025, "密" * 400, None, 12345678, []])
def test_a_password_too_short_too_long_or_no_text_is_named(password: object) -> None:
    reply = register(password=password)
    assert (reply.status, reply.error) == (422, "invalid_request")
    assert [detail["field"] for detail in reply.json["details"]] == ["body.password"]


def import_hash(password: str, prefix: bytes = b"2b") -> str:
    """Register Anna with the hash that another system, such as one in PHP, has of a password."""
    register()
    read_by_bcrypt = password.encode().split(b"\0")[0][:72]
    imported = bcrypt.hashpw(read_by_bcrypt, bcrypt.gensalt(4, prefix=prefix)).decode()
    transaction(lambda db: db.execute("UPDATE users SET password_hash = :hash", hash=imported))
    return imported


def stored_hash() -> str | None:
    user = read(users.find_by_login, ANNA["email"])
    assert user is not None
    return user.password_hash


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("prefix", [b"2a", b"2b"])
@pytest.mark.parametrize("password", [PASSWORD, "p" * 72, "密" * 24])
def test_an_imported_bcrypt_hash_signs_in_and_is_replaced(prefix: bytes, password: str) -> None:
    import_hash(password, prefix)
    assert log_in(email=ANNA["email"], password=password).status == 200
    assert str(stored_hash()).startswith("sha384-$2b$04$")
    assert log_in(email=ANNA["email"], password=password).status == 200
    assert log_in(email=ANNA["email"], password=password[:-1]).status == 401


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize(
    ("owned", "tried"),
    [
        ("密" * 25, "密" * 24 + "x"),  # another tail after 72 bytes
        ("p" * 72, "p" * 73),
        ("p" * 100, "p" * 100),  # the right one; the hash holds only its beginning
        ("abc", "abc\0abc"),  # bcrypt repeats a short password, with a NUL between
        ("abc\0xyz", "abc\0xyz"),
    ],
)
def test_a_password_that_bcrypt_does_not_read_whole_never_fits_an_imported_hash(
    owned: str, tried: str
) -> None:
    imported = import_hash(owned)

    reply = log_in(email=ANNA["email"], password=tried)

    assert (reply.status, reply.error) == (401, "wrong_credentials")
    assert stored_hash() == imported


@pytest.mark.usefixtures("database")
def test_how_to_reset_it_is_told_for_the_password_alone_whatever_the_account() -> None:
    import_hash("p" * 100)
    register("ben")

    answers = [log_in(name, password="p" * 100) for name in ("anna", "ben", "nobody")]

    assert {(one.status, one.body) for one in answers} == {(401, answers[0].body)}
    assert "ask an administrator for a new password" in answers[0].json["message"]
    usual = log_in("ben", password="wrong").json["message"]
    assert usual == "The email or password is wrong."


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
@pytest.mark.usefixtures("database")
def test_an_account_deleted_during_its_login_is_given_no_session() -> None:
    """The trigger stands for the deletion, which removes the sessions of the account."""
    register()
    transaction(
        lambda db: db.execute(
            """
            CREATE TRIGGER deletion AFTER INSERT ON sessions
            BEGIN DELETE FROM sessions WHERE id = NEW.id; END
            """
        )
    )

    reply = log_in()

    assert (reply.status, reply.error) == (401, "wrong_credentials")


@pytest.mark.usefixtures("database")
def test_a_login_renews_a_hash_cheaper_than_the_setting(configure: Configure) -> None:
    register()
    configure(BCRYPT_COST="5")
    assert log_in(**ANNA).status == 200
    stored = read(users.find_by_login, ANNA["email"])
    assert stored is not None
    assert stored.password_hash is not None
    assert stored.password_hash.startswith("sha384-$2b$05$")


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("name", ["root", "root@example.com"])
def test_the_first_admin_comes_from_the_environment_and_only_the_first(
    configure: Configure, name: str
) -> None:
    assert log_in(username=name, password="a long secret").status == 401
    configure(ADMIN_USERNAME=name, ADMIN_PASSWORD="a long secret")
    assert log_in(username=name, password="wrong").status == 401
    assert log_in(username=name, password="a long secret").data["user"]["role"] == "admin"
    configure(ADMIN_USERNAME="second", ADMIN_PASSWORD="a long secret")
    assert log_in(username="second", password="a long secret").status == 401
    configure(ADMIN_USERNAME=name, ADMIN_PASSWORD="changed later")
    assert log_in(username=name, password="changed later").status == 401
    assert log_in(username=name, password="a long secret").status == 200


@pytest.mark.usefixtures("database")
def test_an_empty_admin_setting_admits_nobody(configure: Configure) -> None:
    configure(ADMIN_USERNAME="root", ADMIN_PASSWORD="")
    reply = log_in(username="root", password="")
    assert (reply.status, reply.error) == (422, "invalid_request")


@pytest.mark.usefixtures("configure")
def test_without_a_database_accounts_say_so() -> None:
    for reply in (register(), log_in(**ANNA)):
        assert (reply.status, reply.error) == (503, "database_not_configured")


@pytest.mark.usefixtures("database")
def test_an_account_with_the_first_admins_name_stays_a_user_and_the_log_says_so(
    configure: Configure, capsys: pytest.CaptureFixture[str]
) -> None:
    assert register(username="root").status == 201
    configure(ADMIN_USERNAME="root", ADMIN_PASSWORD="a long secret")
    assert log_in(username="root", password="a long secret").status == 401
    assert "ADMIN_USERNAME belongs to another account" in capsys.readouterr().out
    assert log_in(username="root", password=ANNA["password"]).data["user"]["role"] == "user"


def test_an_unsafe_admin_password_answers_alike_whoever_asks(
    configure: Configure, database: str
) -> None:
    if database.startswith("sqlite"):
        pytest.skip("production refuses SQLite")
    register()
    configure(APP_ENV="production", BCRYPT_COST="10", ADMIN_USERNAME="root", ADMIN_PASSWORD="short")
    answers = [log_in(email=name, password="wrong") for name in (ANNA["email"], "nobody@a.com")]
    assert [(one.status, one.error) for one in answers] == [(503, "misconfigured")] * 2


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("stored", [None, "$argon2id$v=19$m=65536", "$2b$10$short", "sha384-x"])
def test_a_hash_of_a_kind_we_do_not_know_admits_nobody(stored: str | None) -> None:
    register()
    transaction(lambda db: db.execute("UPDATE users SET password_hash = :hash", hash=stored))
    reply = log_in(email=ANNA["email"], password=ANNA["password"])
    assert (reply.status, reply.error) == (401, "wrong_credentials")


@pytest.mark.parametrize("stored", [4, 6, 9, 12])
def test_a_refusal_costs_todays_price_whatever_is_stored(configure: Configure, stored: int) -> None:
    configure(BCRYPT_COST="12")
    imported = f"$2b${stored:02}${'.' * 53}"
    spent = [stored, *passwords.costs_to_top_up(imported)]
    assert sum(2**cost for cost in spent) == 2**12
    assert [*passwords.costs_to_top_up(None)] == [12]


@pytest.mark.parametrize("field", ["email", "username"])
@pytest.mark.usefixtures("configure")
def test_a_long_name_is_refused_before_it_is_normalised(field: str) -> None:
    """Normalising it first would take minutes and exceed the test's time limit."""
    name: dict[str, Any] = {field: "a" + "\u0315" * 240_000 + "\u0300" * 240_000}
    reply = register(**name)
    assert (reply.status, reply.json["details"][0]["field"]) == (422, f"body.{field}")
