"""The two stores of media, each with what answers its signed requests on a real socket."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import uvicorn

from scripts.tooling.local.gateway.app import Gateway
from scripts.tooling.manifest.s_yaml import Function, Manifest
from tests.patience import HANG_SECONDS

SECRET = "a signing secret of thirty-two bytes or more"


def storing_function(folder: Path) -> Function:
    return Function(
        name="upload",
        function_name="upload",
        handler="functions.upload.index.handler",
        runtime="python3.12",
        command=(),
        port=None,
        methods=("GET",),
        environment={"STORAGE_FOLDER": str(folder), "JWT_SECRET": SECRET},
        timeout_seconds=20,
        cpu=0.25,
        memory_mb=256,
        disk_mb=512,
        code=folder,
    )


@dataclass
class LocalStorage:
    """A gateway that serves the folder."""

    folder: Path
    url: str = ""
    variables: dict[str, str] = field(default_factory=dict)


@contextmanager
def local_storage(folder: Path) -> Iterator[LocalStorage]:
    gateway = Gateway(Manifest((storing_function(folder),), ()), folder.parent)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        server = uvicorn.Server(
            uvicorn.Config(gateway, lifespan="off", log_level="critical", access_log=False)
        )
        thread = threading.Thread(target=_serve, args=(server, listener), daemon=True)
        thread.start()
        variables = {
            "STORAGE_FOLDER": str(folder),
            "STORAGE_FOLDER_URL": url,
            "JWT_SECRET": SECRET,
        }
        try:
            yield LocalStorage(folder, url, variables)
        finally:
            server.should_exit = True
            thread.join(HANG_SECONDS)


def _serve(server: uvicorn.Server, listener: socket.socket) -> None:
    asyncio.run(server.serve(sockets=[listener]))
