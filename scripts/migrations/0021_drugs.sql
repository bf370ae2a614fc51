-- Medicines that users keep in a list, with their expiry dates.

-- How many medicines the account has: a conditional update of it keeps the limit.
ALTER TABLE users ADD COLUMN drug_count INTEGER NOT NULL DEFAULT 0;

-- `expires_key` is the date as a number such as 20270331, by which the list is sorted; 99999999 is
-- an unknown one. `search_text` has the names in the spelling of search terms. `media_ids` is JSON.
CREATE TABLE IF NOT EXISTS drugs (
    id              CHAR(26)     NOT NULL,
    user_id         CHAR(26)     NOT NULL,
    name            VARCHAR(200) NOT NULL,
    generic_name    VARCHAR(200),
    approval_number VARCHAR(40),
    manufacturer    VARCHAR(200),
    specification   VARCHAR(200),
    batch_number    VARCHAR(64),
    produced_on     CHAR(10),
    expires_on      CHAR(10),
    dosage          TEXT,
    storage         TEXT,
    warnings        TEXT,
    media_ids       TEXT         NOT NULL,
    ai_generated    INTEGER      NOT NULL,
    expires_key     INTEGER      NOT NULL,
    search_text     TEXT         NOT NULL,
    version         INTEGER      NOT NULL,
    created_at_ms   BIGINT       NOT NULL,
    updated_at_ms   BIGINT       NOT NULL,
    CONSTRAINT pk_drugs PRIMARY KEY (id),
    CONSTRAINT fk_drugs_user FOREIGN KEY (user_id) REFERENCES users (id),
    CONSTRAINT ck_drugs_ai_generated CHECK (ai_generated IN (0, 1))
) /*! ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin */;

CREATE INDEX ix_drugs_user_expires ON drugs (user_id, expires_key, id);

CREATE INDEX ix_drugs_user_created ON drugs (user_id, created_at_ms, id);

CREATE INDEX ix_drugs_created ON drugs (created_at_ms, id);
