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

SEALED = pa.schema([pa.field("customer", pa.string()), *COLUMNS])
"""What is kept: the same, with our customer id."""

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
