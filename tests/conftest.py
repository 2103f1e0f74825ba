"""Fixtures that several rooms' tests share."""

from tests.postgres_fixture import _copies, database, fresh_database, postgres_server

__all__ = ["_copies", "database", "fresh_database", "postgres_server"]
