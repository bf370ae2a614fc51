-- Answers that still run are listed with their conversation.

-- The title that a new conversation is given, until the end of its first answer.
ALTER TABLE turns ADD COLUMN title VARCHAR(100);

-- The open turns of a user.
CREATE INDEX ix_turns_user_state ON turns (user_id, state);
