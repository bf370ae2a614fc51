-- One's own conversations, the last one spoken in first; and what was asked in one of them.

CREATE INDEX ix_conversations_user ON conversations (user_id, updated_at_ms, id);

CREATE INDEX ix_turns_conversation ON turns (conversation_id);
