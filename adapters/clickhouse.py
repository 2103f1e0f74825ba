"""ClickHouse: the table of record of usage events, read in one streamed pass through clickhouse-connect."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import clickhouse_connect
import pyarrow as pa

from models.columns import COLUMNS
from models.period import Period
from models.refusal import Refusal
from models.usage import Identifier
from models.value import Value


class SourceChangedWhileRead(Refusal):
    """The number of rows streamed is not the number counted: the pass is not the table."""

    remedy = "The pass is made again; if it keeps differing, the table is being written in the period."


class ClickHouseMapping(Value):
    """Which table and columns hold the events; quantities are Decimal in the table."""

    table: Identifier = "usage_events"
    id: Identifier = "id"
    account: Identifier = "account"
    meter: Identifier = "meter"
    quantity: Identifier = "quantity"
    timestamp: Identifier = "timestamp"
    received_at: Identifier = "received_at"
    dimensions: Identifier = "dimensions"  # Map(String, String)


class ClickHouseUsage:
    """The `UsageSource` port on a ClickHouse table of events."""

    grain = "event"
    timezone = "UTC"

    def __init__(self, dsn: str, mapping: ClickHouseMapping | None = None, name: str = "clickhouse") -> None:
        self.name = name
        self._dsn = dsn
        self._mapping = mapping or ClickHouseMapping()

    def watermark(self) -> datetime:
        """Return when the table last received an event: it is complete up to then; the epoch for an empty one."""
        mapping = self._mapping
        with self._client() as client:
            rows = client.query(f"SELECT max({mapping.received_at}) FROM {mapping.table}", tz_mode="aware").result_rows
        latest: datetime = rows[0][0]
        return latest.replace(tzinfo=UTC) if latest.tzinfo is None else latest.astimezone(UTC)

    def read(self, window: Period) -> Iterator[pa.RecordBatch]:
        """Yield the events of a window, streamed; raises SourceChangedWhileRead when rows were lost on the way.

        Results are lazy: an error of the server in mid-stream shows only while reading, so the rows are
        counted by the server first and compared at the end.
        """
        mapping = self._mapping
        bounds = {"low": window.starts_at, "high": window.ends_at}
        at = mapping.timestamp
        where = f"WHERE {at} >= {{low:DateTime64(6,'UTC')}} AND {at} < {{high:DateTime64(6,'UTC')}}"
        with self._client() as client:
            counted = client.query(f"SELECT count() FROM {mapping.table} {where}", parameters=bounds).result_rows[0][0]
            streamed = 0
            with client.query_arrow_stream(self._query(where), parameters=bounds, use_strings=True) as stream:
                for batch in stream:
                    streamed += batch.num_rows
                    yield _as_columns(batch)
        if streamed != counted:
            raise SourceChangedWhileRead("rows streamed and rows counted differ", streamed=streamed, counted=counted)

    def _query(self, where: str) -> str:
        mapping = self._mapping
        return (
            f"SELECT toString({mapping.id}) AS id, toString({mapping.account}) AS account,"
            f" toString({mapping.meter}) AS meter, CAST({mapping.quantity} AS Decimal(38, 12)) AS quantity,"
            f" toDateTime64({mapping.timestamp}, 6, 'UTC') AS starts_at,"
            f" toDateTime64({mapping.received_at}, 6, 'UTC') AS received_at,"
            f" toJSONString(mapSort({mapping.dimensions})) AS dims"
            f" FROM {mapping.table} {where}"
            " SETTINGS output_format_json_escape_forward_slashes = 0,"
            " output_format_arrow_low_cardinality_as_dictionary = 0"
        )

    def _client(self) -> Any:
        return clickhouse_connect.get_client(dsn=self._dsn, autogenerate_session_id=False)


def _as_columns(batch: Any) -> pa.RecordBatch:
    rows = batch.num_rows
    columns = {name: batch.column(name) for name in batch.schema.names}
    columns["ends_at"] = pa.nulls(rows, COLUMNS.field("ends_at").type)
    columns["place"] = pa.array(["clickhouse"] * rows, pa.string())
    arrays = []
    for field in COLUMNS:
        array = columns[field.name]
        if isinstance(array, pa.ChunkedArray):
            array = array.combine_chunks()
        arrays.append(array.cast(field.type))
    return pa.RecordBatch.from_arrays(arrays, schema=COLUMNS)
