"""Sealing: what a source reported, deduplicated, named by our customers, in one order, with one fingerprint.

One pass in DuckDB, beside the bytes: what arrives is spooled to Parquet, ids that occur once are told from the rest by
a hash of them, only the rest is ranked, and what is kept is written in customer order. Memory is bounded by a setting;
past it DuckDB spills into the folder that it was given.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from models.columns import BUCKETS, QUANTITY, REPORTED, SEALED, reported
from models.period import Period, hour_of
from models.refusal import Refusal
from models.snapshot import SourceCounts
from models.usage_policy import SourcePolicy
from models.value import instant_text

SCHEMA_LINE = "tieout/snapshot/v2 customer|meter|dims|quantity|events|digest|digest x hour"
THREADS = 2
ROW_GROUP = 20_480
"""Rows of one group: who reads one customer reads at most so many of others before and after."""

PART_ROWS = 400_000
"""Rows that are summed to buckets at a time."""

BUCKET_GROUP = 8_192
"""Fewest rows of one group of the buckets: a customer with more has a group alone, smaller ones share it."""

NAMES = ("customer", "meter", "dims")
"""What a bucket is of, beside its hour."""

REPEATING = (*NAMES, "account", "place")
"""Names that many rows bear."""

MOST_NUMBERED = 65_536
"""Names of one kind that are numbered for a pass: a number of two bytes is sorted and grouped faster than a text."""

Cuts = Mapping[str, Sequence[datetime]]
"""By customer, the instants at which buckets are cut; those on a whole UTC hour change nothing."""


class UnusableQuantity(Refusal):
    """A source reported a quantity that is missing or not finite."""

    remedy = "Correct the event in the source; nothing of the source was sealed."


@dataclass(frozen=True)
class Sealed:
    """A sealed source as files: kept rows and their buckets in customer order, and what was removed."""

    rows: Path
    buckets: Path
    duplicates: Path
    counts: SourceCounts
    customers: tuple[str, ...]
    fingerprint: str


def spool(batches: Iterable[pa.RecordBatch], path: Path) -> Path:
    """Write what a source reports to a file beside the pass, in little memory, and return the file.

    It is pulled by the caller's own thread, so that who reads a source may tell that it is alive.
    """
    repeating = ["account", "meter", "dims", "place", "cost_currency"]
    with pq.ParquetWriter(path, REPORTED, compression="lz4", use_dictionary=repeating) as writer:
        for batch in batches:
            writer.write_batch(reported(batch))
    return path


def seal(
    spooled: Path,
    window: Period,
    policy: SourcePolicy,
    folder: Path,
    *,
    earlier: Sequence[Path] = (),
    cuts: Cuts | None = None,
    memory_mib: int = 2048,
) -> Sealed:
    """Return spooled rows sealed, as files in a folder; the spool is gone then.

    Identity is (id, meter): one call bears several meters under one id. Equal payloads keep one; different
    payloads keep the first received (then the smallest content, so that it is never "any"). Ids found in
    `earlier` sealed rows were billed before: they are among the duplicates, and nothing of them is kept. Rows
    outside the window are counted, not kept.

    Raises:
        UnusableQuantity: a quantity, id, account or instant is missing.
    """
    with _database(folder, memory_mib) as db:
        db.execute(f"CREATE VIEW raw AS SELECT * FROM read_parquet({_quoted(spooled)})")
        _refuse_unusable(db)
        _name_customers(db, policy)
        _find_repeated(db, earlier)
        db.execute(_SUSPECTS.format(inside=_inside(window)))
        counts = _counts(db, window)
        rows, duplicates = folder / "rows.parquet", folder / "duplicates.parquet"
        numbered = _numbered(db, "named", REPEATING, MOST_NUMBERED)
        kept = f"SELECT * REPLACE ({numbered}) FROM ({_KEPT.format(inside=_inside(window))}) ORDER BY customer"
        texts = ", ".join(f"{name}::VARCHAR AS {name}" for name in REPEATING)
        _write(db, f"SELECT * REPLACE ({texts}) FROM ({kept})", rows)
        removed = "inside AND (before OR rank > 1)"  # of what was billed before, nothing of its id is kept
        _write(db, f"SELECT {_SEALED} FROM suspects WHERE {removed} ORDER BY customer", duplicates)
        spooled.unlink()
        buckets = folder / "buckets.parquet"
        customers, fingerprint = _write_buckets(db, rows, buckets, policy.match, cuts or {})
        return Sealed(
            rows=rows,
            buckets=buckets,
            duplicates=duplicates,
            counts=counts,
            customers=customers,
            fingerprint=fingerprint,
        )


def buckets_of(rows: pa.Table, match: str, cuts: Cuts) -> pa.Table:
    """Return sealed rows summed to buckets that are cut at these instants, in bucket order."""
    with duckdb.connect(config={"threads": 1}) as db:
        db.execute("SET TimeZone = 'UTC'")
        db.register("rows_", rows)
        return _bucketed(db, "rows_", match, cuts)


def fingerprint_of_rows(rows: Path, match: str) -> str:
    """Return the fingerprint of sealed rows: over their schema and content, never over order or file bytes.

    Every customer's, meter's and dimensions' quantity, number and digest of events (their ids and quantities), and
    the digest weighted by the hour, so that an event moved to another hour changes it too.
    """
    with duckdb.connect(config={"threads": THREADS}) as db:
        db.execute("SET TimeZone = 'UTC'")
        db.execute(f"CREATE TABLE buckets AS {_buckets_sql(db, f'read_parquet({_quoted(rows)})', match, {})}")
        return _fingerprint(db, "buckets")


def fingerprint_of_buckets(buckets: Path) -> str:
    """Return the fingerprint of sealed rows from their buckets; however they are cut, it is that of the rows."""
    with duckdb.connect(config={"threads": THREADS}) as db:
        db.execute("SET TimeZone = 'UTC'")
        return _fingerprint(db, f"read_parquet({_quoted(buckets)})")


OF_THE_MEMORY = 7, 10
"""DuckDB's share of a pass's memory; the rest is the interpreter's, Arrow's batches and DuckDB's own overshoot."""


