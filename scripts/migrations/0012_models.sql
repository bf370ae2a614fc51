-- The models administrators offer, whom they ask for an answer, and what that came to.

CREATE TABLE IF NOT EXISTS models (
    name          VARCHAR(128) NOT NULL,
    title         VARCHAR(100) NOT NULL,
    is_enabled    INTEGER      NOT NULL,
    created_at_ms BIGINT       NOT NULL,
    updated_at_ms BIGINT       NOT NULL,
    CONSTRAINT pk_models PRIMARY KEY (name),
    CONSTRAINT ck_models_enabled CHECK (is_enabled IN (0, 1))
) /*! ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin */;

-- `sealed_key` is encrypted with UPSTREAM_KEYS_SECRET for this id and the origin of this url;
-- `key_hint` is the end of the key. Costs are what the vendor takes, in millionths of a fen for
-- 1,000 tokens.
CREATE TABLE IF NOT EXISTS upstreams (
    id            CHAR(26)     NOT NULL,
    model         VARCHAR(128) NOT NULL,
    name          VARCHAR(64)  NOT NULL,
    url           VARCHAR(500) NOT NULL,
    vendor_model  VARCHAR(128) NOT NULL,
    sealed_key    TEXT         NOT NULL,
    key_hint      VARCHAR(8)   NOT NULL,
    weight        INTEGER      NOT NULL,
    input_ufen    BIGINT       NOT NULL,
    cached_ufen   BIGINT       NOT NULL,
    output_ufen   BIGINT       NOT NULL,
    is_enabled    INTEGER      NOT NULL,
    created_at_ms BIGINT       NOT NULL,
    updated_at_ms BIGINT       NOT NULL,
    CONSTRAINT pk_upstreams PRIMARY KEY (id),
    CONSTRAINT fk_upstreams_model FOREIGN KEY (model) REFERENCES models (name),
    CONSTRAINT uq_upstreams_name UNIQUE (name),
    CONSTRAINT ck_upstreams_weight CHECK (weight >= 1 AND weight <= 100),
    CONSTRAINT ck_upstreams_costs CHECK (input_ufen >= 0 AND cached_ufen >= 0 AND output_ufen >= 0),
    CONSTRAINT ck_upstreams_enabled CHECK (is_enabled IN (0, 1))
) /*! ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin */;

-- What a turn came to, beside its outcome, so that it can be summed up.
ALTER TABLE turns ADD COLUMN counted_prompt_tokens INTEGER;

ALTER TABLE turns ADD COLUMN cached_tokens INTEGER;

ALTER TABLE turns ADD COLUMN completion_tokens INTEGER;

ALTER TABLE turns ADD COLUMN charged_fen BIGINT;

-- What the vendor takes for an attempt, in millionths of a fen; null where nobody said its prices.
ALTER TABLE upstream_attempts ADD COLUMN cost_ufen BIGINT;
