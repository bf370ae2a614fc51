# mypy: ignore-errors
"""What a client of LiteLLM does: an answer, a stream, tools, a schema."""

import json
import os
import sys

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # or it is fetched from the network

import litellm
from pydantic import BaseModel

url, key, prompt = sys.argv[1:]
messages = [{"role": "user", "content": prompt}]
litellm.num_retries = 0


class Weather(BaseModel):
    city: str
    degrees: int


parameters = Weather.model_json_schema()
tools = [{"type": "function", "function": {"name": "weather", "parameters": parameters}}]


def complete(**more: object) -> object:
    return litellm.completion(
        model="openai/test-model", api_base=url, api_key=key, messages=messages, **more
    )


def streamed_call() -> dict[str, object]:
    whole = litellm.stream_chunk_builder(list(complete(tools=tools, stream=True)))
    return json.loads(whole.choices[0].message.tool_calls[0].function.arguments)


print(
    json.dumps(
        {
            "text": complete().choices[0].message.content,
            "call": json.loads(
                complete(tools=tools).choices[0].message.tool_calls[0].function.arguments
            ),
            "streamed call": streamed_call(),
            "schema": json.loads(complete(response_format=Weather).choices[0].message.content),
        }
    )
)
