"""Built-in functions: worker processes with one event at a time, frozen between events."""

import asyncio
import json
import socket
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from scripts.tooling.local.gateway import client as clients
from scripts.tooling.local.gateway import terminal, worker
from scripts.tooling.local.gateway.client import Client
from scripts.tooling.local.gateway.events import Call, context_of, to_event
from scripts.tooling.local.gateway.platform_rules import MAX_BODY_BYTES, read_answer
from scripts.tooling.local.gateway.processes import Process, Show, environment_of
from scripts.tooling.local.gateway.refusals import (
    FunctionTimeout,
    HandlerRaised,
    NotStarted,
    ProcessExited,
)
from scripts.tooling.manifest.s_yaml import Function

START_SECONDS = 120


class Instance:
    """One worker process. After an exception its user must kill it."""

    def __init__(
        self,
        function: Function,
        process: Process,
        streams: tuple[asyncio.StreamReader, asyncio.StreamWriter],
    ) -> None:
        self.process = process
        self._function = function
        self._reader, self._writer = streams

    @classmethod
    async def start(cls, function: Function, root: Path, show: Show) -> "Instance":
        """Start a process and import the handler in it. Raises: NotStarted, when that fails."""
        ours, theirs = socket.socketpair()
        with theirs:
            descriptor = theirs.fileno()
            process = await Process.start(
                [
                    *[sys.executable, "-u", worker.__file__],
                    *[str(descriptor), str(root), function.handler],
                ],
                environment=environment_of(function),
                directory=root,
                show=show,
                descriptors=[descriptor],
            )
        ours.setblocking(False)
        streams = await asyncio.open_unix_connection(sock=ours)
        instance = cls(function, process, streams)
        try:
            await instance._ready()
        except BaseException:
            await instance.kill()
            raise
        return instance

    async def _ready(self) -> None:
        try:
            kind, payload = await asyncio.wait_for(self._received(), START_SECONDS)
        except (asyncio.TimeoutError, asyncio.IncompleteReadError, ConnectionError):
            raise self._not_started("the process ended or hung while it was imported") from None
        if kind != worker.READY:
            error = json.loads(payload)
            problem = f"{error['errorType']}: {error['errorMessage']}"
            ours = [frame for frame in error["stackTrace"] if "importlib" not in frame]
            raise self._not_started(problem, "".join(ours))

    def _not_started(self, problem: str, detail: str = "") -> NotStarted:
        name = self._function.name
        message = f"{self._function.handler} could not be imported"
        return NotStarted(message, function=name, detail=f"{problem}\n{detail}".strip())

    async def invoke(self, event: bytes, context: Mapping[str, Any]) -> bytes:
        """Return the handler's raw output.

        Raises:
            HandlerRaised, FunctionTimeout, ProcessExited: the instance cannot be used again.
        """
        name, seconds = self._function.name, self._function.timeout_seconds
        self.process.thaw()
        try:
            kind, payload = await asyncio.wait_for(self._exchange(event, context), seconds)
        except asyncio.TimeoutError:
            message = f"{name} did not answer within its timeout of {seconds} s and was killed"
            raise FunctionTimeout(message, function=name) from None
        except (asyncio.IncompleteReadError, ConnectionError):
            message = f"the process of {name} exited before it had answered"
            raise ProcessExited(message, function=name) from None
        self.process.freeze()
        if kind == worker.ERROR:
            raise _raised(name, payload)
        return payload

    async def _exchange(self, event: bytes, context: Mapping[str, Any]) -> tuple[bytes, bytes]:
        for frame in (json.dumps(context).encode(), event):
            self._writer.write(worker.LENGTH.pack(len(frame)) + frame)
        await self._writer.drain()
        return await self._received()

    async def _received(self) -> tuple[bytes, bytes]:
        kind = await self._reader.readexactly(1)
        size = worker.LENGTH.unpack(await self._reader.readexactly(worker.LENGTH.size))[0]
        return kind, await self._reader.readexactly(size)

    async def kill(self) -> None:
        self._writer.close()
        await self.process.kill()


def _raised(name: str, payload: bytes) -> HandlerRaised:
    error = json.loads(payload)
    message = f"{name} raised {error['errorType']}; the client would see the stack trace"
    detail = "".join([*error["stackTrace"], f"{error['errorType']}: {error['errorMessage']}"])
    return HandlerRaised(message, function=name, detail=detail, payload=payload)


class BuiltinHost:
    """The instances of one built-in function, started on demand."""

    def __init__(self, function: Function, root: Path, *, instances: int = 4) -> None:
        self._function = function
        self._root = root
        self._slots = asyncio.Semaphore(instances)
        self._idle: list[Instance] = []
        self._all: set[Instance] = set()
        self._retired = False

    async def serve(self, call: Call, client: Client) -> None:
        body = await clients.read_body(client, MAX_BODY_BYTES)
        context = context_of(self._function, call.request_id)
        output = await self._invoke(to_event(call, body), context)
        answer = read_answer(self._function.name, output)
        await clients.answer(client, answer.status, answer.headers, answer.body)

    async def fire(self, event: bytes, request_id: str) -> bytes:
        """Run the event of a timer; return the handler's raw output. Raises: Refusal."""
        return await self._invoke(event, context_of(self._function, request_id))

    async def _invoke(self, event: bytes, context: Mapping[str, Any]) -> bytes:
        async with self._slots:
            instance = await self._free_instance()
            try:
                output = await instance.invoke(event, context)
            except BaseException:
                await self._discard(instance)
                raise
            if self._retired:
                await self._discard(instance)
            else:
                self._idle.append(instance)
            return output

    async def _free_instance(self) -> Instance:
        while self._idle:
            instance = self._idle.pop()
            if instance.process.is_alive:
                return instance
            await self._discard(instance)
        show = terminal.labelled(self._function.name)
        instance = await Instance.start(self._function, self._root, show)
        self._all.add(instance)
        return instance

    async def _discard(self, instance: Instance) -> None:
        self._all.discard(instance)
        await instance.kill()

    async def retire(self) -> None:
        """Let running requests finish; end each instance after its request."""
        self._retired = True
        idle, self._idle = self._idle, []
        for instance in idle:
            await self._discard(instance)

    async def close(self) -> None:
        for instance in list(self._all):
            await self._discard(instance)
