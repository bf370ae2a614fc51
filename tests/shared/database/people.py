"""People who sign up and in, and a monitor: requests that need the database."""

from functions.health.index import handler as health
from functions.login.index import handler as login
from functions.register.index import handler as register
from tests.events import Reply, invoke

PERSON = {"email": "anna@example.com", "password": "correct horse"}


def sign_up(**changes: object) -> Reply:
    return invoke(register, "POST", "/api/auth/register", json_body={**PERSON, **changes})


def sign_in() -> Reply:
    return invoke(login, "POST", "/api/auth/login", json_body=PERSON)


def check_health() -> tuple[int, str]:
    reply = invoke(health, "GET", "/api/health")
    return reply.status, reply.data["database"]
