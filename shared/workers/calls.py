"""Starting a function of ours that works in the background."""

import http.client
from urllib.parse import urlsplit

from shared import settings
from shared.config import load
from shared.errors import WorkerUnreachable

_SECONDS = 5.0


def start(path: str, token: str) -> None:
    """Have the platform call a worker of ours; it answers before the work begins.

    Raises:
        Misconfigured: EXPORT_WORKER_URL is not set.
        WorkerUnreachable: nobody there, or not the platform.
    """
    base = urlsplit(load(settings.Workers).base_url)
    headers = {
        "Authorization": f"Bearer {token}",
        "Content-Length": "0",
        "X-Fc-Invocation-Type": "Async",
    }
    connect = http.client.HTTPSConnection if base.scheme == "https" else http.client.HTTPConnection
    connection = connect(base.netloc, timeout=_SECONDS)
    try:
        connection.request("POST", f"{base.path}{path}", headers=headers)
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        raise _unreachable(base.netloc, type(error).__name__) from None
    finally:
        connection.close()
    if status != 202:  # a redirection is not followed: it would take the token elsewhere
        raise _unreachable(base.netloc, f"status {status}")


def _unreachable(host: str, reason: str) -> WorkerUnreachable:
    host = host.rpartition("@")[2]
    return WorkerUnreachable(variable="EXPORT_WORKER_URL", host=host, reason=reason)
