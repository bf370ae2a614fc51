-- The media of a question: of a message once its answer is stored, of its turn until then.

CREATE TABLE IF NOT EXISTS message_media (
    message_id CHAR(26) NOT NULL,
    position   INTEGER  NOT NULL,
    media_id   CHAR(26) NOT NULL,
    CONSTRAINT pk_message_media PRIMARY KEY (message_id, position),
    CONSTRAINT fk_message_media_message FOREIGN KEY (message_id) REFERENCES messages (id)
        ON DELETE CASCADE,
    CONSTRAINT fk_message_media_media FOREIGN KEY (media_id) REFERENCES media (id)
        ON DELETE CASCADE
) /*! ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin */;

CREATE INDEX ix_message_media_media ON message_media (media_id);

-- The ids, with commas between them.
ALTER TABLE turns ADD COLUMN media_ids VARCHAR(255);

-- Whether the prompt had only the beginning of a document.
ALTER TABLE turns ADD COLUMN is_truncated INTEGER NOT NULL DEFAULT 0;

-- In pixels, where the first bytes of a picture say it.
ALTER TABLE media ADD COLUMN width INTEGER;

ALTER TABLE media ADD COLUMN height INTEGER;
