"""One gateway for the tests that only send requests to it."""

from collections.abc import Iterator

import pytest

from tests.tooling.local.gateways import RunningGateway, running_gateway


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    with running_gateway(tmp_path_factory.mktemp("tree")) as running:
        yield running
