-- How many messages a guest has had today. The client is a keyed hash of an address.

CREATE TABLE IF NOT EXISTS guest_usage (
    client CHAR(64) NOT NULL,
    day    CHAR(10) NOT NULL,
    used   INTEGER  NOT NULL,
    CONSTRAINT pk_guest_usage PRIMARY KEY (client, day),
    CONSTRAINT ck_guest_usage_used CHECK (used >= 0)
) /*! ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin */;
