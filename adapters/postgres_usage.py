"""A PostgreSQL table of usage events, the company's own, read in one snapshot through a server-side cursor.

It is the fourth source, and shows what one takes: this file and a line in runtime/wiring.py.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import psycopg
import pyarrow as pa
from psycopg.sql import SQL, Composed, Identifier, Literal

from adapters.reading import SourceChangedWhileRead, Tally, hours_of
from adapters.usage_tables import TableMapping
from models.columns import REPORTED
from models.period import Period
from models.refusal import Refusal

BATCH_ROWS = 50_000


class NotInPostgres(Refusal):
    """The mapping asks for something that only ClickHouse has."""

    remedy = "Declare duplicates: keep or revision."


class PostgresUsage:
    """The `UsageSource` port on a table in PostgreSQL; quantities are numeric there."""

    grain = "event"
    timezone = "UTC"

    def __init__(self, url: str, mapping: TableMapping, name: str = "postgres") -> None:
        if mapping.duplicates == "final":
            raise NotInPostgres("PostgreSQL has no FINAL", source=name)
        self.name = name
        self._url = url
        self._mapping = mapping

    def watermark(self) -> datetime:
        """Return when the table last received an event; the epoch for an empty one."""
        with psycopg.connect(self._url) as db:
            wall = self._wall_clocks(db)
            newest = SQL("SELECT max({at}) FROM {table}").format(
                at=self._instant(self._mapping.received_at, wall), table=self._table()
            )
            ((latest,),) = db.execute(newest).fetchall()
        return latest.astimezone(UTC) if latest else datetime.fromtimestamp(0, UTC)

    def read(self, window: Period) -> Iterator[pa.RecordBatch]:
        """Yield the events of a window. One repeatable-read transaction tallies and streams the same snapshot.

        Raises:
            SourceChangedWhileRead: the connection died, or not every row that was tallied arrived.
            ColumnMissing: the mapping names a column the table does not have.
        """
        arrived = Tally()
        try:
            with psycopg.connect(self._url) as db:
                db.read_only, db.isolation_level = True, psycopg.IsolationLevel.REPEATABLE_READ
                events = self._events(self._wall_clocks(db))
                bounds = {"low": window.starts_at, "high": window.ends_at}
                said = hours_of(db.execute(SQL(_TALLY).format(events=events), bounds).fetchall())
                with db.cursor("usage") as cursor:
                    cursor.execute(events, bounds)
                    while rows := cursor.fetchmany(BATCH_ROWS):
                        batch = self._batch(rows)
                        arrived.add(batch)
                        yield batch
        except psycopg.OperationalError as error:
            raise SourceChangedWhileRead(f"the connection died: {error}", source=self.name) from error
        arrived.compare(said, self.name)

    def _batch(self, rows: list[Any]) -> pa.RecordBatch:
        place = f"postgres:{self._mapping.table}"
        names = ("id", "account", "meter", "quantity", "starts_at", "received_at", "dims", "cost", "cost_currency")
        return pa.RecordBatch.from_pylist(
            [dict(zip(names, row, strict=True)) | {"place": place} for row in rows], schema=REPORTED
        )

    def _events(self, wall: frozenset[str]) -> Composed:
        mapping = self._mapping
        at, none = self._instant(mapping.timestamp, wall), SQL("NULL")
        identity = SQL(", ").join(Identifier(name) for name in (mapping.id, mapping.meter) if name)
        inside = SQL("{at} >= %(low)s AND {at} < %(high)s").format(at=at)
        rows = SQL("{table} WHERE {inside}").format(table=self._table(), inside=inside)
        if mapping.revision:  # of every id that has any row inside, the newest row, which may be outside
            rows = SQL(
                "(SELECT DISTINCT ON ({identity}) * FROM {table} WHERE ({identity}) IN (SELECT {identity} FROM {rows})"
                " ORDER BY {identity}, {revision} DESC) newest WHERE {inside}"
            ).format(
                identity=identity, table=self._table(), rows=rows, revision=Identifier(mapping.revision), inside=inside
            )
        currency = Identifier(mapping.cost_currency) if mapping.cost_currency else Literal(mapping.currency)
        return SQL(
            "SELECT {id}::text AS id, {account}::text AS account, {meter}::text AS meter,"
            " {quantity}::numeric(38, 12) AS quantity, {at} AS starts_at, {received} AS received_at,"
            " {dims} AS dims, {cost}::numeric(38, 12) AS cost, {currency}::text AS cost_currency FROM {rows}"
        ).format(
            id=Identifier(mapping.id),
            account=Identifier(mapping.account),
            meter=Identifier(mapping.meter) if mapping.meter else Literal(mapping.meter_name),
            quantity=Identifier(mapping.quantity),
            at=at,
            received=self._instant(mapping.received_at, wall),
            dims=self._dimensions(),
            cost=Identifier(mapping.cost) if mapping.cost else none,
            currency=currency if mapping.cost else none,
            rows=rows,
        )

    def _dimensions(self) -> Composed | SQL:
        """Return the dimensions as canonical JSON: keys sorted, no spaces, what a row does not have left out."""
        mapping = self._mapping
        if mapping.dimensions_in:
            pairs: Composed | SQL = SQL("jsonb_each_text({}::jsonb)").format(Identifier(mapping.dimensions_in))
        elif mapping.dimensions:
            pairs = SQL("(VALUES {}) AS pair(key, value)").format(
                SQL(", ").join(
                    SQL("({}, {}::text)").format(Literal(name), Identifier(column))
                    for name, column in mapping.dimensions.items()
                )
            )
        else:
            return SQL("'{{}}'::text")
        return SQL(
            "(SELECT '{{' || coalesce(string_agg(to_json(key)::text || ':' || to_json(value)::text, ','"
            " ORDER BY key COLLATE \"C\"), '') || '}}' FROM {pairs} WHERE value IS NOT NULL AND value <> '')"
        ).format(pairs=pairs)

    def _instant(self, column: str, wall: frozenset[str]) -> Composed:
        """Return a column's instant; a timestamp without a zone is a wall clock in the declared one."""
        if column in wall:
            return SQL("({} AT TIME ZONE {})").format(Identifier(column), Literal(self._mapping.timezone))
        return SQL("({}::timestamptz)").format(Identifier(column))

    def _table(self) -> Identifier:
        return Identifier(*(name for name in (self._mapping.database, self._mapping.table) if name))

    def _wall_clocks(self, db: psycopg.Connection) -> frozenset[str]:
        """Return the columns that are instants without a zone; refuse a mapping of columns the table does not have.

        The table's own columns are the allow-list that names are taken from.
        """
        db.execute("SET TIME ZONE 'UTC'")
        there: dict[str, str] = dict(
            db.execute(
                "SELECT column_name, data_type FROM information_schema.columns"
                " WHERE table_name = %s AND table_schema = coalesce(%s, current_schema())",
                (self._mapping.table, self._mapping.database),
            ).fetchall()
        )
        self._mapping.check(there)
        return frozenset(name for name, kind in there.items() if kind == "timestamp without time zone")


_HASH = "md5(id || '|' || meter || '|' || quantity::text)"
_FIRST_EIGHT = " || ".join(f"substr({_HASH}, {at}, 2)" for at in range(15, 0, -2))  # little-endian, as DuckDB reads it
_TALLY = (
    "SELECT date_trunc('hour', starts_at), count(*), sum(quantity),"
    f" sum(('x' || {_FIRST_EIGHT})::bit(64)::bigint) FROM ({{events}}) AS events GROUP BY 1"
)
