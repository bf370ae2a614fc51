"""A private MariaDB that a proof kills and starts again, with its data kept on disk."""

import secrets
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from scripts.tooling.database import mariadb

# Removes the folder when its standard input closes, however this process ends.
_REMOVER = 'read -r _; sleep 1; rm -rf -- "$1"'


class RestartableServer:
    """A server that keeps every committed transaction when it is killed."""

    def __init__(self, folder: Path, log: IO[bytes]) -> None:
        self.port = mariadb.free_port()
        self._password = secrets.token_hex(16)
        self._folder, self._log = folder, log
        self._keeper: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"mysql://tester:{self._password}@127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start the server and wait until it answers. Raises: ServerFailed."""
        command = mariadb.common_options(self._folder, self.port, self._password)
        nothing = self._folder / "nothing"
        self._keeper = mariadb.start(command, nothing, self._log.fileno())
        mariadb.wait_until_ready(self._keeper, self.port, self._password, self._log)

    def kill(self) -> None:
        """End the server with SIGKILL; return when it has ended."""
        if self._keeper:
            self._keeper.communicate()
        self._keeper = None


@contextmanager
def restartable_server() -> Iterator[RestartableServer]:
    """Yield a running server, which is removed with its data afterwards.

    Raises: SystemExit: MariaDB is missing; ServerFailed.
    """
    mariadb.ensure_installed()
    with (
        tempfile.TemporaryDirectory(prefix="mariadb-", ignore_cleanup_errors=True) as folder,
        tempfile.TemporaryFile() as log,
        _removed_with_us(folder),
    ):
        mariadb.install(Path(folder), log.fileno())
        server = RestartableServer(Path(folder), log)
        try:
            server.start()
            yield server
        finally:
            server.kill()


@contextmanager
def _removed_with_us(folder: str) -> Iterator[None]:
    remover = subprocess.Popen(
        ["/bin/sh", "-c", _REMOVER, "remover", folder],
        stdin=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        yield
    finally:
        remover.communicate()
