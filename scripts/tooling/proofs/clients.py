"""Clients that behave as the API says: they repeat with their key, and resume their streams."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

_RETRY_SECONDS = 1.0  # where a response names no other time
_PATHS = {"chat": "/api/chat", "openai": "/v1/chat/completions"}
KINDS = [("chat", False), ("chat", True), ("openai", False), ("openai", True)]


class NotGiven(Exception):
    """A request failed in a way that the API does not call retryable."""


class _Repeat(Exception):
    """The request is to be repeated after so many seconds."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self.seconds = seconds


@dataclass
class Client:
    """One question at one door, until its answer is given."""

    http: httpx.AsyncClient
    token: str
    door: str
    is_streamed: bool
    question: str
    text: str = ""
    end: Mapping[str, Any] = field(default_factory=dict)
    repetitions: int = 0
    pending: int = 0
    _message_id: str = ""
    _last_event_id: str = ""

    async def run(self) -> None:
        """Raises: NotGiven."""
        ask = {
            ("chat", False): self._whole,
            ("chat", True): self._stream,
            ("openai", False): self._openai_whole,
            ("openai", True): self._openai_stream,
        }[self.door, self.is_streamed]
        while True:
            try:
                await ask()
                return
            except _Repeat as repeat:
                await asyncio.sleep(repeat.seconds)
            except httpx.TransportError:
                await asyncio.sleep(_RETRY_SECONDS)
            self.repetitions += 1

    @property
    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}", "Idempotency-Key": self.question}

    @property
    def _body(self) -> dict[str, object]:
        messages = [{"role": "user", "content": self.question}]
        return {"messages": messages, "stream": self.is_streamed}

    async def _whole(self) -> None:
        response = await self.http.post(_PATHS["chat"], json=self._body, headers=self._headers)
        self._check(response)
        self.end = response.json()["data"]
        self.text = self.end["reply"]

    async def _openai_whole(self) -> None:
        response = await self.http.post(_PATHS["openai"], json=self._body, headers=self._headers)
        self._check(response)
        [choice] = response.json()["choices"]
        self.end, self.text = choice, choice["message"]["content"]

    async def _openai_stream(self) -> None:
        """OpenAI's streams cannot be resumed: the request is repeated with its key."""
        self.text = ""
        path = _PATHS["openai"]
        async with self.http.stream(
            "POST", path, json=self._body, headers=self._headers
        ) as response:
            await self._check_stream(response)
            async for line in response.aiter_lines():
                if line == "data: [DONE]":
                    return
                if line.startswith("data: "):
                    self._see_chunk(json.loads(line.removeprefix("data: ")))
        raise _Repeat(_RETRY_SECONDS)

    def _see_chunk(self, chunk: dict[str, Any]) -> None:
        if "error" in chunk:
            self._count(chunk["error"]["code"])
            raise _Repeat(_RETRY_SECONDS)
        for choice in chunk["choices"]:
            self.text += choice["delta"].get("content") or ""
            if choice["finish_reason"]:
                self.end = choice

    async def _stream(self) -> None:
        """Ask, or resume the answer where it was lost."""
        if not self._message_id:
            self.text, self._last_event_id = "", ""
            await self._listen("POST", _PATHS["chat"], json=self._body)
        else:
            await self._listen("GET", f"{_PATHS['chat']}/streams/{self._message_id}")

    async def _listen(self, method: str, path: str, **more: Any) -> None:
        headers = {**self._headers, "Last-Event-ID": self._last_event_id}
        async with self.http.stream(method, path, headers=headers, **more) as response:
            await self._check_stream(response)
            async for event_id, name, data in _events(response):
                self._see_event(event_id, name, data)
                if name == "done":
                    return
        raise _Repeat(_RETRY_SECONDS)

    def _see_event(self, event_id: str, name: str, data: dict[str, Any]) -> None:
        if name == "start":
            self._message_id = data["message_id"]
        elif name == "delta":
            self.text += data["text"]
        elif name == "done":
            self.end = data
        elif name == "error":
            self._fail(data)
        self._last_event_id = event_id

    def _fail(self, data: dict[str, Any]) -> None:
        """A pending answer, or a database that is away, is resumed; another failure is repeated."""
        self._count(data["error"])
        if not data["retryable"]:
            raise NotGiven(data["error"])
        if "finish_reason" in data:
            self._message_id = ""
        raise _Repeat(_RETRY_SECONDS)

    def _check(self, response: httpx.Response) -> None:
        if response.status_code == 200:
            return
        error = response.json()["error"]
        name = error["code"] if isinstance(error, dict) else error
        self._count(name)
        if response.status_code not in {409, 429, 502, 503, 504}:
            raise NotGiven(f"{response.status_code} {name}")
        raise _Repeat(float(response.headers.get("retry-after", _RETRY_SECONDS)))

    async def _check_stream(self, response: httpx.Response) -> None:
        if response.status_code != 200:
            await response.aread()
            self._check(response)

    def _count(self, name: str) -> None:
        self.pending += name == "answer_pending"


async def _events(response: httpx.Response) -> AsyncIterator[tuple[str, str, dict[str, Any]]]:
    fields: dict[str, str] = {}
    async for line in response.aiter_lines():
        if line:
            name, _, value = line.partition(": ")
            fields[name] = value
        elif "event" in fields:
            yield fields["id"], fields["event"], json.loads(fields["data"])
            fields = {}
