"""Slices: a customer's part of sealed snapshots, read the same way by the close and by who re-performs it."""

from collections.abc import Callable, Collection, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from billing.reconciliation.cells import Slice
from models.columns import SEALED
from models.snapshot import Artifact, Snapshot
from models.usage_policy import UsagePolicy

NOBODY = "\0"


def slices_of(
    customer: str,
    snapshots: Sequence[Snapshot],
    policy: UsagePolicy,
    known: Collection[str],
    path: Callable[[Artifact], Path],
) -> list[Slice]:
    """Return the customer's rows, its removed duplicates, and what stands under accounts that nobody knows.

    `path` gives a local file with an artifact's bytes, checked against its checksum.
    """
    return [
        Slice(
            source=snapshot.source,
            policy=policy.sources[snapshot.source],
            rows=_rows(path(snapshot.rows), [customer]),
            duplicates=_rows(path(snapshot.duplicates), [customer]) if snapshot.duplicates else SEALED.empty_table(),
            strangers=_rows(path(snapshot.rows), sorted(customers_in(path(snapshot.rows)) - set(known))),
        )
        for snapshot in snapshots
    ]


def customers_in(path: Path) -> set[str]:
    """Return the customers a sealed snapshot has rows of."""
    return set(pc.unique(pq.read_table(path, columns=["customer"])["customer"]).to_pylist())


def _rows(path: Path, customers: Sequence[str]) -> pa.Table:
    return pq.read_table(path, filters=[("customer", "in", list(customers) or [NOBODY])])
