"""The version of the schema in the database, compared with the one that this code needs."""

from shared.database.connection import Connection, NotMigrated
from shared.version import SCHEMA_VERSION


def require_current(connection: Connection) -> None:
    """A newer schema is good: migrations are compatible with the version that still runs.

    Raises: NotMigrated: the schema is older, or there is none.
    """
    sql = "SELECT MAX(version) AS version FROM schema_migrations"
    applied = connection.find(lambda version: int(version or 0), sql) or 0
    if applied < SCHEMA_VERSION:
        raise NotMigrated(f"schema {applied}, needed {SCHEMA_VERSION}: scripts/migrate up")
