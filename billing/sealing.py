"""Sealing: what a source reported, deduplicated, named by our customers, in one order, with one fingerprint.

The rules are columns in and columns out: SQL over Arrow, run by DuckDB in memory (it spills to its own
temporary folder past `memory`), so that a month of millions of events is one pass.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import duckdb
import pyarrow as pa

from models.columns import COLUMNS, QUANTITY, SEALED
from models.period import Period
from models.refusal import Refusal
from models.snapshot import SourceCounts
from models.usage_policy import SourcePolicy

SCHEMA_LINE = "tieout/snapshot/v1 customer|id|account|meter|quantity|starts_at|ends_at|received_at|dims"


class ConflictingEvents(Refusal):
    """One id carries different payloads and the source declares no revision."""

    remedy = "The first received is used and the finding stays until a person answers it."


class NegativeMeter(Refusal):
    """A meter's total over the period is below zero."""

    remedy = "Correct the source or exclude the correction events, with a reason."


class UnusableQuantity(Refusal):
    """A source reported a quantity that is missing or not finite."""

    remedy = "Correct the event in the source; nothing of the source was sealed."


@dataclass(frozen=True)
class Sealed:
    """A sealed source: kept rows in order, removed duplicates, counts and the fingerprint of the content."""

    rows: pa.Table
    duplicates: pa.Table
    counts: SourceCounts
    fingerprint: str


def seal(
    batches: Iterable[pa.RecordBatch],
    window: Period,
    policy: SourcePolicy,
    earlier: Iterable[pa.Table] = (),
    memory: str = "2GB",
) -> Sealed:
    """Return a source's rows sealed.

    Identity is (id, meter): one call bears several meters under one id. Equal payloads keep one; different
    payloads keep the first received (then the smallest content, so that it is never "any"). Ids found in
    `earlier` snapshots were billed before and are left out. Rows outside the window are counted, not kept.

    Raises:
        UnusableQuantity: a quantity, id, account or instant is missing.
    """
    with duckdb.connect(config={"memory_limit": memory, "threads": 2}) as db:
        db.execute("SET TimeZone = 'UTC'")
        db.execute("SET preserve_insertion_order = false")
        db.register("no_rows", COLUMNS.empty_table())
        db.execute("CREATE TABLE raw AS SELECT * FROM no_rows")
        for batch in batches:  # pulled by the caller's own thread: who reads a source may tell that it is alive
            db.register("batch_in", pa.Table.from_batches([batch], schema=COLUMNS))
            db.execute("INSERT INTO raw SELECT * FROM batch_in")
        _refuse_unusable(db)
        _name_customers(db, policy)
        db.execute("CREATE TABLE seen(id VARCHAR, meter VARCHAR)")
        for table in earlier:
            db.register("one_earlier", table.select(["id", "meter"]))
            db.execute("INSERT INTO seen SELECT id, meter FROM one_earlier")
        db.execute(_RANKED, [window.starts_at, window.ends_at])
        counts = _counts(db)
        rows = _rows(db, "rank = 1 AND inside AND NOT before")
        duplicates = _rows(db, "rank > 1 AND inside AND NOT before")
        return Sealed(rows=rows, duplicates=duplicates, counts=counts, fingerprint=fingerprint_of_rows(rows))


_ORDER = "customer, meter, dims, starts_at, id"

_RANKED = """
CREATE TABLE ranked AS
SELECT named.*,
       row_number() OVER same AS rank,
       dense_rank() OVER (PARTITION BY id, meter ORDER BY account, quantity, starts_at, dims) AS variant,
       starts_at >= $1 AND starts_at < $2 AS inside,
       EXISTS (SELECT 1 FROM seen WHERE seen.id = named.id AND seen.meter = named.meter) AS before
FROM named
WINDOW same AS (PARTITION BY id, meter ORDER BY received_at NULLS LAST, account, quantity, starts_at, dims, place)
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
    aliases = pa.table(
        {
            "alias": pa.array(list(policy.aliases), pa.string()),
            "name": pa.array([*policy.aliases.values()], pa.string()),
        }
    )
    units = pa.table(
        {
            "metered": pa.array(list(policy.units), pa.string()),
            "divide": pa.array([unit.divide for unit in policy.units.values()], QUANTITY),
        }
    )
    db.register("aliases", aliases)
    db.register("units", units)
    db.execute(
        "CREATE TABLE named AS SELECT coalesce(aliases.name, raw.account) AS customer, raw.* REPLACE ("
        " CASE WHEN units.divide IS NULL THEN raw.quantity"
        " ELSE CAST(round(CAST(raw.quantity AS DECIMAL(38,12)) / units.divide, 12) AS DECIMAL(38,12)) END AS quantity)"
        " FROM raw LEFT JOIN aliases ON aliases.alias = raw.account LEFT JOIN units ON units.metered = raw.meter"
    )


def _counts(db: duckdb.DuckDBPyConnection) -> SourceCounts:
    row = db.execute(
        "SELECT count(*), count(*) FILTER (rank = 1 AND inside AND NOT before),"
        " count(*) FILTER (rank > 1 AND inside AND NOT before), count(*) FILTER (variant > 1 AND rank > 1 AND inside),"
        " count(*) FILTER (NOT inside), count(*) FILTER (inside AND before) FROM ranked"
    ).fetchall()[0]
    read, kept, duplicates, conflicting, outside, before = row
    return SourceCounts(
        read=read,
        kept=kept,
        duplicates=duplicates,
        conflicting=conflicting,
        outside_period=outside,
        seen_before=before,
    )


def _rows(db: duckdb.DuckDBPyConnection, which: str) -> pa.Table:
    names = ", ".join(SEALED.names)
    table = db.sql(f"SELECT {names} FROM ranked WHERE {which} ORDER BY {_ORDER}").to_arrow_table()
    return table.cast(SEALED)


def fingerprint_of_rows(rows: pa.Table) -> str:
    """Return the fingerprint of sealed rows: over their schema and sorted content, never over file bytes.

    Each customer's sorted rows are hashed on their own and the hashes hashed together, so the memory needed
    is one customer's text, and a changed customer can be named.
    """
    whole = hashlib.sha256(SCHEMA_LINE.encode())
    for customer, content in customer_fingerprints(rows).items():
        whole.update(f"\n{customer} {content}".encode())
    return whole.hexdigest()


def customer_fingerprints(rows: pa.Table) -> Mapping[str, str]:
    """Return each customer's own fingerprint in a sealed table, by customer in order."""
    with duckdb.connect() as db:
        db.execute("SET TimeZone = 'UTC'")
        db.register("rows_", rows)
        found = db.execute(
            "WITH texts AS (SELECT customer, concat_ws('|', customer, id, account, meter, quantity::VARCHAR,"
            " epoch_us(starts_at)::VARCHAR, coalesce(epoch_us(ends_at)::VARCHAR, ''),"
            " coalesce(epoch_us(received_at)::VARCHAR, ''), dims) AS text FROM rows_)"
            " SELECT customer, sha256(string_agg(text, chr(10) ORDER BY text)) FROM texts GROUP BY customer"
            " ORDER BY customer"
        ).fetchall()
    return dict(found)
