"""A program that imports a module and prints the side effects of the import, one per line.

Audit events report most side effects; reading a variable has no event, so os.environ is replaced
by a mapping that reports reads.
"""

import collections
import os
import sys
from types import FrameType
from typing import Any

LIBRARY = os.path.dirname(os.__file__) + os.sep
LOUD = frozenset(
    {"socket.connect", "socket.bind", "socket.getaddrinfo", "socket.sendto", "subprocess.Popen"}
    | {"os.system", "os.posix_spawn", "os.fork", "sqlite3.connect", "_thread.start_new_thread"}
    | {"os.putenv", "os.mkdir", "os.remove", "os.rename"}
)
CODE = (".py", ".pyc", ".so")

ROOT, MODULE = sys.argv[1:]
effects: list[str] = []


def is_ours(frame: FrameType) -> bool:
    return frame.f_code.co_filename.startswith((f"{ROOT}/functions/", f"{ROOT}/shared/"))


def origin() -> FrameType | None:
    """The innermost line of this project's code that caused an event."""
    frame: FrameType | None = sys._getframe(2)
    while frame and not is_ours(frame):
        frame = frame.f_back
    return frame


def caller() -> FrameType | None:
    """The caller of the standard library, unless that only imported a module."""
    frame: FrameType | None = sys._getframe(2)
    while frame and not is_ours(frame):
        file = frame.f_code.co_filename
        library = file.startswith(LIBRARY) and "site-packages" not in file
        frozen = file.startswith("<frozen") and not file.startswith("<frozen importlib")
        if not (library or frozen or file == __file__):
            return None
        frame = frame.f_back
    return frame


def report(frame: FrameType | None, effect: str) -> None:
    if frame:
        place = os.path.relpath(frame.f_code.co_filename, ROOT)
        effects.append(f"{place}:{frame.f_lineno} {effect}")


def hook(event: str, arguments: tuple[Any, ...]) -> None:
    if event in LOUD:
        report(origin(), event)
    elif event == "open" and not str(arguments[0]).endswith(CODE):
        report(caller(), f"opens {arguments[0]}")


class Telling(collections.UserDict[str, str]):
    def __getitem__(self, name: str) -> str:
        report(caller(), f"reads {name}")
        return super().__getitem__(name)

    def __contains__(self, name: object) -> bool:
        report(caller(), f"reads {name}")
        return super().__contains__(name)


sys.path[0] = ROOT
telling: Any = Telling(os.environ)
os.environ = telling  # noqa: B003  # replaced in order to watch it
sys.addaudithook(hook)
__import__(MODULE)
print("\n".join(dict.fromkeys(effects)))
