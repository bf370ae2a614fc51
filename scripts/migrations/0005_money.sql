-- What people have, and every movement of it. Amounts are whole fen.

-- `balance_fen` is the sum of the ledger; `reserved_fen` of it is promised to answers still
-- being given. `entries` numbers the ledger, `open_turns` counts those answers.
CREATE TABLE IF NOT EXISTS wallets (
    user_id      CHAR(26) NOT NULL,
    balance_fen  BIGINT   NOT NULL,
    reserved_fen BIGINT   NOT NULL,
    entries      INTEGER  NOT NULL,
    open_turns   INTEGER  NOT NULL,
    CONSTRAINT pk_wallets PRIMARY KEY (user_id),
    CONSTRAINT fk_wallets_user FOREIGN KEY (user_id) REFERENCES users (id),
    CONSTRAINT ck_wallets_reserved CHECK (reserved_fen >= 0 AND reserved_fen <= balance_fen),
    CONSTRAINT ck_wallets_open_turns CHECK (open_turns >= 0)
) /*! ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin */;

-- Rows are only ever added. `business_key` says what the entry is for, so that it cannot be made
-- twice; `entry_number` counts a wallet's entries without a gap.
CREATE TABLE IF NOT EXISTS ledger (
    id                CHAR(26)     NOT NULL,
    user_id           CHAR(26)     NOT NULL,
    entry_number      INTEGER      NOT NULL,
    kind              VARCHAR(16)  NOT NULL,
    amount_fen        BIGINT       NOT NULL,
    balance_after_fen BIGINT       NOT NULL,
    business_key      VARCHAR(100) NOT NULL,
    reason            VARCHAR(200) NOT NULL,
    created_at_ms     BIGINT       NOT NULL,
    CONSTRAINT pk_ledger PRIMARY KEY (id),
    CONSTRAINT fk_ledger_wallet FOREIGN KEY (user_id) REFERENCES wallets (user_id),
    CONSTRAINT uq_ledger_business_key UNIQUE (business_key),
    CONSTRAINT uq_ledger_user_id_entry_number UNIQUE (user_id, entry_number),
    CONSTRAINT ck_ledger_balance CHECK (balance_after_fen >= 0),
    CONSTRAINT ck_ledger_kind CHECK (
        (kind IN ('grant', 'purchase', 'refund') AND amount_fen > 0)
        OR (kind IN ('charge', 'expiry') AND amount_fen < 0)
        OR (kind = 'adjustment' AND amount_fen <> 0)
    )
) /*! ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin */;

CREATE INDEX ix_ledger_created ON ledger (created_at_ms, id);

-- Every price a model ever had; the highest version is today's. A price is for a message, or in
-- millionths of a fen for 1,000 tokens of input, cached input and output.
CREATE TABLE IF NOT EXISTS prices (
    model         VARCHAR(128) NOT NULL,
    version       INTEGER      NOT NULL,
    unit          VARCHAR(16)  NOT NULL,
    message_fen   BIGINT       NOT NULL,
    input_ufen    BIGINT       NOT NULL,
    cached_ufen   BIGINT       NOT NULL,
    output_ufen   BIGINT       NOT NULL,
    changed_by    CHAR(26)     NOT NULL,
    created_at_ms BIGINT       NOT NULL,
    CONSTRAINT pk_prices PRIMARY KEY (model, version),
    CONSTRAINT ck_prices_unit CHECK (unit IN ('message', 'token')),
    CONSTRAINT ck_prices_amounts CHECK (
        message_fen >= 0 AND input_ufen >= 0 AND cached_ufen >= 0 AND output_ufen >= 0
    )
) /*! ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin */;
