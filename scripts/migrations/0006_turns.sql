-- Every question put to a model: who pays how, how far the answer is, and how it ended.

-- `state` leaves open exactly once, to settled or released. Whoever produces the answer renews the
-- lease; where it runs out, the sweeper ends the turn from what was stored of the answer.
-- `question` is null for guests, of whom nothing is kept. `price` and `outcome` are JSON.
CREATE TABLE IF NOT EXISTS turns (
    message_id      CHAR(26)     NOT NULL,
    subject         CHAR(64)     NOT NULL,
    user_id         CHAR(26),
    conversation_id CHAR(26),
    question        MEDIUMTEXT,
    model           VARCHAR(128) NOT NULL,
    payment         VARCHAR(16)  NOT NULL,
    day             CHAR(10)     NOT NULL,
    daily_limit     INTEGER      NOT NULL,
    reserved_fen    BIGINT       NOT NULL,
    price           TEXT         NOT NULL,
    prompt_tokens   INTEGER      NOT NULL,
    state           VARCHAR(16)  NOT NULL,
    stop_requested  INTEGER      NOT NULL,
    lease_until_ms  BIGINT       NOT NULL,
    created_at_ms   BIGINT       NOT NULL,
    ended_at_ms     BIGINT,
    outcome         TEXT,
    CONSTRAINT pk_turns PRIMARY KEY (message_id),
    CONSTRAINT fk_turns_user FOREIGN KEY (user_id) REFERENCES users (id),
    CONSTRAINT ck_turns_payment CHECK (payment IN ('free', 'balance')),
    CONSTRAINT ck_turns_state CHECK (state IN ('open', 'settled', 'released')),
    CONSTRAINT ck_turns_ended CHECK ((state = 'open') = (ended_at_ms IS NULL))
) /*! ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin */;

CREATE INDEX ix_turns_state ON turns (state, lease_until_ms);

CREATE INDEX ix_turns_created ON turns (created_at_ms);

-- The answer as it grows: pieces of text and of reasoning, each at its place.
CREATE TABLE IF NOT EXISTS pieces (
    message_id CHAR(26)    NOT NULL,
    position   INTEGER     NOT NULL,
    kind       VARCHAR(16) NOT NULL,
    text       MEDIUMTEXT  NOT NULL,
    CONSTRAINT pk_pieces PRIMARY KEY (message_id, position),
    CONSTRAINT fk_pieces_turn FOREIGN KEY (message_id) REFERENCES turns (message_id),
    CONSTRAINT ck_pieces_kind CHECK (kind IN ('text', 'reasoning'))
) /*! ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin */;

-- A key a client chose, so that repeating a request has one effect. Kept 24 hours.
CREATE TABLE IF NOT EXISTS idempotency_keys (
    subject       CHAR(64)     NOT NULL,
    client_key    VARCHAR(255) NOT NULL,
    request_hash  CHAR(64)     NOT NULL,
    message_id    CHAR(26)     NOT NULL,
    created_at_ms BIGINT       NOT NULL,
    CONSTRAINT pk_idempotency_keys PRIMARY KEY (subject, client_key)
) /*! ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin */;

CREATE INDEX ix_idempotency_keys_message ON idempotency_keys (message_id);

CREATE INDEX ix_idempotency_keys_created ON idempotency_keys (created_at_ms);
