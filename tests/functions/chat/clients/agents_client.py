# mypy: ignore-errors
"""What a client of OpenAI's Agents SDK does: an agent with a tool and a typed result."""

import asyncio
import json
import sys

from agents import Agent, OpenAIChatCompletionsModel, Runner, function_tool, set_tracing_disabled
from openai import AsyncOpenAI
from pydantic import BaseModel

url, key, prompt = sys.argv[1:]
set_tracing_disabled(True)
model = OpenAIChatCompletionsModel("test-model", AsyncOpenAI(base_url=url, api_key=key))


class Weather(BaseModel):
    city: str
    degrees: int


@function_tool
def weather(city: str) -> str:
    """Look up the weather."""
    return f"sunny in {city}"


async def whole(agent: Agent) -> object:
    return (await Runner.run(agent, prompt)).final_output


async def streamed(agent: Agent) -> object:
    running = Runner.run_streamed(agent, prompt)
    async for _ in running.stream_events():
        pass
    return running.final_output


async def main() -> dict[str, object]:
    able = Agent(name="able", model=model, tools=[weather])
    typed = Agent(name="typed", model=model, output_type=Weather)
    return {
        "tool result": await whole(able),
        "streamed tool result": await streamed(able),
        "typed": (await whole(typed)).model_dump(),
    }


print(json.dumps(asyncio.run(main())))
