"""Fixtures: the storage of media in a bucket and in a folder."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.storage.media_choice import media_storage
from shared.storage.media_storage import MediaStorage
from tests.conftest import Configure
from tests.fakes import oss
from tests.shared.storage.stores import LocalStorage, local_storage


@pytest.fixture
def media_bucket(configure: Configure) -> Iterator[oss.Bucket]:
    with oss.running() as running:
        configure(**running.variables)
        yield running


@pytest.fixture
def media_folder(configure: Configure, tmp_path: Path) -> Iterator[LocalStorage]:
    with local_storage(tmp_path / "files") as running:
        configure(**running.variables)
        yield running


@pytest.fixture(params=["bucket", "folder"])
def media(request: pytest.FixtureRequest) -> MediaStorage:
    """Each test runs on both stores."""
    request.getfixturevalue(f"media_{request.param}")
    return media_storage()
