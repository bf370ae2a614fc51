"""The measured product: a database, users, and a process of the chat function."""

import asyncio
import json
import os
import secrets
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pymysql

from scripts.tooling.database import migrations
from scripts.tooling.database.mariadb import private_server
from scripts.tooling.environment import ROOT
from scripts.tooling.local.gateway.web import WebProcess
from scripts.tooling.manifest.s_yaml import load
from shared import settings
from shared.accounts import tokens
from shared.accounts.tokens import Claims
from shared.database import transactions
from shared.database.connection import Connection
from shared.ids import new_id
from shared.money import charging
from shared.repos import sessions, users
from shared.repos.sessions import Session
from shared.repos.users import User
from shared.times import now_ms, shanghai_day

_NAME = "bench"
_SAMPLE_SECONDS = 0.05


@contextmanager
def database() -> Iterator[dict[str, str]]:
    """Yield variables for a migrated, empty database; this process gets them as well."""
    with private_server() as server:
        target = settings.database_url(f"{server}/mysql")
        with pymysql.connect(
            host=target.host, port=target.port, user=target.user, password=target.password.reveal()
        ) as connection:
            connection.cursor().execute(f"CREATE DATABASE {_NAME} CHARACTER SET utf8mb4")
        variables = {
            "APP_ENV": "test",
            "DATABASE_URL": f"{server}/{_NAME}",
            "JWT_SECRET": secrets.token_hex(32),
            "JWT_EXPIRES_IN": "1d",
        }
        os.environ.update(variables)
        migrations.up()
        yield variables
        transactions.disconnect()


def sign_up(count: int) -> list[str]:
    """Add users who have already sent a message today; return their access tokens."""
    return [transactions.transaction(_add_user) for _ in range(count)]


def _add_user(connection: Connection) -> str:
    user = User(new_id(), None, new_id().lower(), None, "user", now_ms(), None)
    users.add(connection, user)
    charging.prepare(connection, user.id, user.id, shanghai_day(now_ms()))
    session = Session(new_id(), user.id, None, now_ms(), now_ms())
    sessions.add(connection, session)
    return tokens.issue_access(Claims(user.id, session.id, "user"))


class Chat:
    """One process of the chat function on one core, with its processor time and memory."""

    def __init__(self, server: WebProcess) -> None:
        self.port = int(server.url.rpartition(":")[2])
        self._pid = server.process.pid
        self._peak_kb = 0

    @property
    def cpu_ms(self) -> float:
        """Processor time of all threads; Linux derives a process's clock id from its pid."""
        return time.clock_gettime(~self._pid << 3 | 2) * 1000

    @property
    def memory_kb(self) -> int:
        pages = int(Path(f"/proc/{self._pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") // 1024

    @asynccontextmanager
    async def measured(self) -> AsyncIterator["Usage"]:
        usage = Usage()
        before_kb, before_ms = self.memory_kb, self.cpu_ms
        sampling = asyncio.create_task(self._sample_memory())
        try:
            yield usage
        finally:
            sampling.cancel()
            usage.cpu_ms = self.cpu_ms - before_ms
            usage.memory_kb = max(self._peak_kb - before_kb, 0)

    async def _sample_memory(self) -> None:
        self._peak_kb = 0
        while True:
            self._peak_kb = max(self._peak_kb, self.memory_kb)
            await asyncio.sleep(_SAMPLE_SECONDS)


class Usage:
    """Processor time of a load, and the memory that it added; set when the load has ended."""

    cpu_ms = 0.0
    memory_kb = 0


@asynccontextmanager
async def chat(variables: dict[str, str], model_url: str, core: int) -> AsyncIterator[Chat]:
    """Run the chat function with limits too high to matter."""
    given = {
        **variables,
        "OPENAI_API_KEY": "sk-bench",
        "OPENAI_API_URL": model_url,
        "OPENAI_MODEL": "fixed-rate",
        "MAX_STREAMS_PER_USER": "100",
        "DAILY_FREE_MESSAGES": "1000",
        "CHAT_LIMIT": "100000/1m",
    }
    function = load(ROOT / "s.yaml", given, strict=False).function("chat")
    output: list[str] = []
    server = await WebProcess.start(function, ROOT, output.append)
    try:
        os.sched_setaffinity(server.process.pid, {core})
        yield Chat(server)
    finally:
        await server.process.stop()
        _print_bad_lines(output)


def _print_bad_lines(output: list[str]) -> None:
    for line in output:
        if not line.startswith(("FC Invoke", "INFO:")) and _is_bad(line):
            print(line)


def _is_bad(line: str) -> bool:
    try:
        return bool(json.loads(line)["level"] == "error")
    except (ValueError, KeyError, TypeError):
        return True
