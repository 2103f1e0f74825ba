"""ClickHouse: the table of record of usage events, read in one streamed pass through clickhouse-connect."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import clickhouse_connect
import pyarrow as pa
from clickhouse_connect.driver.exceptions import ClickHouseError
from urllib3.exceptions import HTTPError

from adapters.reading import MARK, SourceChangedWhileRead, Tally, hours_of, refuse_difference
from adapters.usage_tables import TableMapping
from models.columns import REPORTED
from models.period import Period

CLICKHOUSE = TableMapping(dimensions_in="dimensions")
"""What the columns are called where nothing else is declared."""

_MARKED = "cityHash64(id, meter, quantity)"
"""The server's hash of a row (docs/decisions/0016)."""

SETTINGS = {
    "output_format_json_escape_forward_slashes": 0,
    "output_format_arrow_low_cardinality_as_dictionary": 0,
}


class ClickHouseUsage:
    """The `UsageSource` port on a ClickHouse table of events."""

    grain = "event"
    timezone = "UTC"

    def __init__(self, dsn: str, mapping: TableMapping = CLICKHOUSE, name: str = "clickhouse") -> None:
        self.name = name
        self._dsn = dsn
        self._mapping = mapping

    def watermark(self) -> datetime:
        """Return when the table last received an event: it is complete up to then; the epoch for an empty one."""
        with self._client() as client:
            at = _instant(self._mapping.received_at, self._mapping, self._wall_clocks(client))
            query = f"SELECT max({at}) FROM {_table(self._mapping)}"
            rows = client.query(query, tz_mode="aware").result_rows
        latest: datetime = rows[0][0]
        return latest.replace(tzinfo=UTC) if latest.tzinfo is None else latest.astimezone(UTC)

    def read(self, window: Period) -> Iterator[pa.RecordBatch]:
        """Yield the events of a window, streamed.

        Results are lazy: an error of the server in mid-stream shows only while reading, and a stream that merely
        ends looks whole. So the server tallies its rows by hour before and after, and both must be what arrived:
        as many rows, their quantity, and the sum of a hash of each row, which the server sends along with it.

        Raises:
            SourceChangedWhileRead: rows were lost on the way, the stream died, or the table was written meanwhile.
            ColumnMissing: the mapping names a column the table does not have.
        """
        bounds = {"low": window.starts_at, "high": window.ends_at}
        arrived = Tally()
        with self._client() as client:
            events = f"SELECT *, {_MARKED} AS {MARK} FROM ({_events(self._mapping, self._wall_clocks(client))})"
            said = self._tally(client, events, bounds)
            try:
                with client.query_arrow_stream(
                    events, parameters=bounds, settings=SETTINGS, use_strings=True
                ) as stream:
                    for batch in stream:
                        columns = _as_columns(batch)
                        arrived.add(columns, batch.column(MARK))
                        yield columns
            except (ClickHouseError, HTTPError, pa.ArrowInvalid, OSError) as error:
                raise SourceChangedWhileRead(f"the stream died: {error}", source=self.name) from error
            arrived.compare(said, self.name)
            after = self._tally(client, events, bounds)
        refuse_difference(said, after, self.name, "the table answers otherwise after the pass than before it")

    def _tally(self, client: Any, events: str, bounds: dict[str, datetime]) -> Any:
        query = (
            f"SELECT toStartOfHour(starts_at) AS hour, count(), sum(quantity), sumWithOverflow({MARK})"
            f" FROM ({events}) GROUP BY hour"
        )
        return hours_of(client.query(query, parameters=bounds, settings=SETTINGS, tz_mode="aware").result_rows)

    def _wall_clocks(self, client: Any) -> frozenset[str]:
        """Return the columns that are instants without a zone; refuse a mapping of columns the table does not have.

        The table's own columns are the allow-list that names are taken from.
        """
        query = (
            "SELECT name, type FROM system.columns WHERE table = {table:String}"
            " AND database = if({database:String} = '', currentDatabase(), {database:String})"
        )
        known = {"table": self._mapping.table, "database": self._mapping.database or ""}
        there = dict(client.query(query, parameters=known).result_rows)
        self._mapping.check(there)
        return frozenset(name for name, kind in there.items() if kind.startswith("DateTime") and "'" not in kind)

    def _client(self) -> Any:
        return clickhouse_connect.get_client(dsn=self._dsn, autogenerate_session_id=False)


