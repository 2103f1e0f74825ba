"""Usage lines as columns: how a reconciled month is kept and read again."""

import json
from collections.abc import Sequence
from decimal import Decimal

import pyarrow as pa
import pyarrow.compute as pc

from models.columns import QUANTITY
from models.usage import UsageLine
from models.value import decimal_text, fingerprint_of

LINES = pa.schema(
    [
        pa.field("meter", pa.string()),
        pa.field("dims", pa.string()),
        pa.field("starts_at", pa.timestamp("us", tz="UTC")),
        pa.field("ends_at", pa.timestamp("us", tz="UTC")),
        pa.field("quantity", QUANTITY),
        pa.field("events", pa.int64()),
        pa.field("source", pa.string()),
    ]
)


def _dims(line: UsageLine) -> str:
    return json.dumps(line.dimensions, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def from_lines(lines: Sequence[UsageLine]) -> pa.Table:
    """Return usage lines as a table, in their order."""
    return pa.Table.from_pylist(
        [
            {
                "meter": line.meter,
                "dims": _dims(line),
                "starts_at": line.starts_at,
                "ends_at": line.ends_at,
                "quantity": line.quantity,
                "events": line.events,
                "source": line.source,
            }
            for line in lines
        ],
        schema=LINES,
    )


def to_lines(table: pa.Table) -> tuple[UsageLine, ...]:
    """Return the usage lines of a table, in its order."""
    parsed: dict[str, dict[str, str]] = {}
    lines = []
    for row in table.to_pylist():
        dims = row["dims"]
        if dims not in parsed:
            parsed[dims] = json.loads(dims)
        lines.append(
            UsageLine(
                meter=row["meter"],
                dimensions=parsed[dims],
                starts_at=row["starts_at"],
                ends_at=row["ends_at"],
                quantity=Decimal(row["quantity"]),
                events=row["events"],
                source=row["source"],
            )
        )
    return tuple(lines)


def fingerprint_of_table(table: pa.Table) -> str:
    """Return the fingerprint of usage lines: over their canonical text, sorted; instants are UTC microseconds."""
    moments = [pc.cast(pc.cast(table[name], pa.int64()), pa.string()) for name in ("starts_at", "ends_at")]
    texts = pc.binary_join_element_wise(
        table["meter"],
        table["dims"],
        *moments,
        _plain(table["quantity"]),
        pc.cast(table["events"], pa.string()),
        table["source"],
        "|",
    )
    if pc.any(pc.greater(texts[:-1], texts[1:])).as_py():  # most months are reconciled in that order already
        texts = texts.take(pc.sort_indices(texts))
    return fingerprint_of("\n".join(["tieout/usage/v2", *texts.to_pylist()]))


def _plain(quantities: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return quantities as `decimal_text` writes them, all at once but for those that Arrow writes with an exponent."""
    texts = pc.cast(quantities, pa.string())
    short = pc.utf8_rtrim(pc.utf8_rtrim(texts, "0"), ".")  # of twelve decimals
    small = pc.match_substring(texts, "E")
    if not pc.any(small).as_py():
        return short
    written = [decimal_text(quantity) for quantity in quantities.filter(small).to_pylist()]
    return pc.replace_with_mask(short.combine_chunks(), small.combine_chunks(), pa.array(written, pa.string()))
