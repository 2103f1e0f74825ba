"""Usage tables: how a table of events in a database is declared to be usage, in a file of its own."""

import re
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, model_validator

from models.money import Currency
from models.period import Zone
from models.refusal import Refusal
from models.usage import Identifier
from models.value import Value

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")


def _name(text: str) -> str:
    if _NAME.fullmatch(text) is None:
        raise ValueError(f"expected the name of a column or table: letters, digits and _, got {text!r}")
    return text


Name = Annotated[str, AfterValidator(_name)]
"""A column or table as it may be named here; it is used only after the database said that it has it."""


class ColumnMissing(Refusal):
    """The mapping names a column that the table does not have."""

    remedy = "Correct the mapping file: the table's own columns are the ones that may be named."


class TableMapping(Value):
    """Which table holds events, and which of its columns say what; what is not declared is not read.

    A meter is a column, or the name of the one meter that the table holds. Instants without a zone are read in
    `timezone`. `revision`: of rows with one id and meter the one with the greatest revision counts, whichever of
    them was stored last.
    """

    database: Name | None = None
    table: Name = "usage_events"
    id: Name = "id"
    account: Name = "account"
    meter: Name | None = "meter"
    meter_name: Identifier | None = None
    quantity: Name = "quantity"
    timestamp: Name = "timestamp"
    received_at: Name = "received_at"
    timezone: Zone = "UTC"
    dimensions: dict[Name, Name] = {}  # dimension -> column
    dimensions_in: Name | None = None  # one column that holds them all: Map(String, String), jsonb
    cost: Name | None = None
    cost_currency: Name | None = None  # a column; or, for all rows:
    currency: Currency | None = None
    revision: Name | None = None
    duplicates: Literal["keep", "final", "revision"] = "keep"  # final: ClickHouse's FINAL on a ReplacingMergeTree

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if (self.meter is None) == (self.meter_name is None):
            raise ValueError("expected either meter (a column) or meter_name (the one meter), and the other null")
        if self.dimensions and self.dimensions_in:
            raise ValueError("expected dimensions or dimensions_in, not both")
        if (self.duplicates == "revision") != (self.revision is not None):
            raise ValueError("expected a revision column exactly where duplicates: revision")
        if self.cost is not None and (self.cost_currency is None) == (self.currency is None):
            raise ValueError("a cost needs its currency: cost_currency (a column) or currency (of all rows)")
        return self

    @property
    def columns(self) -> tuple[str, ...]:
        """Return every column that is named."""
        named = (
            self.id,
            self.account,
            self.meter,
            self.quantity,
            self.timestamp,
            self.received_at,
            *self.dimensions.values(),
            self.dimensions_in,
            self.cost,
            self.cost_currency,
            self.revision,
        )
        return tuple(dict.fromkeys(name for name in named if name))

    def check(self, there: dict[str, str]) -> None:
        """Raise ColumnMissing unless the table has every column that is named."""
        missing = [name for name in self.columns if name not in there]
        if missing:
            raise ColumnMissing(
                f"the table has no column {missing[0]}", table=self.table, columns=", ".join(there) or "none: no table"
            )
