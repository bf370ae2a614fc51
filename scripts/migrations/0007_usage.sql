-- Every time an upstream was asked: how fast it was and how it ended.

CREATE TABLE IF NOT EXISTS upstream_attempts (
    message_id     CHAR(26)     NOT NULL,
    attempt        INTEGER      NOT NULL,
    upstream       VARCHAR(64)  NOT NULL,
    model          VARCHAR(128) NOT NULL,
    outcome        VARCHAR(32)  NOT NULL,
    first_token_ms INTEGER,
    duration_ms    INTEGER      NOT NULL,
    at_ms          BIGINT       NOT NULL,
    CONSTRAINT pk_upstream_attempts PRIMARY KEY (message_id, attempt),
    CONSTRAINT fk_upstream_attempts_turn FOREIGN KEY (message_id) REFERENCES turns (message_id)
) /*! ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin */;

CREATE INDEX ix_upstream_attempts_at ON upstream_attempts (at_ms);
