# mypy: ignore-errors
"""What a client of LangChain does: structured output by both methods, and tools."""

import json
import sys

from langchain_core.messages import HumanMessage, ToolMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from pydantic import BaseModel

url, key, prompt = sys.argv[1:]
model = ChatOpenAI(model="test-model", base_url=url, api_key=key)


class Weather(BaseModel):
    """The weather of a city."""

    city: str
    degrees: int


@tool
def weather(city: str) -> str:
    """Look up the weather."""
    return f"sunny in {city}"


def structured(method: str) -> dict[str, object]:
    return model.with_structured_output(Weather, method=method).invoke(prompt).model_dump()


def used(streamed: bool) -> str:
    able = model.bind_tools([weather])
    messages = [HumanMessage(prompt)]
    if streamed:
        parts = list(able.stream(messages))
        first = sum(parts[1:], start=parts[0])
    else:
        first = able.invoke(messages)
    (call,) = first.tool_calls
    result = ToolMessage(weather.invoke(call["args"]), tool_call_id=call["id"])
    return able.invoke([*messages, first, result]).content


print(
    json.dumps(
        {
            "json_schema": structured("json_schema"),
            "function_calling": structured("function_calling"),
            "tool result": used(streamed=False),
            "streamed tool result": used(streamed=True),
        }
    )
)
