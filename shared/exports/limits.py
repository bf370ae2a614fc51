"""Limits of an export job: attempts and waiting times."""

MOST_ATTEMPTS = 5
QUEUED_MS = 60_000  # before maintenance starts a worker again
OLDEST_MS = 3600 * 1000  # an older job without a worker fails
