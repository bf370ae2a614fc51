-- Invite codes: who may open an account, how many of them, and what they start with.

-- `owner_id` is whom the code is rewarded to, where there is a reward.
CREATE TABLE IF NOT EXISTS invites (
    code          VARCHAR(32)  NOT NULL,
    owner_id      CHAR(26),
    max_uses      INTEGER      NOT NULL,
    used          INTEGER      NOT NULL,
    initial_fen   BIGINT       NOT NULL,
    note          VARCHAR(200) NOT NULL,
    is_active     INTEGER      NOT NULL,
    expires_at_ms BIGINT,
    created_by    CHAR(26)     NOT NULL,
    created_at_ms BIGINT       NOT NULL,
    CONSTRAINT pk_invites PRIMARY KEY (code),
    CONSTRAINT fk_invites_owner FOREIGN KEY (owner_id) REFERENCES users (id),
    CONSTRAINT ck_invites_used CHECK (used >= 0 AND used <= max_uses),
    CONSTRAINT ck_invites_initial CHECK (initial_fen >= 0),
    CONSTRAINT ck_invites_active CHECK (is_active IN (0, 1))
) /*! ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin */;

CREATE INDEX ix_invites_created ON invites (created_at_ms, code);

CREATE TABLE IF NOT EXISTS invite_uses (
    user_id    CHAR(26)    NOT NULL,
    code       VARCHAR(32) NOT NULL,
    used_at_ms BIGINT      NOT NULL,
    CONSTRAINT pk_invite_uses PRIMARY KEY (user_id),
    CONSTRAINT fk_invite_uses_user FOREIGN KEY (user_id) REFERENCES users (id),
    CONSTRAINT fk_invite_uses_invite FOREIGN KEY (code) REFERENCES invites (code)
) /*! ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin */;
