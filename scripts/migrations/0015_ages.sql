-- Lists of one user's sessions, and rows by their age.

-- The live sessions of a user, the last used first. The unused refresh token of a session.
CREATE INDEX ix_sessions_live ON sessions (user_id, ended_at_ms, used_at_ms, id);

CREATE INDEX ix_refresh_tokens_unused ON refresh_tokens (session_id, used_at_ms, expires_at_ms);

DROP INDEX ix_sessions_user /*! ON sessions */;

DROP INDEX ix_refresh_tokens_session /*! ON refresh_tokens */;

CREATE INDEX ix_invites_active ON invites (is_active, created_at_ms, code);

-- The receipt of a charge (JSON) whose turn was removed.
ALTER TABLE ledger ADD COLUMN receipt TEXT;

-- What is removed by its age, in the order of it.
CREATE INDEX ix_conversations_updated ON conversations (updated_at_ms, id);

CREATE INDEX ix_daily_messages_day ON daily_messages (day, subject);

CREATE INDEX ix_invites_unused ON invites (used, is_active, created_at_ms);

CREATE INDEX ix_invites_expires ON invites (used, expires_at_ms);
