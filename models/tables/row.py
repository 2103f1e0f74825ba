"""Row: how nouns are kept. Columns are named as in migrations/versions, which own the constraints."""

from typing import Any

from sqlalchemy import BigInteger, DateTime, Identity, Numeric
from sqlmodel import Field, SQLModel

SCHEMA = "tieout"
IN_SCHEMA = {"schema": SCHEMA}


class Row(SQLModel):
    """A row; a table's class adds `table=True`. Rows check nothing: values do, and the database's constraints."""


def position(primary_key: bool = False) -> Any:
    """Return the column that keeps the order of appending, given by the database."""
    return Field(
        default=None,
        primary_key=primary_key,
        sa_type=BigInteger,
        sa_column_args=(Identity(always=True),),
        nullable=False,
    )


def instant(nullable: bool = False) -> Any:
    """Return a column for an instant with its zone."""
    return Field(sa_type=DateTime(timezone=True), nullable=nullable)


def exact(nullable: bool = False) -> Any:
    """Return a column for a decimal without scale: a 24-digit price comes back as it went in."""
    return Field(sa_type=Numeric, nullable=nullable)
