"""PostHog: batch exports in S3, Parquet and JSON lines, read as the export's documentation describes them.

https://posthog.com/docs/cdp/batch-exports/s3 : files are named by their interval, which is one of *ingestion*
time, so late events stand in later files; duplicates are possible and told apart by uuid (sealing does);
`properties` is JSON text in Parquet and an object in JSON lines; an interval without events writes no file.
"""

import re
import tempfile
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from adapters.files import read_value
from models.columns import COLUMNS, QUANTITY
from models.period import Period
from models.refusal import Refusal
from models.value import Value

NAME = re.compile(
    r"/(?P<start>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00)-(?P<end>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00)"
    r"(?:-\d+)?\.(?P<kind>parquet|jsonl)(?P<packed>\.zst|\.gz)?$"
)
BATCH_ROWS = 100_000


class ExportUnreadable(Refusal):
    """A part of the export is truncated or malformed."""

    remedy = "Have PostHog run the interval again; nothing of the source was sealed."


class Metered(Value):
    """How an event becomes usage: its name, the property that holds the quantity, and the dimensions."""

    event: str
    meter: str
    quantity: str  # a property; null means: not metered by this event
    dimensions: dict[str, str] = {}  # dimension -> property


class PostHogMapping(Value):
    """Which events carry usage, and which property names the customer."""

    account: str = "organization"
    metered: tuple[Metered, ...]


class PostHogExport:
    """The `UsageSource` port on a batch export."""

    grain = "event"
    timezone = "UTC"

    def __init__(self, s3: Any, bucket: str, prefix: str, mapping: PostHogMapping, name: str = "posthog") -> None:
        self.name = name
        self._s3 = s3
        self._bucket = bucket
        self._prefix = prefix
        self._mapping = mapping

    def watermark(self) -> datetime:
        """Return the end of the newest interval that was exported; the epoch where there is none."""
        return max((end for _, _, end in self._parts()), default=datetime.fromtimestamp(0, UTC))

    def read(self, window: Period) -> Iterator[pa.RecordBatch]:
        """Yield the usage of every part that can hold events of a window: all intervals that end after its start.

        Raises:
            ExportUnreadable: a part is truncated or is not what its name says.
        """
        for key, _, end in self._parts():
            if end <= window.starts_at:
                continue
            with tempfile.TemporaryDirectory(prefix="tieout-export-") as folder:
                path = Path(folder) / Path(key).name.replace(":", "")
                self._s3.download_file(self._bucket, key, str(path))
                try:
                    yield from self._usage(path, key)
                except duckdb.Error as error:
                    raise ExportUnreadable(f"a part cannot be read: {error}", file=key) from error

    def _parts(self) -> list[tuple[str, datetime, datetime]]:
        """Return key, interval start and end of every part, in order of time."""
        parts = []
        pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=self._prefix)
        for page in pages:
            for item in page.get("Contents", []):
                name = NAME.search(item["Key"])
                if name:
                    parts.append(
                        (item["Key"], datetime.fromisoformat(name["start"]), datetime.fromisoformat(name["end"]))
                    )
        return sorted(parts, key=lambda part: (part[1], part[0]))

    def _usage(self, path: Path, key: str) -> Iterator[pa.RecordBatch]:
        with duckdb.connect(config={"threads": 1}) as db:
            db.execute("SET TimeZone = 'UTC'")
            db.execute(f"CREATE VIEW events AS {_reader(path)}", [])
            for metered in self._mapping.metered:
                relation = db.sql(_select(self._mapping.account, metered, key))
                for batch in relation.to_arrow_reader(BATCH_ROWS):
                    yield _as_columns(batch)


def _reader(path: Path) -> str:
    file = str(path).replace("'", "''")
    if ".parquet" in path.suffixes:
        return (
            "SELECT uuid::VARCHAR AS uuid, event, properties::VARCHAR AS properties, timestamp, _inserted_at"
            f" FROM read_parquet('{file}')"
        )
    columns = (
        "columns = {uuid: 'VARCHAR', event: 'VARCHAR', properties: 'JSON', timestamp: 'TIMESTAMPTZ',"
        " _inserted_at: 'TIMESTAMPTZ'}"
    )
    return (
        "SELECT uuid, event, properties::VARCHAR AS properties, timestamp, _inserted_at"
        f" FROM read_json('{file}', format = 'newline_delimited', {columns})"
    )


def _select(account: str, metered: Metered, key: str) -> str:
    """Return the SQL that turns one kind of event into usage columns.

    Quantities are taken as the text that stands in the JSON, so that no digit passes through a float.
    """
    text = f"json_extract_string(properties, {_path(metered.quantity)})"
    dims = ", ".join(
        f"{_text(name)}, json_extract_string(properties, {_path(source)})"
        for name, source in sorted(metered.dimensions.items())
    )
    # Merging drops the dimensions an event does not have.
    columns = f"json_merge_patch('{{}}', json_object({dims}))::VARCHAR" if dims else _text("{}")
    return (
        f"SELECT uuid AS id, json_extract_string(properties, {_path(account)}) AS account,"
        f" {_text(metered.meter)} AS meter, TRY_CAST({text} AS DECIMAL(38, 12)) AS quantity,"
        " timestamp::TIMESTAMPTZ AS starts_at, NULL::TIMESTAMPTZ AS ends_at, _inserted_at::TIMESTAMPTZ AS received_at,"
        f" {columns} AS dims, {_text(key)} AS place"
        f" FROM events WHERE event = {_text(metered.event)} AND {text} IS NOT NULL"
    )


def _path(name: str) -> str:
    return _text('$."' + name.replace('"', "") + '"')


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def _as_columns(batch: pa.RecordBatch) -> pa.RecordBatch:
    columns: Mapping[str, pa.Array] = {name: batch.column(name) for name in batch.schema.names}
    return pa.RecordBatch.from_arrays(
        [columns[field.name].cast(QUANTITY if field.name == "quantity" else field.type) for field in COLUMNS],
        schema=COLUMNS,
    )


def read_mapping(path: Path) -> PostHogMapping:
    """Return the mapping of a YAML file; raises MalformedFile naming file, line and key."""
    return read_value(path, PostHogMapping)
