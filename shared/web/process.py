"""The process of a web function: its reaction to SIGTERM, and its interpreter's settings."""

import asyncio
import gc
import signal
import sys
import threading
from collections.abc import Callable
from types import FrameType


def tune_interpreter() -> None:
    """Settings for one busy event loop with a few database threads.

    A thread that has received its rows waits up to the switch interval for the
    interpreter, at each of its steps; the default of 5 ms delayed a reservation
    by 100 ms. The cyclic garbage collector visits every open stream, so it runs
    seldom, and imported modules are frozen out of it.
    """
    sys.setswitchinterval(0.0002)
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)


def call_on_sigterm(callback: Callable[[], None]) -> None:
    """Call back at SIGTERM, before the server's own handler runs.

    The server waits until every open connection is closed, and streams keep
    theirs open until this callback ends them. Only the main thread can install a
    signal handler; in another thread this does nothing.
    """
    server_handler, loop = signal.getsignal(signal.SIGTERM), asyncio.get_running_loop()
    is_main = threading.current_thread() is threading.main_thread()
    if not callable(server_handler) or not is_main:
        return

    def handle(number: int, frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(callback)
        server_handler(number, frame)

    signal.signal(signal.SIGTERM, handle)
