"""@timer: what every function that a clock starts has in common."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from shared import log
from shared.errors import AppError

Run = Callable[[], Mapping[str, object]]


class TimerFailed(Exception):
    """What the platform hears and prints of a failure: its name, and nothing that led to it."""


@dataclass(frozen=True)
class Timer:
    """What Function Compute calls with `{"triggerTime", "triggerName", "payload"}`.

    It answers no HTTP. The summary of what was done is the result and the log
    line; a failure is one log line, and raised, so that the platform counts it.
    """

    run: Run

    def __call__(self, event: bytes, context: object) -> dict[str, object]:
        started = time.perf_counter()
        request_id = str(getattr(context, "request_id", ""))
        try:
            summary = dict(self.run())
            _log("info", request_id, started, summary)
            return summary
        except AppError as error:
            failure = error.name
            _log("error", request_id, started, {"error": failure, "context": error.context})
        except Exception as error:  # noqa: BLE001  # the platform would print what it quotes
            failure = type(error).__name__
            log.crash(error, request_id=request_id)
        raise TimerFailed(failure)  # out here, where no cause hangs on it


def timer(run: Run) -> Timer:
    """Turn a function that returns a summary into what Function Compute calls."""
    return Timer(run)


def _log(level: str, request_id: str, started: float, fields: Mapping[str, object]) -> None:
    latency_ms = round((time.perf_counter() - started) * 1000)
    log.write(level, "timer", request_id=request_id, latency_ms=latency_ms, **fields)
