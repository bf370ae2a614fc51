-- Places that users reported with their consent, rounded before they are stored.

-- `accuracy_m` is in whole metres. `consented_at_ms` is when the report came, with its consent.
CREATE TABLE IF NOT EXISTS locations (
    id                CHAR(26)    NOT NULL,
    user_id           CHAR(26)    NOT NULL,
    latitude          DOUBLE      NOT NULL,
    longitude         DOUBLE      NOT NULL,
    coordinate_system VARCHAR(16) NOT NULL,
    accuracy_m        INTEGER,
    recorded_at_ms    BIGINT      NOT NULL,
    consented_at_ms   BIGINT      NOT NULL,
    CONSTRAINT pk_locations PRIMARY KEY (id),
    CONSTRAINT fk_locations_user FOREIGN KEY (user_id) REFERENCES users (id),
    CONSTRAINT ck_locations_latitude CHECK (latitude BETWEEN -90 AND 90),
    CONSTRAINT ck_locations_longitude CHECK (longitude BETWEEN -180 AND 180)
) /*! ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin */;

CREATE INDEX ix_locations_user ON locations (user_id, recorded_at_ms, id);

CREATE INDEX ix_locations_consented ON locations (consented_at_ms, id);
