"""Exports and their links as JSON. Does no I/O."""

from collections.abc import Mapping

from shared.exports.export_request import ExportRequest
from shared.repos.export_jobs import Job
from shared.times import iso_utc, iso_utc_if

LINK_SECONDS = 600


def export_json(job: Job, link: Mapping[str, object] | None = None) -> dict[str, object]:
    """`rows` and `bytes` grow while it runs; `failure` is the error name of the last attempt."""
    return {
        "id": job.id,
        **ExportRequest.from_json(job.request).filter,
        "state": "cancelling" if job.cancel_asked and job.ended_at_ms is None else job.state,
        "attempt": job.attempt,
        "rows": job.rows_written,
        "bytes": job.bytes_written,
        "sha256": job.sha256,
        "failure": job.failure,
        "requested_by": job.requested_by,
        "created_at": iso_utc(job.created_at_ms),
        "ended_at": iso_utc_if(job.ended_at_ms),
        "link": link,
    }


def link_json(url: str, expires_ms: int) -> dict[str, object]:
    return {"url": url, "expires_at": iso_utc(expires_ms)}


def filename(key: str) -> str:
    return key.rpartition("/")[2]
