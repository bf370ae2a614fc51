-- How many messages somebody has had on a day of Asia/Shanghai.
-- The subject of a guest is a keyed hash of an address.

CREATE TABLE IF NOT EXISTS daily_messages (
    subject CHAR(64) NOT NULL,
    day     CHAR(10) NOT NULL,
    used    INTEGER  NOT NULL,
    CONSTRAINT pk_daily_messages PRIMARY KEY (subject, day),
    CONSTRAINT ck_daily_messages_used CHECK (used >= 0)
) /*! ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin */;
