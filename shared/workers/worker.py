"""Workers: functions that other functions start, to work in the background."""

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from shared import jwt_coding
from shared.errors import Unauthorized, WorkerUnreachable
from shared.jwt_coding import ISSUER, Purpose

if TYPE_CHECKING:  # maintenance starts workers, and ships without shared.web.endpoint
    from shared.web.endpoint import Endpoint, Request

_TOKEN_SECONDS = 900
_CALL_SECONDS = 5.0


class WorkerFailed(Exception):
    """The failure as the platform sees and prints it: its status, without cause or details."""


@dataclass(frozen=True)
class Worker:
    """A handler of an endpoint that is called with `X-Fc-Invocation-Type: Async`.

    The platform calls again after an exception, while a response of any status is a
    success to it. So a 5xx response is logged and then raised as WorkerFailed.
    """

    endpoint: "Endpoint"

    def __call__(self, event: bytes, context: object) -> dict[str, object]:
        response = self.endpoint(event, context)
        status = response["statusCode"]
        if isinstance(status, int) and status >= 500:
            raise WorkerFailed(f"status {status}")
        return response

    @property
    def endpoints(self) -> "tuple[Endpoint, ...]":
        return (self.endpoint,)


def issue_service_token(worker: str, subject: str) -> str:
    """A token that permits starting one worker on one subject, such as an export's id."""
    return jwt_coding.issue(_purpose(worker), subject, _TOKEN_SECONDS)


def read_service_token(worker: str, token: str) -> str:
    """The subject of a valid token for this worker. Raises: TokenExpired, InvalidToken."""
    return str(jwt_coding.verify(_purpose(worker), token)["sub"])


def subject_of(request: "Request", worker: str) -> str:
    """The subject of the service token with which another function starts this worker.

    Raises: Unauthorized, InvalidToken, TokenExpired.
    """
    token = request.bearer_token
    if token is None:
        raise Unauthorized
    return read_service_token(worker, token)


def _purpose(worker: str) -> Purpose:
    return Purpose(f"{ISSUER}/{worker}", "service")


def start(base_url: str, path: str, token: str) -> None:
    """Have the platform call a worker; it responds before the work begins.

    Raises: WorkerUnreachable: no connection, or a response that is not the platform's.
    """
    from http.client import HTTPConnection, HTTPException, HTTPSConnection  # only for callers

    base = urlsplit(base_url)
    headers = {
        "Authorization": f"Bearer {token}",
        "Content-Length": "0",
        "X-Fc-Invocation-Type": "Async",
    }
    connect = HTTPSConnection if base.scheme == "https" else HTTPConnection
    connection = connect(base.netloc, timeout=_CALL_SECONDS)
    try:
        connection.request("POST", f"{base.path}{path}", headers=headers)
        status = connection.getresponse().status
    except (OSError, HTTPException) as error:
        raise _unreachable(base.netloc, type(error).__name__) from None
    finally:
        connection.close()
    if status != 202:  # redirects are not followed: they would pass the token to another host
        raise _unreachable(base.netloc, f"status {status}")


def _unreachable(host: str, reason: str) -> WorkerUnreachable:
    host = host.rpartition("@")[2]
    return WorkerUnreachable(variable="EXPORT_WORKER_URL", host=host, reason=reason)
