"""PostHog: batch exports in S3, Parquet and JSON lines, read as the export's documentation describes them.

https://posthog.com/docs/cdp/batch-exports/s3 : files are named by their interval, which is one of *ingestion*
time, so late events stand in later files; duplicates are possible and told apart by uuid (sealing does);
`properties` is JSON text in Parquet and an object in JSON lines; an interval without events writes no file;
where a maximum file size is set, an interval has several parts and, when all of them are there, a manifest.
"""

import json
import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple, Protocol, Self

import duckdb
import pyarrow as pa
from pydantic import Field, model_validator

from adapters.files import read_value
from adapters.source_files import CHUNK, SourceFile, SourceFiles, unchanged
from models.columns import QUANTITY, REPORTED
from models.money import Currency
from models.period import Period
from models.refusal import Refusal
from models.snapshot import Total
from models.value import Value

INTERVAL = r"(?P<start>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00)-(?P<end>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00)"
PART = re.compile(rf"/{INTERVAL}(?:-\d+)?\.(?:parquet|jsonl)(?:\.(?:zst|gz))?$")
MANIFEST = re.compile(rf"/{INTERVAL}_manifest\.json$")
PACKINGS = {".zst": "zstd", ".gz": "gzip"}
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
    cost: str | None = None  # a property, such as $ai_total_cost_usd; of an event that meters several, name it once
    currency: Currency | None = None  # of the cost

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if (self.cost is None) != (self.currency is None):
            raise ValueError("a cost needs its currency, and a currency its cost")
        if len({name.casefold() for name in self.properties}) < len(self.properties):
            raise ValueError("two properties differ in nothing but capitals, and cannot be told apart")
        return self

    @property
    def properties(self) -> frozenset[str]:
        """The properties that are read of an event, beside the one that names the customer."""
        return frozenset((self.quantity, *self.dimensions.values(), *([self.cost] if self.cost else ())))


class PostHogMapping(Value):
    """Which events carry usage, and which property names the customer."""

    account: str = "organization"
    metered: tuple[Metered, ...] = Field(min_length=1)
    manifest: bool = False  # a maximum file size is set: an interval is there when its manifest is

    @model_validator(mode="after")
    def _account_told_apart(self) -> Self:
        """Refuse a property that a struct of DuckDB's, blind to capitals, can't tell from the customer's."""
        for one in self.metered:
            if any(name != self.account and name.casefold() == self.account.casefold() for name in one.properties):
                raise ValueError(f"{self.account} and a property of {one.event} differ in nothing but capitals")
        return self


class Interval(NamedTuple):
    """One run of the export."""

    start: datetime
    end: datetime
    parts: tuple[SourceFile, ...]


class CrossCheck(Protocol):
    """A second way to the same totals."""

    def totals(self, window: Period, ingested_before: datetime) -> Mapping[str, Total]:
        """Return, by meter, the events of a window that had been ingested by an instant."""
        ...


