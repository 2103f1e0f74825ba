"""Slices: a customer's part of sealed snapshots, read the same way by the close and by who re-performs it."""

from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import datetime
from functools import lru_cache
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from billing import sealing
from billing.reconciliation.cells import Slice
from models.columns import BUCKETS, SEALED
from models.period import hour_of
from models.snapshot import Artifact, Snapshot
from models.usage_policy import SourcePolicy, UsagePolicy

ANYBODY = ("", chr(0x10FFFF))

EVENTS = pa.schema(
    [SEALED.field(name) for name in ("customer", "id", "meter", "quantity", "starts_at", "received_at", "dims")]
)
"""What two sources' events are compared by."""


def slices_of(
    customer: str,
    snapshots: Sequence[Snapshot],
    policy: UsagePolicy,
    known: Callable[[], Collection[str]],
    path: Callable[[Artifact], Path],
    cuts: Sequence[datetime] = (),
) -> list[Slice]:
    """Return the customer's buckets of each source and its removed duplicates; its events are read when asked for.

    `known` gives everybody a contract knows: it is asked only where usage is missing, for strangers may have it.
    `path` gives a local file with an artifact's bytes, checked against its checksum. `cuts` are the instants at which
    the customer's terms change: where the seal did not know one, the buckets are summed again from the events.
    """
    return [_slice(customer, snapshot, policy, known, path, cuts) for snapshot in snapshots]


def slice_of(
    customer: str,
    source: str,
    sealed: sealing.Sealed,
    declared: SourcePolicy,
    known: Collection[str],
    cuts: Sequence[datetime] = (),
) -> Slice:
    """Return a customer's part of a source that was sealed into a folder, and kept nowhere yet."""

    def rows(columns: pa.Schema = EVENTS) -> pa.Table:
        return part_of(sealed.rows, [customer], columns)

    strangers = sorted(set(sealed.customers) - set(known))
    buckets = part_of(sealed.buckets, [customer], BUCKETS)
    if straddled(buckets, cuts):
        buckets = sealing.buckets_of(rows(SEALED), declared.match, {customer: cuts})
    return Slice(
        source=source,
        policy=declared,
        buckets=buckets,
        duplicates=part_of(sealed.duplicates, [customer], SEALED),
        rows=rows,
        strangers=lambda: part_of(sealed.rows, strangers, SEALED),
    )


def _slice(
    customer: str,
    snapshot: Snapshot,
    policy: UsagePolicy,
    known: Callable[[], Collection[str]],
    path: Callable[[Artifact], Path],
    cuts: Sequence[datetime],
) -> Slice:
    declared = policy.sources[snapshot.source]

    def rows(columns: pa.Schema = EVENTS) -> pa.Table:
        return part_of(path(snapshot.rows), [customer], columns)

    buckets = part_of(path(snapshot.buckets), [customer], BUCKETS)
    if straddled(buckets, cuts):
        buckets = sealing.buckets_of(rows(SEALED), declared.match, {customer: cuts})
    return Slice(
        source=snapshot.source,
        policy=declared,
        buckets=buckets,
        duplicates=part_of(path(snapshot.duplicates), [customer], SEALED),
        rows=rows,
        strangers=lambda: part_of(path(snapshot.rows), sorted(set(snapshot.customers) - set(known())), SEALED),
    )


def straddled(buckets: pa.Table, cuts: Iterable[datetime]) -> bool:
    """Return whether a bucket of events lies on both sides of a cut (cells of a day are as they are)."""
    for at in cuts:
        if at != hour_of(at):
            moment = pa.scalar(at, buckets.schema.field("starts_at").type)
            around = pc.and_(pc.less(buckets["starts_at"], moment), pc.greater(buckets["ends_at"], moment))
            if pc.any(around).as_py():
                return True
    return False


def part_of(path: Path, customers: Sequence[str], schema: pa.Schema) -> pa.Table:
    """Return some customers' rows of a file in customer order: of its groups and columns only what holds them is read.

    `schema` is of the columns that are wanted, the customer among them.
    """
    held = _groups(path)
    groups = [
        number for number, (first, last) in enumerate(held) if any(first <= customer <= last for customer in customers)
    ]
    if not groups:
        return schema.empty_table()
    with pq.ParquetFile(path, metadata=_metadata(path), read_dictionary=["customer", "meter", "dims"]) as file:
        table = file.read_row_groups(groups, columns=schema.names, use_threads=False)
    if any(held[number] != (customer, customer) for number in groups for customer in customers):
        table = table.filter(pc.is_in(table["customer"].cast(pa.string()), pa.array(customers, pa.string())))
    return table.select(schema.names).cast(schema)


@lru_cache(maxsize=64)
def _metadata(path: Path) -> pq.FileMetaData:
    return pq.read_metadata(path)


@lru_cache(maxsize=64)
def _groups(path: Path) -> tuple[tuple[str, str], ...]:
    """Return the first and last customer of each row group; files are named by their checksum and never change.

    A writer leaves out the bounds of very long names: such a group may hold anybody.
    """
    metadata = _metadata(path)
    if metadata.num_rows == 0:
        return ()
    column = metadata.schema.to_arrow_schema().get_field_index("customer")
    statistics = [metadata.row_group(group).column(column).statistics for group in range(metadata.num_row_groups)]
    return tuple((one.min, one.max) if one is not None and one.has_min_max else ANYBODY for one in statistics)
