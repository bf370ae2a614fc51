"""Requests recorded by the fake upstream, and the connections of its answers."""

import asyncio
import re
import socket
import struct
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_BETWEEN_SEGMENTS_SECONDS = 0.002  # enough for the peer to see two reads


@dataclass(frozen=True)
class Recorded:
    """One request as it arrived; header names are lower-case."""

    path: str
    headers: Mapping[str, str]
    json: Any

    @property
    def last_user_message(self) -> str:
        said = [x["content"] for x in self.json["messages"] if x["role"] == "user"]
        parts = said[-1] if said else ""
        if isinstance(parts, str):
            return parts
        return "".join(part.get("text", "") for part in parts)

    @property
    def scenario(self) -> str:
        """The scenario that the question names; otherwise the model, or the schema's own."""
        asked = f"{self.last_user_message} {self.json.get('model')}"
        found = re.search(r"scenario: ?([\w-]+)", asked)
        return found[1] if found else "package" if self.is_recognition else "plain"

    @property
    def is_recognition(self) -> bool:
        schema = (self.json.get("response_format") or {}).get("json_schema") or {}
        return bool(schema.get("name") == "medicine")


class Wire:
    """The connection of an answer: HTTP chunks by default, raw bytes for faults."""

    def __init__(
        self, writer: asyncio.StreamWriter, request: Recorded, released: threading.Event
    ) -> None:
        self._writer = writer
        self.request = request
        self.released = released
        self.reusable = False

    async def head(
        self, status: int = 200, content_type: str = "text/event-stream", *more: str
    ) -> None:
        lines = [f"HTTP/1.1 {status} Whatever", f"Content-Type: {content_type}", *more]
        await self.raw("\r\n".join([*lines, "Transfer-Encoding: chunked", "", ""]).encode())

    async def send(self, *segments: bytes) -> None:
        """Send each segment as one HTTP chunk and, as far as TCP allows, one read."""
        for data in segments:
            await self.raw(b"%x\r\n%s\r\n" % (len(data), data))

    async def raw(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()
        await asyncio.sleep(_BETWEEN_SEGMENTS_SECONDS)

    async def end(self) -> None:
        await self.raw(b"0\r\n\r\n")
        self.reusable = True

    def cut(self) -> None:
        """Reset the connection, as a crashed or restarted gateway does."""
        peer = self._writer.get_extra_info("socket")
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()
