"""Calls an upstream as the chat function does, and records all events."""

import asyncio
import dataclasses
from collections.abc import Mapping, Sequence

from shared import settings
from shared.config import Secret
from shared.llm import client
from shared.llm.events import Delta, Event, Finish, Usage
from tests.fakes import upstream
from tests.fakes.upstream_scenarios import FALLS_SILENT

KEY = "sk-this-key-must-never-be-seen"
GENEROUS = 30
ANSWER = [Delta(piece) for piece in upstream.PIECES]
COUNTED = Usage(upstream.PROMPT_TOKENS, upstream.COMPLETION_TOKENS)
STOPPED = Finish("stop")


def model(url: str, seconds: int = GENEROUS, **changes: object) -> settings.Model:
    """Settings with this value for every limit, and with changes."""
    made = settings.Model(
        api_key=Secret(KEY),
        url=url,
        connect_seconds=seconds,
        first_byte_seconds=seconds,
        idle_seconds=seconds,
        log_text=True,
    )
    return dataclasses.replace(made, **changes)  # type: ignore[arg-type]  # tests name real fields


def hasty(url: str, **changes: object) -> settings.Model:
    """Settings with limits of one second, and with changes."""
    return model(url, 1, **changes)


def patient_with(name: str, url: str) -> settings.Model:
    """Settings with limits of one second if a limit ends the scenario, otherwise long ones."""
    return hasty(url) if name in FALLS_SILENT else model(url)


def scenario(name: str) -> list[Mapping[str, object]]:
    return [{"role": "user", "content": f"scenario: {name}"}]


class Heard(list[Event]):
    """The events of an answer, and its error if there was one."""

    error: Exception | None = None


def ask(
    asked: settings.Model,
    messages: Sequence[Mapping[str, object]],
    *,
    name: str = "test-model",
    thinking: bool = True,
) -> Heard:
    async def run() -> Heard:
        heard = Heard()
        try:
            async with client.stream(asked, messages, model=name, thinking=thinking) as events:
                async for event in events:
                    heard.append(event)
        except Exception as error:  # noqa: BLE001 - the test judges what was raised
            heard.error = error
        finally:
            await client.close()
        return heard

    return asyncio.run(run())
