-- What people bought, and what administrators need to keep the place in order.

-- A purchase. `number` is ours, `transaction_id` the payment provider's.

CREATE TABLE IF NOT EXISTS orders (
    number         VARCHAR(32) NOT NULL,
    user_id        CHAR(26)    NOT NULL,
    package_id     VARCHAR(64) NOT NULL,
    amount_fen     BIGINT      NOT NULL,
    credit_fen     BIGINT      NOT NULL,
    status         VARCHAR(16) NOT NULL,
    transaction_id VARCHAR(64),
    created_at_ms  BIGINT      NOT NULL,
    paid_at_ms     BIGINT,
    refunded_at_ms BIGINT,
    CONSTRAINT pk_orders PRIMARY KEY (number),
    CONSTRAINT fk_orders_user FOREIGN KEY (user_id) REFERENCES users (id),
    CONSTRAINT uq_orders_transaction_id UNIQUE (transaction_id),
    CONSTRAINT ck_orders_amounts CHECK (amount_fen > 0 AND credit_fen > 0),
    CONSTRAINT ck_orders_status CHECK (status IN ('pending', 'paid', 'closed', 'refunded'))
) /*! ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin */;

CREATE INDEX ix_orders_created ON orders (created_at_ms, number);

CREATE INDEX ix_orders_user ON orders (user_id, created_at_ms);

-- Requests other than messages keep their answer (JSON) beside the key, for those who repeat it.
ALTER TABLE idempotency_keys ADD COLUMN answer MEDIUMTEXT;

-- Whoever takes an administrator away locks them all, and nobody else.
CREATE INDEX ix_users_role ON users (role, created_at_ms, id);

-- What administrators look for among a great many rows.
CREATE INDEX ix_users_disabled ON users (disabled_at_ms);

CREATE INDEX ix_orders_status ON orders (status, created_at_ms, number);

CREATE INDEX ix_audit_log_actor ON audit_log (actor_id, at_ms, id);

CREATE INDEX ix_audit_log_action ON audit_log (action, at_ms, id);

-- The last run of each timer function. `outcome` is ok or the name of a failure, `summary` JSON.
CREATE TABLE IF NOT EXISTS timers (
    name    VARCHAR(32) NOT NULL,
    at_ms   BIGINT      NOT NULL,
    outcome VARCHAR(64) NOT NULL,
    summary TEXT        NOT NULL,
    CONSTRAINT pk_timers PRIMARY KEY (name)
) /*! ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin */;
