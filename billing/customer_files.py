"""Files for customers: a statement's lines, usage, or FOCUS columns, as CSV or Parquet; the same bytes every time."""

import csv
import hashlib
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq

from billing.focus import COLUMNS, focus_rows
from models.refusal import Refusal
from models.statement import Statement
from models.usage import UsageLine
from models.value import decimal_text, instant_text

KINDS = {"lines": "Invoice lines", "usage": "Usage by hour", "focus": "FOCUS (FinOps cost and usage)"}
FORMATS = {"csv": "text/csv; charset=utf-8", "parquet": "application/vnd.apache.parquet"}
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")

Rows = Iterator[Mapping[str, str | Decimal | int | None]]


class NotAsMade(Refusal):
    """A file made again is not the file that was made."""

    remedy = "Make it anew: the statement is the same, the way it is written has changed since."


@dataclass(frozen=True)
class File:
    """A file, with how many rows it has and the hash of its bytes."""

    body: bytes
    rows: int

    @property
    def sha256(self) -> str:
        """Return the hash of the bytes."""
        return hashlib.sha256(self.body).hexdigest()


def file_of(kind: str, form: str, statement: Statement, usage: Callable[[], Sequence[UsageLine]], issuer: str) -> File:
    """Return a statement's file; `kind` is one of KINDS, `form` one of FORMATS."""
    match kind:
        case "lines":
            columns, rows = _LINES, _lines(statement)
        case "usage":
            columns, rows = _USAGE, _usage(usage())
        case "focus":
            columns, rows = {name: name.endswith(("Cost", "Quantity")) for name in COLUMNS}, _focus(statement, issuer)
        case _:
            raise ValueError(f"expected one of {', '.join(KINDS)}, got {kind!r}")
    held = list(rows)
    return File(csv_of(columns, held) if form == "csv" else _parquet(columns, held), len(held))


def csv_of(columns: Mapping[str, bool], rows: Sequence[Mapping[str, str | Decimal | int | None]]) -> bytes:
    """Return rows as CSV (RFC 4180, UTF-8). `columns` says of each whether it holds numbers; text is made harmless."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow([_cell(row.get(name), number) for name, number in columns.items()])
    return text.getvalue().encode()


def harmless(text: str) -> str:
    """Return text that no spreadsheet takes for a formula: one that begins like one gets an apostrophe before it."""
    return f"'{text}" if text.startswith(_FORMULA) else text


def _cell(value: str | Decimal | int | None, number: bool) -> str:
    if value is None:
        return ""
    if isinstance(value, Decimal):
        return decimal_text(value)
    text = str(value)
    return text if number else harmless(text)


_LINES = {
    "invoice_month": False, "contract": False, "line": False, "kind": False, "description": False, "meter": False,
    "dimensions": False, "clause": False, "contract_version": False, "rate_version": False, "service_from": False,
    "service_until": False, "events": True, "quantity": True, "billed_quantity": True, "unit": False, "amount": True,
    "currency": False, "explanation": False,
}  # fmt: skip
_USAGE = {
    "meter": False, "dimensions": False, "starts_at": False, "ends_at": False, "quantity": True, "events": True,
    "source": False,
}  # fmt: skip


def _lines(statement: Statement) -> Rows:
    for line in statement.lines:
        yield {
            "invoice_month": statement.period,
            "contract": statement.contract,
            "line": line.id,
            "kind": line.kind.value,
            "description": line.description,
            "meter": line.meter,
            "dimensions": _words(line.dimensions),
            "clause": line.clause,
            "contract_version": line.explanation.contract_version,
            "rate_version": line.explanation.rate_version,
            "service_from": line.service_from.isoformat(),
            "service_until": line.service_until.isoformat(),
            "events": line.explanation.events,
            "quantity": line.quantity,
            "billed_quantity": line.billed_quantity,
            "unit": line.unit,
            "amount": line.amount,
            "currency": statement.currency,
            "explanation": line.explanation.sentence,
        }


def _usage(usage: Sequence[UsageLine]) -> Rows:
    for one in usage:
        yield {
            "meter": one.meter,
            "dimensions": _words(one.dimensions),
            "starts_at": instant_text(one.starts_at),
            "ends_at": instant_text(one.ends_at),
            "quantity": one.quantity,
            "events": one.events,
            "source": one.source,
        }


def _focus(statement: Statement, issuer: str) -> Rows:
    yield from focus_rows(statement, issuer)


def _words(dimensions: Mapping[str, str]) -> str:
    return "; ".join(f"{name}={value}" for name, value in sorted(dimensions.items()))


def _parquet(columns: Mapping[str, bool], rows: Sequence[Mapping[str, str | Decimal | int | None]]) -> bytes:
    """Return rows as Parquet; numbers are text with every digit, as no width of decimal holds them all."""
    names = list(columns)
    table = pa.table(
        {name: [None if row.get(name) is None else _exact(row.get(name)) for row in rows] for name in names},
        schema=pa.schema([pa.field(name, pa.string()) for name in names]),
    )
    sink = io.BytesIO()
    pq.write_table(table, sink, compression="zstd", store_schema=False)
    return sink.getvalue()


def _exact(value: str | Decimal | int | None) -> str:
    return decimal_text(value) if isinstance(value, Decimal) else str(value)
