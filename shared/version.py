"""The version of the product, the same as in pyproject.toml, and of its database schema."""

VERSION = "0.6.0"
RELEASED_AT = 1_795_824_000  # in seconds: 2026-11-28T00:00:00Z; change it with VERSION

# The number of the last migration in scripts/migrations, which this code requires.
SCHEMA_VERSION = 21