def _events(mapping: TableMapping, wall: frozenset[str]) -> str:
    """Return the statement that answers a window's events as usage columns, repeated rows left as declared."""
    at = _instant(mapping.timestamp, mapping, wall)
    inside = f"{at} >= {{low:DateTime64(6,'UTC')}} AND {at} < {{high:DateTime64(6,'UTC')}}"
    table = _table(mapping)
    identity = ", ".join(_quoted(name) for name in (mapping.id, mapping.meter) if name)
    match mapping.duplicates:
        case "keep":
            rows = f"{table} WHERE {inside}"
        case "final":
            rows = f"{table} FINAL WHERE {inside}"
        case "revision":  # of every id that has any row inside, the newest row, which may be outside
            touched = f"SELECT {identity} FROM {table} WHERE {inside}"
            newest = (
                f"SELECT * FROM {table} WHERE ({identity}) IN ({touched})"
                f" ORDER BY {_quoted(str(mapping.revision))} DESC LIMIT 1 BY {identity}"
            )
            rows = f"({newest}) WHERE {inside}"
    meter = f"toString({_quoted(mapping.meter)})" if mapping.meter else _text(str(mapping.meter_name))
    return (
        f"SELECT toString({_quoted(mapping.id)}) AS id, toString({_quoted(mapping.account)}) AS account,"
        f" {meter} AS meter, CAST({_quoted(mapping.quantity)} AS Decimal(38, 12)) AS quantity,"
        f" {at} AS starts_at, {_instant(mapping.received_at, mapping, wall)} AS received_at,"
        f" {_dimensions(mapping)} AS dims{_cost(mapping)} FROM {rows}"
    )


def _dimensions(mapping: TableMapping) -> str:
    if mapping.dimensions_in:
        return f"toJSONString(mapSort({_quoted(mapping.dimensions_in)}))"
    if not mapping.dimensions:
        return "'{}'"
    pairs = []
    for name, column in sorted(mapping.dimensions.items()):  # no map: one is built anew for every row, texts are not
        value = f"ifNull(toString({_quoted(column)}), '')"
        pairs.append(f"if({value} = '', '', concat(toJSONString({_text(name)}), ':', toJSONString({value})))")
    return f"concat('{{', arrayStringConcat(arrayFilter(pair -> pair != '', [{', '.join(pairs)}]), ','), '}}')"


def _cost(mapping: TableMapping) -> str:
    if mapping.cost is None:
        return ""
    currency = f"toString({_quoted(mapping.cost_currency)})" if mapping.cost_currency else _text(str(mapping.currency))
    return f", CAST({_quoted(mapping.cost)} AS Nullable(Decimal(38, 12))) AS cost, {currency} AS cost_currency"


def _instant(column: str, mapping: TableMapping, wall: frozenset[str]) -> str:
    """Return a column's instant in UTC; one without a zone of its own is a wall clock in the declared one."""
    if column in wall and mapping.timezone != "UTC":
        return f"toTimeZone(toDateTime64(toString({_quoted(column)}), 6, {_text(mapping.timezone)}), 'UTC')"
    return f"toDateTime64({_quoted(column)}, 6, 'UTC')"


def _table(mapping: TableMapping) -> str:
    return ".".join(_quoted(name) for name in (mapping.database, mapping.table) if name)


def _quoted(name: str) -> str:
    return f"`{name}`"  # a Name has no backtick


def _text(value: str) -> str:
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _as_columns(batch: Any) -> pa.RecordBatch:
    rows = batch.num_rows
    columns = {name: batch.column(name) for name in batch.schema.names}
    columns["place"] = pa.array(["clickhouse"] * rows, pa.string())
    arrays = []
    for field in REPORTED:
        array = columns.get(field.name, pa.nulls(rows, field.type))
        if isinstance(array, pa.ChunkedArray):
            array = array.combine_chunks()
        arrays.append(array.cast(field.type))
    return pa.RecordBatch.from_arrays(arrays, schema=REPORTED)