def _database(folder: Path, memory_mib: int) -> duckdb.DuckDBPyConnection:
    db = duckdb.connect(
        ":memory:",
        config={
            "memory_limit": f"{memory_mib * OF_THE_MEMORY[0] // OF_THE_MEMORY[1]}MiB",
            "threads": THREADS,
            "temp_directory": str(folder / "spill"),
        },
    )
    db.execute("SET TimeZone = 'UTC'")
    db.execute("SET preserve_insertion_order = false")
    return db


_SEALED = ", ".join(SEALED.names)

_SUSPECTS = """
CREATE TABLE suspects AS
SELECT named.*,
       row_number() OVER same AS rank,
       dense_rank() OVER (PARTITION BY id, meter ORDER BY account, quantity, starts_at, dims) AS variant,
       {inside} AS inside,
       EXISTS (SELECT 1 FROM seen WHERE seen.id = named.id AND seen.meter = named.meter) AS before
FROM named WHERE mark IN (SELECT mark FROM repeated)
WINDOW same AS (PARTITION BY id, meter ORDER BY received_at NULLS LAST, account, quantity, starts_at, dims, place, cost)
"""

_KEPT = f"""
SELECT {_SEALED} FROM named WHERE {{inside}} AND mark NOT IN (SELECT mark FROM repeated)
UNION ALL SELECT {_SEALED} FROM suspects WHERE rank = 1 AND inside AND NOT before
"""


def _refuse_unusable(db: duckdb.DuckDBPyConnection) -> None:
    bad = db.execute(
        "SELECT count(*), min(place), min(id) FROM raw"
        " WHERE quantity IS NULL OR id IS NULL OR id = '' OR account IS NULL OR starts_at IS NULL OR meter IS NULL"
    ).fetchall()[0]
    if bad[0]:
        raise UnusableQuantity(
            f"{bad[0]} rows lack a finite quantity, an id, an account or an instant",
            first_place=bad[1],
            first_id=bad[2],
        )


def _name_customers(db: duckdb.DuckDBPyConnection, policy: SourcePolicy) -> None:
    """Make the view `named`: our customer for the account, the meter's unit, and a mark of the identity."""
    customer, quantity, joins = "raw.account", "raw.quantity", ""
    if policy.aliases:
        db.register("aliases", pa.table({"alias": list(policy.aliases), "name": list(policy.aliases.values())}))
        customer, joins = "coalesce(aliases.name, raw.account)", " LEFT JOIN aliases ON aliases.alias = raw.account"
    if policy.units:
        divide = pa.array([unit.divide for unit in policy.units.values()], QUANTITY)
        db.register("units", pa.table({"metered": list(policy.units), "divide": divide}))
        quantity = (
            "CASE WHEN units.divide IS NULL THEN raw.quantity"
            " ELSE CAST(round(raw.quantity / units.divide, 12) AS DECIMAL(38,12)) END"
        )
        joins += " LEFT JOIN units ON units.metered = raw.meter"
    db.execute(
        f"CREATE TEMP VIEW named AS SELECT {customer} AS customer, raw.* REPLACE ({quantity} AS quantity),"
        f" hash(raw.id, raw.meter) AS mark FROM raw{joins}"
    )


