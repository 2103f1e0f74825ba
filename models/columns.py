"""Usage events as columns: the one shape in which sources report and snapshots are kept."""

import pyarrow as pa

QUANTITY = pa.decimal128(38, 12)

COLUMNS = pa.schema(
    [
        pa.field("id", pa.string()),  # the source's own event id; for cells its file, sheet and address
        pa.field("account", pa.string()),  # the customer as the source names it
        pa.field("meter", pa.string()),
        pa.field("quantity", QUANTITY),
        pa.field("starts_at", pa.timestamp("us", tz="UTC")),
        pa.field("ends_at", pa.timestamp("us", tz="UTC")),  # end of a cell; null for an event
        pa.field("received_at", pa.timestamp("us", tz="UTC")),  # when the source first had it; may be null
        pa.field("dims", pa.string()),  # dimensions as canonical JSON
        pa.field("place", pa.string()),  # where it was read: part, table, cell
    ]
)
"""What every source yields."""

COST = pa.schema(
    [
        pa.field("cost", QUANTITY),  # what the source says the usage cost us; null where it says nothing
        pa.field("cost_currency", pa.string()),
    ]
)
"""What a source may add: its own cost. It is kept beside the usage and changes no digest, fingerprint or identity."""

REPORTED = pa.schema([*COLUMNS, *COST])
"""What is read, with nulls for a cost that a source does not carry."""

SEALED = pa.schema([pa.field("customer", pa.string()), *REPORTED])
"""What is kept: the same, with our customer id."""


def reported(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Return a batch as REPORTED; KeyError where one of the columns that every source yields is missing."""
    arrays = [
        batch.column(field.name).cast(field.type)
        if field.name in batch.schema.names or field.name not in COST.names
        else pa.nulls(batch.num_rows, field.type)
        for field in REPORTED
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=REPORTED)


DIGEST = pa.decimal128(38, 0)

BUCKETS = pa.schema(
    [
        pa.field("customer", pa.string()),
        pa.field("meter", pa.string()),
        pa.field("dims", pa.string()),
        pa.field("starts_at", pa.timestamp("us", tz="UTC")),
        pa.field("ends_at", pa.timestamp("us", tz="UTC")),
        pa.field("quantity", QUANTITY),
        pa.field("events", pa.int64()),
        pa.field("digest", DIGEST),  # sum over the events of a hash of (match key, quantity): order changes nothing
    ]
)
"""Sealed rows summed by what a bucket is: a UTC hour, cut where the customer's terms change; a cell as it came."""
