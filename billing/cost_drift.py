"""Cost drift: where a source carries its own cost, what it is beside the catalog's, by service, model and day.

An event may be metered several times (input and output tokens) and bear its cost once; the catalog's cost of it is the
sum over its meters of one service (`llm` of `llm.input_tokens`), each at the version in force when it happened.

Sealed rows lie in customer order: some customers are read at a time, each once, and only sums by day are kept, so that
a month needs no more memory than a part of it.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from itertools import groupby
from pathlib import Path

import duckdb
import pyarrow as pa

from billing import sealing
from billing.rating.exact import exactly, settled
from billing.rating.rates import RateBook
from models.money import ZERO, Currency
from models.rate_card import RateVersion
from models.usage import Dimensions, Identifier
from models.value import Day, Exact, Value

TOLERANCE = Decimal("0.005")
"""A day's cost may differ from the catalog's by this share of it: sources round to the micro-dollar."""


class Drift(Value):
    """A run of days on which a source's cost of one model is not the catalog's, in the same proportion."""

    source: Identifier
    service: str
    dimensions: Dimensions
    currency: Currency
    first_day: Day
    last_day: Day
    events: int
    cost: Exact  # what the source says
    catalog: Exact  # what the catalog says of the same events
    rate_versions: tuple[str, ...]

    @property
    def money(self) -> Decimal:
        """What the catalog would have moved, were the source right."""
        return self.cost - self.catalog

    @property
    def ratio(self) -> Decimal | None:
        """The source's effective rate as a multiple of the catalog's; None where the catalog says nothing or zero."""
        return (self.cost / self.catalog).quantize(Decimal("0.0001")) if self.catalog else None


class _Day(Value):
    day: Day
    events: int
    cost: Exact
    catalog: Exact
    versions: tuple[str, ...]

    @property
    def drifts(self) -> bool:
        return abs(self.cost - self.catalog) > TOLERANCE * abs(self.catalog)


def drifts(source: str, rows: Path, versions: Sequence[RateVersion], card: str, zone: str) -> tuple[Drift, ...]:
    """Return where a source's own cost leaves the catalog's, each with its first day and the money between them.

    `rows` is a file of sealed rows (models/columns.py SEALED); `card` the catalog's card; days are those of `zone`.
    Usage on a customer's own key costs us nothing and is left out. A model that the card does not price has a catalog
    cost of 0.
    """
    book = RateBook.of(versions)
    found: list[Drift] = []
    with exactly():
        for (service, dims, currency), days in _by_model(rows, book, card, zone).items():
            runs = groupby(days, key=_sort_of)
            for (differs, _), run in runs:
                if differs:
                    found.append(_drift(source, service, dims, currency, list(run)))
    return tuple(sorted(found, key=lambda one: (one.first_day, one.service, sorted(one.dimensions.items()))))


def _sort_of(day: _Day) -> tuple[bool, Decimal | None]:
    """Return what makes neighbouring days one drift: that they differ, and in what proportion, to two digits."""
    if not day.drifts:
        return False, None
    return True, (day.cost / day.catalog).quantize(Decimal("0.01")) if day.catalog else None


def _drift(source: str, service: str, dims: str, currency: str, days: list[_Day]) -> Drift:
    return Drift(
        source=source,
        service=service,
        dimensions=json.loads(dims),
        currency=currency,
        first_day=days[0].day,
        last_day=days[-1].day,
        events=sum(day.events for day in days),
        cost=settled(sum((day.cost for day in days), ZERO)),
        catalog=settled(sum((day.catalog for day in days), ZERO)),
        rate_versions=tuple(sorted({version for day in days for version in day.versions})),
    )


_PARTS = """
SELECT customer, count(*) FROM rows_ GROUP BY customer HAVING count(cost) > 0 ORDER BY customer
"""
_COSTED = """
CREATE OR REPLACE TABLE costed AS
SELECT id, split_part(meter, '.', 1) AS service, any_value(cost_currency) AS currency, sum(cost) AS cost,
       min(starts_at) AS starts_at, min(dims) AS dims
