# mypy: ignore-errors
"""What a client of instructor does, in three of its modes."""

import json
import sys

import instructor
import openai
from pydantic import BaseModel

url, key, prompt = sys.argv[1:]
messages = [{"role": "user", "content": prompt}]


class Weather(BaseModel):
    city: str
    degrees: int


def asked(mode: instructor.Mode) -> dict[str, object]:
    client = instructor.from_openai(openai.OpenAI(base_url=url, api_key=key), mode=mode)
    create = client.chat.completions.create
    return create(model="test-model", messages=messages, response_model=Weather).model_dump()


modes = (instructor.Mode.TOOLS, instructor.Mode.JSON, instructor.Mode.JSON_SCHEMA)
print(json.dumps({mode.name: asked(mode) for mode in modes}))
