# mypy: ignore-errors
"""What a client of OpenAI's Python SDK does with structured answers and tools."""

import json
import sys

import openai
from pydantic import BaseModel

url, key, prompt = sys.argv[1:]
client = openai.OpenAI(base_url=url, api_key=key)
chat = client.chat.completions
messages = [{"role": "user", "content": prompt}]


class Weather(BaseModel):
    city: str
    degrees: int


def parsed() -> dict[str, object]:
    answer = chat.parse(model="test-model", messages=messages, response_format=Weather)
    return answer.choices[0].message.parsed.model_dump()


def parsed_stream() -> dict[str, object]:
    with chat.stream(model="test-model", messages=messages, response_format=Weather) as stream:
        return stream.get_final_completion().choices[0].message.parsed.model_dump()


def parsed_call() -> dict[str, object]:
    tools = [openai.pydantic_function_tool(Weather)]
    answer = chat.parse(model="test-model", messages=messages, tools=tools)
    return answer.choices[0].message.tool_calls[0].function.parsed_arguments.model_dump()


def called(streamed: bool) -> str:
    """Call the tool that the model asks for, and send its result."""
    tools = [openai.pydantic_function_tool(Weather)]
    asked = {"model": "test-model", "tools": tools}
    if streamed:
        with chat.stream(messages=messages, **asked) as stream:
            first = stream.get_final_completion().choices[0].message
    else:
        first = chat.create(messages=messages, **asked).choices[0].message
    result = {"role": "tool", "tool_call_id": first.tool_calls[0].id, "content": "sunny"}
    history = [*messages, first, result]
    return chat.create(messages=history, **asked).choices[0].message.content


def refusal() -> list[object]:
    try:
        chat.create(model="test-model", messages=messages, n=2)
    except openai.BadRequestError as error:
        return [error.code, error.param]
    return []


print(
    json.dumps(
        {
            "parsed": parsed(),
            "parsed stream": parsed_stream(),
            "parsed call": parsed_call(),
            "tool result": called(streamed=False),
            "streamed tool result": called(streamed=True),
            "refusal": refusal(),
        }
    )
)
