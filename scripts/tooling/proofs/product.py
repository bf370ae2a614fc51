"""The product of a proof: a database that can be killed, chat, maintenance and a model."""

import asyncio
import json
import os
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from scripts.tooling.database import migrations
from scripts.tooling.database.mariadb import create_database
from scripts.tooling.database.restartable import RestartableServer, restartable_server
from scripts.tooling.environment import ROOT
from scripts.tooling.local.gateway.builtin import Instance
from scripts.tooling.local.gateway.events import context_of
from scripts.tooling.local.gateway.refusals import HandlerRaised
from scripts.tooling.local.gateway.web import WebProcess
from scripts.tooling.manifest.s_yaml import load
from scripts.tooling.proofs.clients import KINDS
from scripts.tooling.proofs.model import Model, model
from scripts.tooling.proofs.state import PRICE_FEN
from scripts.tooling.proofs.tap import Tap, tap_before
from shared.database import transactions

_SWEEP_SECONDS = 5.0  # production sweeps once a minute


@dataclass
class Product:
    """Chat reaches the database through the tap; everything else directly."""

    url: str
    tap: Tap
    model: Model
    _server: RestartableServer
    _output: list[str]
    _is_up: bool = True
    _starting: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def kill_database(self) -> None:
        self._is_up = False
        self.tap.trigger = None
        await asyncio.to_thread(self._server.kill)

    async def ensure_database(self) -> None:
        async with self._starting:
            if not self._is_up:
                await asyncio.to_thread(self._server.start)
                self._is_up = True

    def crashes(self) -> list[str]:
        """Crashes in the log of chat since the last call."""
        found = [line for line in self._output if '"event": "crash"' in line or "Traceback" in line]
        self._output.clear()
        return [line[:300] for line in found]


@asynccontextmanager
async def product() -> AsyncIterator[Product]:
    with restartable_server() as server:
        variables = _migrated(server)
        async with model() as of_proof, tap_before(server.port) as tap:
            given = {
                **variables,
                "DATABASE_URL": variables["DATABASE_URL"].replace(
                    f":{server.port}/", f":{tap.port}/"
                ),
                "OPENAI_API_KEY": "sk-proof",
                "OPENAI_API_URL": f"http://127.0.0.1:{of_proof.port}/v1",
            }
            output: list[str] = []
            function = load(ROOT / "s.yaml", given, strict=False).function("chat")
            chat = await WebProcess.start(function, ROOT, output.append)
            sweeping = asyncio.create_task(_sweep(variables))
            try:
                yield Product(chat.url, tap, of_proof, server, output)
            finally:
                sweeping.cancel()
                await asyncio.gather(sweeping, return_exceptions=True)
                await chat.process.stop()
                await asyncio.to_thread(transactions.disconnect)


def _migrated(server: RestartableServer) -> dict[str, str]:
    """The variables of all functions, with an empty database; this process gets them as well."""
    variables = {
        "APP_ENV": "test",
        "DATABASE_URL": f"{create_database(server.url, 'proof')}?ssl-mode=disabled",
        "JWT_SECRET": secrets.token_hex(32),
        "JWT_EXPIRES_IN": "1d",
        "OPENAI_MODEL": "words",
        "DAILY_FREE_MESSAGES": "0",
        "MESSAGE_PRICE_FEN": str(PRICE_FEN),
        "MAX_STREAMS_PER_USER": str(len(KINDS)),  # a slot that is lost shows at once
        "CHAT_LIMIT": "0",
        "UNPAID_LIMIT": "0",
    }
    os.environ.update(variables)
    migrations.up()
    return variables


async def _sweep(variables: dict[str, str]) -> None:
    """Run maintenance again and again; a run fails while the database is away."""
    function = load(ROOT / "s.yaml", variables, strict=False).function("maintenance")
    event = json.dumps({"triggerName": "every-minute", "payload": ""}).encode()
    while True:
        instance = await Instance.start(function, ROOT, lambda line: None)
        try:
            with suppress(HandlerRaised):  # such an instance cannot be used again
                while True:
                    await asyncio.sleep(_SWEEP_SECONDS)
                    await instance.invoke(event, context_of(function, "1-proof"))
        finally:
            await instance.kill()
