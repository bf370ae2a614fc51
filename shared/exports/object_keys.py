"""Where an export is written to, and by whom."""

WORKER = "export-worker"
WORKER_PATH = "/api/internal/exports"


def prefix_of(export_id: str) -> str:
    """Of all keys in the storage that any attempt at it may have made."""
    return f"exports/{export_id}/"


def place_of(export_id: str, attempt: int) -> str:
    return f"{prefix_of(export_id)}{attempt}/"
