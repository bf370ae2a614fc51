"""Reading a PDF in a process of its own, which is killed when it takes too long.

Files instead of pipes carry the document and its text: no pipe can fill up and block, and the
kernel limits what the process writes. The process is started anew for each document: what one
leaves behind in memory never reaches another.
"""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any

from shared.config import interpreter_environment
from shared.errors import DocumentUnreadable, WorkerUnreachable
from shared.media import pdf_child

_LIMITS = {"LimitReachedError", "MemoryError", "RecursionError"}
_ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class PdfText:
    """The texts of the pages that were read; `is_whole` if they are the whole document."""

    pages: int
    texts: tuple[str, ...]
    is_whole: bool


def read_pdf(data: bytes) -> PdfText:
    """The texts of the first pages, as many as can be read within the limits.

    Raises:
        DocumentUnreadable: none of its pages could be read.
        WorkerUnreachable: the process did not start.
    """
    try:
        with TemporaryFile() as document, TemporaryFile() as output:
            document.write(data)
            document.seek(0)
            ending = _run(document, output)
            output.seek(0)
            lines = _lines(output.read(pdf_child.OUTPUT_BYTES))
    except OSError as error:
        raise WorkerUnreachable(reason="no process for documents", error=str(error)) from error
    return _result(lines, ending)


def _run(document: IO[bytes], output: IO[bytes]) -> str:
    """Run the process to its end, or kill it: when this returns or raises, it is gone."""
    command = [sys.executable, "-s", "-m", pdf_child.__name__]
    with subprocess.Popen(  # noqa: S603  # our own module; the document is only its input
        command,
        cwd=_ROOT,
        env=interpreter_environment(),
        stdin=document,
        stdout=output,
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            return f"exit {process.wait(pdf_child.SECONDS)}"
        except subprocess.TimeoutExpired:
            return "timeout"
        finally:
            process.kill()


def _lines(output: bytes) -> dict[str, list[Any]]:
    """The values of each name, in their order; a line that was cut off is left out."""
    found: dict[str, list[Any]] = {}
    for line in output.split(b"\n")[:-1]:
        for name, value in json.loads(line).items():
            found.setdefault(name, []).append(value)
    return found


def _result(lines: dict[str, list[Any]], ending: str) -> PdfText:
    if "started" not in lines:
        raise WorkerUnreachable(reason="the process for documents did not start", ending=ending)
    texts = tuple(text for text in lines.get("text", ()) if text is not None)
    if not texts:
        failure = lines.get("failure", [""])[0]
        is_limit = ending != "exit 0" or failure in _LIMITS
        raise DocumentUnreadable("too_complex" if is_limit else "unreadable", failure=failure)
    return PdfText(lines["pages"][-1], texts, lines.get("whole") == [True])
