"""Users and instances for the tests of what a message costs."""

from collections.abc import Iterator

import pytest

from shared.database.transactions import read, transaction
from shared.repos import prices
from tests.functions.chat.outages import Remote, remote_instance
from tests.functions.conftest import Kept, Pair, SignUp
from tests.functions.wallets import PER_TOKEN
from tests.people import Person, paying
from tests.web import WebFunction


@pytest.fixture
def payer(sign_up: SignUp) -> Person:
    """A user with money and without free messages."""
    return paying(sign_up(), 10_000)


@pytest.fixture
def remote(pair: Pair) -> Iterator[Remote]:
    """An instance on the database of `pair`, which a test takes away."""
    with remote_instance(pair) as instance:
        yield instance


@pytest.fixture
def metered(stored: WebFunction, payer: Person, kept: Kept) -> WebFunction:
    """An instance whose model has prices per token."""
    if read(prices.find_current, PER_TOKEN.model) is None:
        transaction(prices.add, PER_TOKEN, changed_by=payer.id)
    return kept(**{**stored.variables, "OPENAI_MODEL": PER_TOKEN.model})
