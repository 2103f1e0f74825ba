"""Snapshots: usage of one source, sealed at a cut-off."""

from pydantic import Field

from models.period import Month, Period
from models.usage import Identifier
from models.value import Exact, Instant, Value


class Artifact(Value):
    """Bytes kept in the object store: where, the fingerprint of their canonical content, their checksum and size."""

    uri: str
    content_fingerprint: str
    sha256: str
    rows: int = Field(ge=0)
    bytes: int = Field(ge=0)


class Total(Value):
    """How many events of one meter a source has, and their quantity in its own unit."""

    events: int = Field(ge=0)
    quantity: Exact


class SourceCounts(Value):
    """What a pass over a source read and left out; read = kept + duplicates + outside + late copies."""

    read: int = Field(ge=0)
    kept: int = Field(ge=0)
    duplicates: int = Field(ge=0)
    conflicting: int = Field(default=0, ge=0)
    outside_period: int = Field(default=0, ge=0)
    seen_before: int = Field(default=0, ge=0)


class Snapshot(Value):
    """One source's usage of one period for all customers, immutable, content-addressed."""

    source: Identifier
    period: Month
    window: Period
    grain: str
    match: str = "id"  # what names an event: its id, or the dimension that other sources share
    watermark: Instant
    sealed_at: Instant
    counts: SourceCounts
    rows: Artifact  # events (or cells), in customer order
    buckets: Artifact  # the rows summed by bucket, in customer order, each with a digest of its events
    duplicates: Artifact  # rows that were removed because their id was there already, here or in an earlier month
    customers: tuple[str, ...]  # whom there are rows of, accounts that nobody knows among them
