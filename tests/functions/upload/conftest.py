"""Fixtures: uploads to a fake bucket, or to the local folder behind its gateway."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Configure
from tests.fakes import oss
from tests.functions.upload.uploading import Uploader
from tests.people import add_user, token_of
from tests.shared.storage.stores import local_storage


@pytest.fixture
def bucket(configure: Configure, database: str) -> Iterator[oss.Bucket]:
    with oss.running() as running:
        configure(**running.variables, DATABASE_URL=database)
        yield running


@pytest.fixture(params=["bucket", "folder"])
def store(
    request: pytest.FixtureRequest, configure: Configure, database: str, tmp_path: Path
) -> Iterator[str]:
    """The name of the storage; each test runs on both."""
    if request.param == "bucket":
        request.getfixturevalue("bucket")
        yield "bucket"
        return
    with local_storage(tmp_path / "files") as running:
        configure(**running.variables, DATABASE_URL=database)
        yield "folder"


@pytest.fixture
def anna(database: str) -> Uploader:
    """Needs a storage beside it."""
    user = add_user()
    return Uploader(user.id, token_of(user.id))
