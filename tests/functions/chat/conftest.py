"""Users and instances for the tests of what a message costs."""

from collections.abc import Iterator

import pytest

from shared.database.transactions import read, transaction
from shared.repos import prices
from tests.functions.conftest import SignUp
from tests.functions.wallets import PER_TOKEN
from tests.people import Person, grant, use_up
from tests.web import WebFunction, serving


@pytest.fixture
def payer(sign_up: SignUp) -> Person:
    """A user with money and without free messages."""
    payer = sign_up()
    use_up(payer)
    grant(payer, 10_000)
    return payer


@pytest.fixture
def metered(stored: WebFunction, payer: Person) -> Iterator[WebFunction]:
    """An instance whose model has prices per token."""
    if read(prices.find_current, PER_TOKEN.model) is None:
        transaction(prices.add, PER_TOKEN, changed_by=payer.id)
    with serving("chat", **{**stored.variables, "OPENAI_MODEL": PER_TOKEN.model}) as web:
        yield web
