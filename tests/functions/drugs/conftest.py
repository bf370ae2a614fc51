"""Settings of recognitions: a folder as storage, and a model for each scenario."""

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.database import threads
from shared.llm import routing
from tests.conftest import WITHOUT_LIMITS, Configure
from tests.fakes.upstream import Upstream
from tests.functions.drugs.recognizing import upstreams
from tests.people import Person, new_person, paying


@pytest.fixture
def given(
    configure: Configure, database: str, fake: Upstream, tmp_path: Path
) -> Iterator[dict[str, str]]:
    """The variables, which are set in this process, too."""
    variables = {
        **WITHOUT_LIMITS,
        "DATABASE_URL": database,
        "JWT_SECRET": secrets.token_hex(32),
        "OPENAI_API_KEY": "sk-test",
        "STORAGE_FOLDER": str(tmp_path / "storage"),
        "UPSTREAMS": upstreams(fake.url),
    }
    configure(**variables)
    as_in_a_new_process()
    yield variables
    as_in_a_new_process()


def as_in_a_new_process() -> None:
    """Forget the models, and the connections of other threads to another database."""
    routing._catalog.cache_clear()
    threads._threads.cache_clear()


@pytest.fixture
def anna(given: dict[str, str]) -> Person:
    """A user with 1,000 fen and without free messages: a recognition costs 100."""
    return paying(new_person(), 1000)
