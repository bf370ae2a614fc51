"""One fake upstream for each test."""

from collections.abc import Iterator

import pytest

from tests.fakes import upstream
from tests.fakes.upstream import Upstream


@pytest.fixture
def fake() -> Iterator[Upstream]:
    with upstream.running() as server:
        yield server