def _find_repeated(db: duckdb.DuckDBPyConnection, earlier: Sequence[Path]) -> None:
    """Make the tables `repeated` (marks of ids that occur again, here or in earlier rows) and `seen` (those ids)."""
    db.execute("CREATE TABLE repeated AS SELECT mark FROM named GROUP BY mark HAVING count(*) > 1")
    if not earlier:
        db.execute("CREATE TABLE seen (id VARCHAR, meter VARCHAR)")
        return
    files = ", ".join(_quoted(path) for path in earlier)
    db.execute(
        f"CREATE TABLE seen AS SELECT DISTINCT id, meter FROM read_parquet([{files}])"
        " WHERE hash(id, meter) IN (SELECT mark FROM named)"
    )
    db.execute("INSERT INTO repeated SELECT hash(id, meter) FROM seen")


def _counts(db: duckdb.DuckDBPyConnection, window: Period) -> SourceCounts:
    read, outside = db.execute(f"SELECT count(*), count(*) FILTER (NOT {_inside(window)}) FROM raw").fetchall()[0]
    suspects, first, again, conflicting, outside_again, before = db.execute(
        "SELECT count(*), count(*) FILTER (rank = 1 AND inside AND NOT before),"
        " count(*) FILTER (rank > 1 AND inside AND NOT before), count(*) FILTER (variant > 1 AND rank > 1 AND inside),"
        " count(*) FILTER (NOT inside), count(*) FILTER (inside AND before) FROM suspects"
    ).fetchall()[0]
    return SourceCounts(
        read=read,
        kept=(read - suspects) - (outside - outside_again) + first,
        duplicates=again,
        conflicting=conflicting,
        outside_period=outside,
        seen_before=before,
    )


def _inside(window: Period) -> str:
    low, high = (f"TIMESTAMPTZ '{instant_text(at)}'" for at in (window.starts_at, window.ends_at))
    return f"(starts_at >= {low} AND starts_at < {high})"


def _write(db: duckdb.DuckDBPyConnection, select: str, path: Path) -> None:
    how = f"FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1, ROW_GROUP_SIZE {ROW_GROUP}"
    db.execute(f"COPY ({select}) TO {_quoted(path)} ({how})")


def _write_buckets(
    db: duckdb.DuckDBPyConnection, rows: Path, path: Path, match: str, cuts: Cuts
) -> tuple[tuple[str, ...], str]:
    """Write the buckets of sealed rows, some customers at a time; return the customers and the fingerprint.

    The rows lie in customer order, so a part of them is read alone, and a pass needs no more memory than a part.
    """
    source = f"read_parquet({_quoted(rows)})"
    counts = db.execute(f"SELECT customer, count(*) FROM {source} GROUP BY customer ORDER BY customer").fetchall()
    whole = hashlib.sha256(SCHEMA_LINE.encode())
    names = ["customer", "meter", "dims", "starts_at", "ends_at"]
    with (
        pq.ParquetWriter(path, BUCKETS, compression="zstd", use_dictionary=names) as writer,
        ThreadPoolExecutor(1) as pen,
    ):
        written: Future[None] | None = None
        for first, last in parts_of(counts):
            part = f"(SELECT * FROM {source} WHERE customer BETWEEN {_literal(first)} AND {_literal(last)})"
            table = _bucketed(db, part, match, cuts)
            if written is not None:
                written.result()
            written = pen.submit(_write_groups, writer, table)  # while the next part is summed
            _hash(db, "summed", whole)
        if written is not None:
            written.result()
    return tuple(customer for customer, _ in counts), whole.hexdigest()


def _write_groups(writer: pq.ParquetWriter, table: pa.Table) -> None:
    """Write a part of the buckets, a group ending where a customer ends: who reads one customer reads little else."""
    if table.num_rows == 0:
        return
    ends = np.flatnonzero(np.diff(_codes(table["customer"]))) + 1
    start = 0
    for end in [*ends.tolist(), table.num_rows]:
        if end - start >= BUCKET_GROUP or end == table.num_rows:
            writer.write_table(table.slice(start, end - start), row_group_size=4 * BUCKET_GROUP)
            start = end


def _codes(column: pa.ChunkedArray) -> npt.NDArray[np.int64]:
    return np.asarray(column.combine_chunks().dictionary_encode().indices, dtype=np.int64)


def parts_of(counts: Sequence[tuple[str, int]]) -> Iterator[tuple[str, str]]:
    """Yield the first and last customer of parts of about so many rows each, in order."""
    first, rows = None, 0
    for customer, count in counts:
        first, rows = first or customer, rows + count
        if rows >= PART_ROWS:
            yield first, customer
            first, rows = None, 0
    if first is not None:
        yield first, counts[-1][0]


