"""Which version this is; pyproject.toml says the same."""

VERSION = "0.3.1"

# The migration this code counts on: the last of scripts/migrations, which are not deployed.
SCHEMA_VERSION = 14
