-- What people recognise their sessions by, and accounts that were deleted.

ALTER TABLE sessions ADD COLUMN device VARCHAR(200);

ALTER TABLE sessions ADD COLUMN used_at_ms BIGINT;

CREATE INDEX ix_sessions_user ON sessions (user_id, id);

CREATE INDEX ix_refresh_tokens_session ON refresh_tokens (session_id);

CREATE INDEX ix_refresh_tokens_expires ON refresh_tokens (expires_at_ms);

-- A deleted account keeps its row, without anything that says whose it was: the ledger hangs on it.
ALTER TABLE users ADD COLUMN erased_at_ms BIGINT;

CREATE INDEX ix_users_erased ON users (erased_at_ms);

CREATE INDEX ix_sessions_ended ON sessions (ended_at_ms);
