"""The built-in runtime: a process that imports one handler and answers one event at a time.

usage: worker.py DESCRIPTOR CODE_DIRECTORY HANDLER

The parent sends two frames per request, the context and the event. It receives one frame when
the handler is imported and one per request: a letter (Ready, Answer, Error) and bytes.
"""

import importlib
import json
import logging
import socket
import struct
import sys
import time
import traceback
from types import SimpleNamespace
from typing import Any

LENGTH = struct.Struct("!I")
READY, ANSWER, ERROR = b"R", b"A", b"E"


def main(descriptor: int, code: str, handler: str) -> int:
    sys.path[0] = code  # instead of the directory of this script
    channel = socket.socket(fileno=descriptor)
    channel.set_inheritable(False)
    request_id = _log_as_function_compute()
    try:
        module, _, name = handler.rpartition(".")
        handle = getattr(importlib.import_module(module), name)
    except Exception as error:  # noqa: BLE001  # the parent reports any error of the import
        _send(channel, ERROR, _described(error))
        return 1
    _send(channel, READY, b"")
    while (context := _receive(channel)) is not None:
        facts = json.loads(context)
        request_id[:] = [facts["request_id"]]
        _send(channel, *_answered(handle, _receive(channel) or b"", _context(facts)))
    return 0


def _answered(handle: Any, event: bytes, context: SimpleNamespace) -> "tuple[bytes, bytes]":
    try:
        return ANSWER, _output(handle(event, context))
    except Exception as error:  # noqa: BLE001  # as the platform does
        return ERROR, _described(error)


def _output(result: Any) -> bytes:
    if isinstance(result, bytes):
        return result
    return (result if isinstance(result, str) else json.dumps(result)).encode()


def _described(error: Exception) -> bytes:
    return json.dumps(
        {
            "errorMessage": str(error),
            "errorType": type(error).__name__,
            "stackTrace": traceback.format_tb(error.__traceback__)[1:],
        }
    ).encode()


def _context(facts: "dict[str, Any]") -> SimpleNamespace:
    return SimpleNamespace(**{**facts, "function": SimpleNamespace(**facts["function"])})


def _log_as_function_compute() -> "list[str]":
    """Give the root logger the platform's handler and level; return where the request id goes."""
    request_id = [""]

    class Formatter(logging.Formatter):
        converter = staticmethod(time.gmtime)

        def format(self, record: logging.LogRecord) -> str:
            record.request_id = request_id[0]
            return super().format(record)

    stream = logging.StreamHandler(sys.stdout)
    shape = "%(asctime)s.%(msecs)03dZ %(request_id)s [%(levelname)s] %(message)s"
    stream.setFormatter(Formatter(shape, "%Y-%m-%dT%H:%M:%S"))
    logging.root.addHandler(stream)
    logging.root.setLevel(logging.INFO)
    return request_id


def _send(channel: socket.socket, kind: bytes, payload: bytes) -> None:
    channel.sendall(kind + LENGTH.pack(len(payload)) + payload)


def _receive(channel: socket.socket) -> "bytes | None":
    head = _read(channel, LENGTH.size)
    return None if head is None else _read(channel, LENGTH.unpack(head)[0])


def _read(channel: socket.socket, size: int) -> "bytes | None":
    data = bytearray()
    while len(data) < size:
        chunk = channel.recv(min(size - len(data), 1 << 20))
        if not chunk:
            return None
        data += chunk
    return bytes(data)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), sys.argv[2], sys.argv[3]))
