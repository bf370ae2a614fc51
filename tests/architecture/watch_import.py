"""A program: imports a module and prints, one line each, what of ours did more than define things.

Audit events name most deeds; reading a variable has none, so os.environ becomes a mapping
that tells.
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
told: list[str] = []


def is_ours(frame: FrameType) -> bool:
    return frame.f_code.co_filename.startswith((f"{ROOT}/functions/", f"{ROOT}/shared/"))


def originator() -> FrameType | None:
    """Whoever of ours began it, however deep it happens."""
    frame: FrameType | None = sys._getframe(2)
    while frame and not is_ours(frame):
        frame = frame.f_back
    return frame


def caller() -> FrameType | None:
    """Whoever called the standard library for it, unless that only imported something."""
    frame: FrameType | None = sys._getframe(2)
    while frame and not is_ours(frame):
        file = frame.f_code.co_filename
        library = file.startswith(LIBRARY) and "site-packages" not in file
        frozen = file.startswith("<frozen") and not file.startswith("<frozen importlib")
        if not (library or frozen or file == __file__):
            return None
        frame = frame.f_back
    return frame


def tell(frame: FrameType | None, deed: str) -> None:
    if frame:
        place = os.path.relpath(frame.f_code.co_filename, ROOT)
        told.append(f"{place}:{frame.f_lineno} {deed}")


def hook(event: str, arguments: tuple[Any, ...]) -> None:
    if event in LOUD:
        tell(originator(), event)
    elif event == "open" and not str(arguments[0]).endswith(CODE):
        tell(caller(), f"opens {arguments[0]}")


class Telling(collections.UserDict[str, str]):
    def __getitem__(self, name: str) -> str:
        tell(caller(), f"reads {name}")
        return super().__getitem__(name)

    def __contains__(self, name: object) -> bool:
        tell(caller(), f"reads {name}")
        return super().__contains__(name)


sys.path[0] = ROOT
telling: Any = Telling(os.environ)
os.environ = telling  # noqa: B003  # the real one is not to be cleared, it is to be watched
sys.addaudithook(hook)
__import__(MODULE)
print("\n".join(dict.fromkeys(told)))
