"""Runs a command that ends with the process that started it; a script for any Python.

usage: tether.py PARENT_PID COMMAND [ARGUMENT ...]
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def tie_to(parent: int) -> None:
    """Let Linux kill this process, also after exec, when its parent ends."""
    if not sys.platform.startswith("linux"):
        return
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        sys.exit("the parent is gone")


def main(arguments: "list[str]") -> None:
    tie_to(int(arguments[0]))
    try:
        os.execvp(arguments[1], arguments[1:])
    except OSError as problem:
        sys.exit(f"{arguments[1]}: {problem.strerror}")


if __name__ == "__main__":
    main(sys.argv[1:])
