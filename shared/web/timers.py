"""@timer: the common steps of every function that a timer trigger starts."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from shared import log
from shared.errors import AppError

Run = Callable[[], Mapping[str, object]]


class TimerFailed(Exception):
    """The failure as the platform sees and prints it: its name, without cause or details."""


class RunFailed(Exception):
    """A part of the run failed; the summary, which is logged, has what was done and what not."""

    def __init__(self, failure: str, summary: Mapping[str, object]) -> None:
        super().__init__(failure)
        self.failure, self.summary = failure, summary


@dataclass(frozen=True)
class Timer:
    """A handler of timer events: `{"triggerTime", "triggerName", "payload"}`.

    The summary of the run is the result and the log line. A failure is written as
    one log line and raised, so that the platform counts it.
    """

    run: Run

    def __call__(self, event: bytes, context: object) -> dict[str, object]:
        started = time.perf_counter()
        request_id = str(getattr(context, "request_id", ""))
        try:
            summary = dict(self.run())
            _log("info", request_id, started, summary)
            return summary
        except RunFailed as error:
            failure = error.failure
            _log("error", request_id, started, {"error": failure, "context": error.summary})
        except AppError as error:
            failure = error.name
            _log("error", request_id, started, {"error": failure, "context": error.context})
        except Exception as error:  # noqa: BLE001  # the platform would print its message, which may quote data
            failure = type(error).__name__
            log.crash(error, request_id=request_id)
        raise TimerFailed(failure)  # outside `except`, so that it has no cause or context


def timer(run: Run) -> Timer:
    """Turn a function that returns a summary into a handler of Function Compute."""
    return Timer(run)


def _log(level: str, request_id: str, started: float, fields: Mapping[str, object]) -> None:
    latency_ms = round((time.perf_counter() - started) * 1000)
    log.write(level, "timer", request_id=request_id, latency_ms=latency_ms, **fields)
