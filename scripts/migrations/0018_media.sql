-- Uploads to the storage, the media that they become, and objects that are to be deleted.

-- A form or a signed PUT that was given to a user. Only the attempt in `media_id` may commit it, and
-- no other attempt begins while its lease lasts. `refusal` says why the object was refused for good.
CREATE TABLE IF NOT EXISTS uploads (
    id             CHAR(26)     NOT NULL,
    user_id        CHAR(26)     NOT NULL,
    filename       VARCHAR(255) NOT NULL,
    content_type   VARCHAR(100) NOT NULL,
    size           BIGINT       NOT NULL,
    method         VARCHAR(8)   NOT NULL,
    purpose        VARCHAR(32),
    state          VARCHAR(16)  NOT NULL,
    refusal        VARCHAR(64),
    media_id       CHAR(26),
    lease_until_ms BIGINT       NOT NULL,
    expires_at_ms  BIGINT       NOT NULL,
    created_at_ms  BIGINT       NOT NULL,
    CONSTRAINT pk_uploads PRIMARY KEY (id),
    CONSTRAINT fk_uploads_user FOREIGN KEY (user_id) REFERENCES users (id),
    CONSTRAINT ck_uploads_state CHECK (state IN ('open', 'committed', 'refused')),
    CONSTRAINT ck_uploads_method CHECK (method IN ('post', 'put')),
    CONSTRAINT ck_uploads_refused CHECK ((state = 'refused') = (refusal IS NOT NULL)),
    CONSTRAINT ck_uploads_committed CHECK (state <> 'committed' OR media_id IS NOT NULL)
) /*! ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin */;

CREATE INDEX ix_uploads_user ON uploads (user_id);

CREATE INDEX ix_uploads_created ON uploads (created_at_ms, id);

-- `upload_id` outlives the row of the upload: a commit that is repeated later gets the same media.
CREATE TABLE IF NOT EXISTS media (
    id            CHAR(26)     NOT NULL,
    upload_id     CHAR(26)     NOT NULL,
    user_id       CHAR(26)     NOT NULL,
    object_key    VARCHAR(200) NOT NULL,
    filename      VARCHAR(255) NOT NULL,
    content_type  VARCHAR(100) NOT NULL,
    size          BIGINT       NOT NULL,
    crc64         VARCHAR(20)  NOT NULL,
    purpose       VARCHAR(32),
    created_at_ms BIGINT       NOT NULL,
    CONSTRAINT pk_media PRIMARY KEY (id),
    CONSTRAINT uq_media_upload UNIQUE (upload_id),
    CONSTRAINT uq_media_object UNIQUE (object_key),
    CONSTRAINT fk_media_user FOREIGN KEY (user_id) REFERENCES users (id)
) /*! ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin */;

CREATE INDEX ix_media_user ON media (user_id, created_at_ms, id);

CREATE INDEX ix_media_created ON media (created_at_ms, id);

-- The text of a document, as it was extracted when it was committed. `pages` is that of a PDF.
CREATE TABLE IF NOT EXISTS media_texts (
    media_id     CHAR(26)   NOT NULL,
    text         MEDIUMTEXT NOT NULL,
    pages        INTEGER,
    is_truncated INTEGER    NOT NULL,
    CONSTRAINT pk_media_texts PRIMARY KEY (media_id),
    CONSTRAINT fk_media_texts_media FOREIGN KEY (media_id) REFERENCES media (id)
) /*! ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin */;

-- Objects to delete from the storage, from `next_at_ms` on. `attempts` counts the tries.
CREATE TABLE IF NOT EXISTS object_deletions (
    object_key   VARCHAR(200) NOT NULL,
    queued_at_ms BIGINT       NOT NULL,
    next_at_ms   BIGINT       NOT NULL,
    attempts     INTEGER      NOT NULL,
    CONSTRAINT pk_object_deletions PRIMARY KEY (object_key)
) /*! ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin */;

CREATE INDEX ix_object_deletions_next ON object_deletions (next_at_ms, object_key);

-- The files and bytes of a user's uploads on a day.
CREATE TABLE IF NOT EXISTS daily_uploads (
    user_id CHAR(26) NOT NULL,
    day     CHAR(10) NOT NULL,
    files   INTEGER  NOT NULL,
    bytes   BIGINT   NOT NULL,
    CONSTRAINT pk_daily_uploads PRIMARY KEY (user_id, day)
) /*! ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin */;

CREATE INDEX ix_daily_uploads_day ON daily_uploads (day, user_id);