FROM part WHERE cost IS NOT NULL AND coalesce(json_extract_string(dims, '$.own_key'), 'false') <> 'true'
GROUP BY id, service
"""
_COSTS = """
SELECT service, dims, currency, (starts_at AT TIME ZONE $1)::DATE AS day, sum(cost), count(*)
FROM costed GROUP BY ALL
"""
_QUANTITIES = """
SELECT c.service, c.dims, c.currency, (c.starts_at AT TIME ZONE $1)::DATE AS day, r.meter, v.number, sum(r.quantity)
FROM costed c JOIN part r ON r.id = c.id AND split_part(r.meter, '.', 1) = c.service
ASOF JOIN versions v ON v.meter = r.meter AND v.dims = r.dims AND r.starts_at >= v.starts_at
GROUP BY ALL
"""


@dataclass
class _Sums:
    """What one day of a model, in one currency, comes to so far."""

    cost: Decimal = ZERO
    events: int = 0
    catalog: Decimal = ZERO
    versions: set[str] = field(default_factory=set)


Kind = tuple[str, str, str]
"""Service, dimensions, currency."""


def _by_model(rows: Path, book: RateBook, card: str, zone: str) -> dict[Kind, list[_Day]]:
    """Return the days of each service, model and currency, in order, with both costs."""
    sums: dict[tuple[Kind, date], _Sums] = {}
    with duckdb.connect(config={"threads": 1}) as db:
        db.execute("SET TimeZone = 'UTC'")
        db.read_parquet(str(rows)).create_view("rows_")
        counts = db.execute(_PARTS).fetchall()
        kinds = db.execute("SELECT DISTINCT meter, dims FROM rows_").fetchall() if counts else []
        chosen = _versions(kinds, book, card)
        db.register("versions_in", _table(chosen))
        db.execute("CREATE TABLE versions AS SELECT * FROM versions_in")
        for first, last in sealing.parts_of(counts):
            db.execute(
                "CREATE OR REPLACE TABLE part AS SELECT * FROM rows_ WHERE customer BETWEEN $1 AND $2", [first, last]
            )
            db.execute(_COSTED)
            for service, dims, currency, day, cost, events in db.execute(_COSTS, [zone]).fetchall():
                one = sums.setdefault(((service, dims, currency), day), _Sums())
                one.cost, one.events = one.cost + cost, one.events + events
            for service, dims, currency, day, _, number, quantity in db.execute(_QUANTITIES, [zone]).fetchall():
                version = chosen[number][2]
                if version.currency != currency:
                    continue  # a cost in another currency is not compared by guess
                one = sums.setdefault(((service, dims, currency), day), _Sums())
                one.catalog += quantity * version.amount / version.per
                one.versions.add(version.id)
    found: dict[Kind, list[_Day]] = {}
    for (kind, day), one in sorted(sums.items()):
        versions = tuple(sorted(one.versions))
        cost = _Day(day=day, events=one.events, cost=one.cost, catalog=settled(one.catalog), versions=versions)
        found.setdefault(kind, []).append(cost)
    return found


def _versions(kinds: Iterable[tuple[str, str]], book: RateBook, card: str) -> list[tuple[str, str, RateVersion]]:
    """Return meter, dims and version of everything the card says of the kinds of usage, one for each start."""
    found = []
    for meter, dims in sorted(kinds):
        dimensions = json.loads(dims)
        for start in sorted({one.starts_at for one in book.matching(card, meter, dimensions)}):
            found.append((meter, dims, book.rate_in_force(card, meter, dimensions, start)))
    return found


def _table(chosen: list[tuple[str, str, RateVersion]]) -> pa.Table:
    starts = sorted(range(len(chosen)), key=lambda number: chosen[number][:2])
    return pa.table(
        {
            "meter": pa.array([chosen[number][0] for number in starts], pa.string()),
            "dims": pa.array([chosen[number][1] for number in starts], pa.string()),
            "starts_at": pa.array([chosen[number][2].starts_at for number in starts], pa.timestamp("us", tz="UTC")),
            "number": pa.array(starts, pa.int64()),
        }
    )
