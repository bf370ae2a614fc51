"""Functions of ours that work in the background: what they have in common."""

from dataclasses import dataclass

from shared.web.endpoint import Endpoint, serve


class WorkerFailed(Exception):
    """What the platform hears and prints of a failure: nothing that led to it."""


@dataclass(frozen=True)
class Worker:
    """An endpoint that is called with `X-Fc-Invocation-Type: Async`.

    The platform tries a call again when it raised; an answer, whatever its
    status, is a success to it. So a fault of ours is raised, once it is logged.
    """

    endpoint: Endpoint

    def __call__(self, event: bytes, context: object) -> dict[str, object]:
        answer = serve(self.endpoint)(event, context)
        status = answer["statusCode"]
        if isinstance(status, int) and status >= 500:
            raise WorkerFailed(f"status {status}")
        return answer

    @property
    def endpoints(self) -> tuple[Endpoint, ...]:
        return (self.endpoint,)
