"""Ask an upstream as the chat function does, and keep everything that came back."""

import asyncio
import dataclasses
from collections.abc import Mapping, Sequence

from shared import settings
from shared.config import Secret
from shared.llm import client
from shared.llm.events import Delta, Event, Finish, Usage
from tests.fakes import upstream

KEY = "sk-this-key-must-never-be-seen"
ANSWER = [Delta(piece) for piece in upstream.PIECES]
COUNTED = Usage(upstream.PROMPT_TOKENS, upstream.COMPLETION_TOKENS)
STOPPED = Finish("stop")


def model(url: str, **changes: object) -> settings.Model:
    """Settings with every limit at one second, or as changed."""
    made = settings.Model(
        api_key=Secret(KEY),
        url=url,
        connect_seconds=1,
        first_byte_seconds=1,
        idle_seconds=1,
    )
    return dataclasses.replace(made, **changes)  # type: ignore[arg-type]  # tests name real fields


def scenario(name: str) -> list[Mapping[str, object]]:
    return [{"role": "user", "content": f"scenario: {name}"}]


class Heard(list[Event]):
    """The events of an answer, also when it ended in an error."""

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
