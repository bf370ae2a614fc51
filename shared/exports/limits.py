"""How long an export is waited for."""

MOST_ATTEMPTS = 5
QUEUED_MS = 60_000  # before maintenance asks again whether somebody takes it in hand
OLDEST_MS = 3600 * 1000  # nothing that nobody has in hand may still come to something then
