-- What was said, by whom, in which conversation.

CREATE TABLE IF NOT EXISTS conversations (
    id            CHAR(26)     NOT NULL,
    user_id       CHAR(26)     NOT NULL,
    title         VARCHAR(100) NOT NULL,
    created_at_ms BIGINT       NOT NULL,
    updated_at_ms BIGINT       NOT NULL,
    CONSTRAINT pk_conversations PRIMARY KEY (id),
    CONSTRAINT fk_conversations_user FOREIGN KEY (user_id) REFERENCES users (id)
) /*! ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin */;

CREATE INDEX ix_conversations_created ON conversations (created_at_ms, id);

CREATE TABLE IF NOT EXISTS messages (
    id                CHAR(26)    NOT NULL,
    conversation_id   CHAR(26)    NOT NULL,
    role              VARCHAR(16) NOT NULL,
    content           MEDIUMTEXT  NOT NULL,
    model             VARCHAR(128),
    finish_reason     VARCHAR(32),
    prompt_tokens     INTEGER,
    completion_tokens INTEGER,
    created_at_ms     BIGINT      NOT NULL,
    CONSTRAINT pk_messages PRIMARY KEY (id),
    CONSTRAINT fk_messages_conversation FOREIGN KEY (conversation_id) REFERENCES conversations (id),
    CONSTRAINT ck_messages_role CHECK (role IN ('user', 'assistant'))
) /*! ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin */;

CREATE INDEX ix_messages_conversation ON messages (conversation_id, created_at_ms, id);

CREATE INDEX ix_messages_created ON messages (created_at_ms, id);