class PostHogExport:
    """The `UsageSource` port on a batch export."""

    grain = "event"
    timezone = "UTC"

    def __init__(
        self, files: SourceFiles, mapping: PostHogMapping, check: CrossCheck | None = None, name: str = "posthog"
    ) -> None:
        self.name = name
        self._files = files
        self._mapping = mapping
        self._check = check

    def watermark(self) -> datetime:
        """Return the end of the newest interval that was exported whole; the epoch where there is none."""
        return max((run.end for run in self._runs(self._files.listed())), default=datetime.fromtimestamp(0, UTC))

    def read(self, window: Period) -> Iterator[pa.RecordBatch]:
        """Yield the usage of every part that can hold events of a window: all intervals that end after its start.

        Raises:
            ExportUnreadable: a part is truncated, is not what its name says, or is missing from its manifest's list.
            SourceChangedWhileRead: a part came, went or changed during the pass, or did not arrive whole.
        """
        with unchanged(self._files) as listed:
            for run in self._runs(listed):
                if run.end <= window.starts_at:
                    continue
                for part in run.parts:
                    with tempfile.TemporaryDirectory(prefix="tieout-export-") as folder:
                        path = Path(folder) / Path(part.key).name.replace(":", "")
                        self._files.fetch(part, path)
                        try:
                            yield from self._usage(_unpacked(path), part.key)
                        except (duckdb.Error, OSError) as error:
                            raise ExportUnreadable(f"a part cannot be read: {error}", file=part.key) from error

    def totals(self, window: Period) -> Mapping[str, Total] | None:
        """Return what PostHog itself counts of a window, by meter, of what the export can have; None: no check."""
        return self._check.totals(window, self.watermark()) if self._check else None

    def _runs(self, listed: Sequence[SourceFile]) -> list[Interval]:
        """Return the intervals that are there, in order of time."""
        parts: dict[tuple[datetime, datetime], list[SourceFile]] = {}
        manifests: dict[tuple[datetime, datetime], SourceFile] = {}
        for file in listed:
            if name := PART.search(file.key):
                parts.setdefault(_interval(name), []).append(file)
            elif name := MANIFEST.search(file.key):
                manifests[_interval(name)] = file
        self._refuse_missing(manifests, {file.key for file in listed})
        there = {span: files for span, files in parts.items() if span in manifests or not self._mapping.manifest}
        return [Interval(*span, tuple(files)) for span, files in sorted(there.items())]

    def _refuse_missing(self, manifests: Mapping[tuple[datetime, datetime], SourceFile], there: set[str]) -> None:
        """Refuse an interval whose manifest names a part that is not there."""
        for manifest in manifests.values():
            with tempfile.TemporaryDirectory(prefix="tieout-manifest-") as folder:
                path = Path(folder) / "manifest.json"
                self._files.fetch(manifest, path)
                try:
                    named = json.loads(path.read_bytes())["files"]
                except (ValueError, KeyError, TypeError) as error:
                    raise ExportUnreadable("a manifest does not list its files", file=manifest.key) from error
            for key in named:
                if key not in there:
                    raise ExportUnreadable("a part that the manifest names is not there", file=key, by=manifest.key)

    def _usage(self, path: Path, key: str) -> Iterator[pa.RecordBatch]:
        with duckdb.connect(config={"threads": 1}) as db:
            db.execute("SET TimeZone = 'UTC'")
            db.execute(f"CREATE VIEW events AS {_reader(path)}", [])
            nested = ".parquet" not in path.suffixes
            for alike in _alike(self._mapping.metered):
                relation = db.sql(_select(self._mapping.account, alike, key, nested))
                for batch in relation.to_arrow_reader(BATCH_ROWS):
                    yield _as_columns(batch)


def _interval(name: re.Match[str]) -> tuple[datetime, datetime]:
    return datetime.fromisoformat(name["start"]), datetime.fromisoformat(name["end"])


def _unpacked(path: Path) -> Path:
    """Return a part with its packing taken off; OSError where it is cut off, which DuckDB would pass over for zstd."""
    packing = PACKINGS.get(path.suffix)
    if packing is None or ".parquet" in path.suffixes:  # Parquet packs inside
        return path
    plain = path.with_suffix("")
    with pa.CompressedInputStream(pa.OSFile(str(path)), packing) as packed, plain.open("wb") as out:
        while part := packed.read(CHUNK):
            out.write(part)
    return plain


def _reader(path: Path) -> str:
    """Return the SQL of a part's events with their properties as JSON text: all of a line of JSON is its text."""
    file = str(path).replace("'", "''")
    if ".parquet" in path.suffixes:
        return (
            "SELECT uuid::VARCHAR AS uuid, event, properties::VARCHAR AS body,"
            f" timestamp::TIMESTAMPTZ AS happened, _inserted_at::TIMESTAMPTZ AS inserted FROM read_parquet('{file}')"
        )
    told = dict.fromkeys(("uuid", "event", "timestamp", "_inserted_at"), "VARCHAR")
    return (
        "SELECT o.uuid, o.event, body, o.timestamp::TIMESTAMPTZ AS happened, o._inserted_at::TIMESTAMPTZ AS inserted"
        f" FROM (SELECT from_json(json, {_text(json.dumps(told))}) AS o, json::VARCHAR AS body"
        f" FROM read_json_objects('{file}', format = 'newline_delimited'))"
    )


