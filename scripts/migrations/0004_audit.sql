-- What administrators did. Rows are only ever added.

CREATE TABLE IF NOT EXISTS audit_log (
    id       CHAR(26)    NOT NULL,
    at_ms    BIGINT      NOT NULL,
    actor_id CHAR(26)    NOT NULL,
    action   VARCHAR(64) NOT NULL,
    detail   TEXT        NOT NULL,
    CONSTRAINT pk_audit_log PRIMARY KEY (id)
) /*! ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin */;

CREATE INDEX ix_audit_log_at ON audit_log (at_ms, id);