def _bucketed(db: duckdb.DuckDBPyConnection, rows: str, match: str, cuts: Cuts) -> pa.Table:
    """Return rows summed to buckets, in bucket order, and leave them in the table `summed`."""
    db.execute("DROP TABLE IF EXISTS summed")
    numbered = f"(SELECT * REPLACE ({_numbered(db, rows, NAMES, PART_ROWS)}) FROM {rows})"
    db.execute(f"CREATE TEMP TABLE summed AS {_buckets_sql(db, numbered, match, cuts)}")
    ordered = db.sql("SELECT * FROM summed ORDER BY customer, meter, dims, starts_at")
    return ordered.to_arrow_table().cast(BUCKETS)


def _numbered(db: duckdb.DuckDBPyConnection, rows: str, names: Iterable[str], most: int) -> str:
    """Return the columns that put a number in the place of names, in their order, where rows bear at most so many."""
    numbered = []
    for name in names:
        db.execute(f"DROP TYPE IF EXISTS a_{name}")
        db.execute(f"CREATE OR REPLACE TEMP TABLE borne AS SELECT DISTINCT {name} FROM {rows} LIMIT {most + 1}")
        [[many]] = db.execute("SELECT count(*) FROM borne").fetchall()
        if many <= most:
            db.execute(f"CREATE TYPE a_{name} AS ENUM (SELECT {name} FROM borne ORDER BY {name})")
        numbered.append(f"{name}::a_{name} AS {name}" if many <= most else f"{name} AS {name}")
    return ", ".join(numbered)


def _buckets_sql(db: duckdb.DuckDBPyConnection, rows: str, match: str, cuts: Cuts) -> str:
    """Return the statement that sums rows to buckets, and make the table of hours that are cut off the hour."""
    key = "r.id" if match == "id" else f"coalesce(json_extract_string(r.dims::VARCHAR, '$.\"{match}\"'), r.id)"
    hour = "epoch_us(r.starts_at) // 3600000000 * 3600000000"  # of UTC, so without a calendar
    start, end, join = f"make_timestamptz({hour})", f"make_timestamptz({hour} + 3600000000)", ""
    inside: dict[tuple[str, datetime], list[datetime]] = {}
    for customer, instants in cuts.items():
        for at in sorted(set(instants)):
            if at != hour_of(at):
                inside.setdefault((customer, hour_of(at)), []).append(at)
    if inside:
        moment = pa.timestamp("us", tz="UTC")
        table = pa.table(
            {
                "customer": pa.array([customer for customer, _ in inside], pa.string()),
                "hour": pa.array([hour for _, hour in inside], moment),
                "cuts": pa.array(list(inside.values()), pa.list_(moment)),
            }
        )
        db.register("cut_hours_in", table)
        db.execute("CREATE OR REPLACE TEMP TABLE cut_hours AS SELECT * FROM cut_hours_in")
        join = f" LEFT JOIN cut_hours c ON c.customer = r.customer AND c.hour = {start}"
        start = f"coalesce(list_max(list_filter(c.cuts, lambda x: x <= r.starts_at)), {start})"
        end = f"coalesce(list_min(list_filter(c.cuts, lambda x: x > r.starts_at)), {end})"
    return (
        "SELECT r.customer, r.meter, r.dims,"
        f" CASE WHEN r.ends_at IS NULL THEN {start} ELSE r.starts_at END AS starts_at,"
        f" CASE WHEN r.ends_at IS NULL THEN {end} ELSE r.ends_at END AS ends_at,"
        " sum(r.quantity)::DECIMAL(38,12) AS quantity, count(*)::BIGINT AS events,"
        f" sum(md5_number_lower({key} || '|' || r.quantity::VARCHAR))::DECIMAL(38,0) AS digest"
        f" FROM {rows} r{join} GROUP BY 1, 2, 3, 4, 5"
    )


def _fingerprint(db: duckdb.DuckDBPyConnection, buckets: str) -> str:
    whole = hashlib.sha256(SCHEMA_LINE.encode())
    _hash(db, buckets, whole)
    return whole.hexdigest()


def _hash(db: duckdb.DuckDBPyConnection, buckets: str, whole: "hashlib._Hash") -> None:
    cursor = db.execute(
        "SELECT concat_ws('|', customer, meter, dims, sum(quantity), sum(events), sum(digest),"
        " sum(digest * (epoch_us(starts_at) // 3600000000))) FROM "
        f"{buckets} GROUP BY customer, meter, dims ORDER BY customer, meter, dims"
    )
    while lines := cursor.fetchmany(10_000):
        for (line,) in lines:
            whole.update(f"\n{line}".encode())


def _quoted(path: Path) -> str:
    return _literal(str(path))


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
