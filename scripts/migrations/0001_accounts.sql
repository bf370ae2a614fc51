-- Who there is, and the sessions they hold.

CREATE TABLE IF NOT EXISTS users (
    id             CHAR(26)     NOT NULL,
    email          VARCHAR(254),
    username       VARCHAR(64),
    password_hash  VARCHAR(255),
    role           VARCHAR(16)  NOT NULL,
    created_at_ms  BIGINT       NOT NULL,
    disabled_at_ms BIGINT,
    CONSTRAINT pk_users PRIMARY KEY (id),
    CONSTRAINT uq_users_email UNIQUE (email),
    CONSTRAINT uq_users_username UNIQUE (username),
    CONSTRAINT ck_users_role CHECK (role IN ('user', 'admin'))
) /*! ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin */;

CREATE INDEX ix_users_created ON users (created_at_ms, id);

CREATE TABLE IF NOT EXISTS sessions (
    id            CHAR(26) NOT NULL,
    user_id       CHAR(26) NOT NULL,
    created_at_ms BIGINT   NOT NULL,
    ended_at_ms   BIGINT,
    CONSTRAINT pk_sessions PRIMARY KEY (id),
    CONSTRAINT fk_sessions_user FOREIGN KEY (user_id) REFERENCES users (id)
) /*! ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin */;

-- A family of refresh tokens is a session; only hashes are stored.
CREATE TABLE IF NOT EXISTS refresh_tokens (
    token_hash    CHAR(64) NOT NULL,
    session_id    CHAR(26) NOT NULL,
    issued_at_ms  BIGINT   NOT NULL,
    expires_at_ms BIGINT   NOT NULL,
    used_at_ms    BIGINT,
    CONSTRAINT pk_refresh_tokens PRIMARY KEY (token_hash),
    CONSTRAINT fk_refresh_tokens_session FOREIGN KEY (session_id) REFERENCES sessions (id)
) /*! ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin */;
