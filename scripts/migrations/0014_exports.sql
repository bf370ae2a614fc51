-- Exports that a worker writes while nobody waits: what is wanted, how far it is, where it lies.

-- `state` leaves queued and running exactly once. `attempt` counts the workers that took it; only
-- the last of them may change the row, and while its lease lasts nobody takes it over.
CREATE TABLE IF NOT EXISTS exports (
    id             CHAR(26)     NOT NULL,
    requested_by   CHAR(26)     NOT NULL,
    wanted         TEXT         NOT NULL,
    state          VARCHAR(16)  NOT NULL,
    attempt        INTEGER      NOT NULL,
    rows_written   BIGINT       NOT NULL,
    bytes_written  BIGINT       NOT NULL,
    sha256         CHAR(64),
    object_key     VARCHAR(200),
    failure        VARCHAR(64),
    cancel_asked   INTEGER      NOT NULL,
    lease_until_ms BIGINT       NOT NULL,
    created_at_ms  BIGINT       NOT NULL,
    ended_at_ms    BIGINT,
    CONSTRAINT pk_exports PRIMARY KEY (id),
    CONSTRAINT fk_exports_user FOREIGN KEY (requested_by) REFERENCES users (id),
    CONSTRAINT ck_exports_state CHECK (
        state IN ('queued', 'running', 'done', 'failed', 'cancelled')
    ),
    CONSTRAINT ck_exports_ended CHECK ((state IN ('queued', 'running')) = (ended_at_ms IS NULL)),
    CONSTRAINT ck_exports_done CHECK (state <> 'done' OR sha256 IS NOT NULL)
) /*! ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin */;

CREATE INDEX ix_exports_created ON exports (created_at_ms, id);

CREATE INDEX ix_exports_state ON exports (state, lease_until_ms);
