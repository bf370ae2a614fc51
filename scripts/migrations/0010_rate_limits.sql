-- How often somebody did something since `started_ms`. The subject is a user, or a keyed hash.

CREATE TABLE IF NOT EXISTS rate_limits (
    name       VARCHAR(32) NOT NULL,
    subject    CHAR(64)    NOT NULL,
    started_ms BIGINT      NOT NULL,
    ends_ms    BIGINT      NOT NULL,
    used       INTEGER     NOT NULL,
    CONSTRAINT pk_rate_limits PRIMARY KEY (name, subject),
    CONSTRAINT ck_rate_limits_used CHECK (used >= 0)
) /*! ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin */;

CREATE INDEX ix_rate_limits_ends ON rate_limits (ends_ms);
