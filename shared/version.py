"""The version of the product, the same as in pyproject.toml, and of its database schema."""

VERSION = "0.5.0"

# The number of the last migration in scripts/migrations, which this code requires.
SCHEMA_VERSION = 17
