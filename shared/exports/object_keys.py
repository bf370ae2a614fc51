"""Object keys of export files, and the worker that writes them."""

WORKER = "export-worker"
WORKER_PATH = "/api/internal/exports"


def prefix_of(export_id: str) -> str:
    """The prefix of the keys of all attempts."""
    return f"exports/{export_id}/"


def attempt_prefix(export_id: str, attempt: int) -> str:
    return f"{prefix_of(export_id)}{attempt}/"