def _alike(metered: Iterable[Metered]) -> list[dict[str, Metered]]:
    """Return what is metered by event, together where the same properties are read: each group is one pass."""
    groups: list[dict[str, Metered]] = []
    for one in metered:
        read = {"event": one.event, "meter": one.meter}
        for group in groups:
            if one.event not in group and next(iter(group.values())).model_copy(update=read) == one:
                group[one.event] = one
                break
        else:
            groups.append({one.event: one})
    return groups


def _select(account: str, alike: Mapping[str, Metered], key: str, nested: bool) -> str:
    """Return the SQL that turns events of which the same is read into usage columns.

    `nested`: the body is the whole event.

    Numbers are read as decimals out of the JSON text, not by way of its values: those are floats, with 17 digits.
    A body is read once; a second time only for what is a number and a text too, and where `true` may stand as 1.
    """
    metered = next(iter(alike.values()))
    meters = " ".join(f"WHEN {_text(one.event)} THEN {_text(one.meter)}" for one in alike.values())
    events = ", ".join(map(_text, alike))
    numbers = dict.fromkeys((metered.quantity, *([metered.cost] if metered.cost else ())), "DECIMAL(38,12)")
    found = _read(nested, dict.fromkeys((account, *metered.dimensions.values()), "VARCHAR") | numbers)

    def text_of(name: str) -> str:
        return _of(_read(nested, {name: "VARCHAR"}), name) if name in numbers else _of("found", name)

    dims = ", ".join(
        f"{_text(json.dumps(name, ensure_ascii=False) + ':')} || to_json({text_of(source)})"
        for name, source in sorted(metered.dimensions.items())
    )
    columns = f"'{{' || concat_ws(',', {dims}) || '}}'" if dims else _text("{}")  # an absent one is left out
    number, text = _of("found", metered.quantity), text_of(metered.quantity)
    quantity = f"CASE WHEN {number} NOT IN (0, 1) THEN {number} WHEN {text} NOT IN ('true', 'false') THEN {number} END"
    cost, currency = "NULL", "NULL"
    if metered.cost:  # one that is no number is not known
        cost = _of("found", metered.cost)
        currency = f"CASE WHEN {cost} IS NOT NULL THEN {_text(str(metered.currency))} END"
    return (
        f"SELECT uuid AS id, {text_of(account)} AS account, CASE event {meters} END AS meter,"
        f" {quantity} AS quantity, happened AS starts_at, NULL::TIMESTAMPTZ AS ends_at, inserted AS received_at,"
        f" {columns} AS dims, {_text(key)} AS place, {cost} AS cost, {currency} AS cost_currency"
        f" FROM (SELECT *, {found} AS found FROM events WHERE event IN ({events}))"
        f" WHERE CASE WHEN {number} IS NULL THEN {text} IS NOT NULL ELSE true END"
    )


def _read(nested: bool, kinds: Mapping[str, str]) -> str:
    """Return the SQL that reads properties of a body, each as a kind, in one pass over its text; null: it is none."""
    wanted = {"properties": dict(kinds)} if nested else dict(kinds)
    read = f"from_json(body, {_text(json.dumps(wanted, ensure_ascii=False))})"
    return f"{read}.properties" if nested else read


def _of(read: str, name: str) -> str:
    return f"struct_extract({read}, {_text(name)})"


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def _as_columns(batch: pa.RecordBatch) -> pa.RecordBatch:
    columns: Mapping[str, pa.Array] = {name: batch.column(name) for name in batch.schema.names}
    return pa.RecordBatch.from_arrays(
        [columns[field.name].cast(QUANTITY if field.name == "quantity" else field.type) for field in REPORTED],
        schema=REPORTED,
    )


def read_mapping(path: Path) -> PostHogMapping:
    """Return the mapping of a YAML file; raises MalformedFile naming file, line and key."""
    return read_value(path, PostHogMapping)
