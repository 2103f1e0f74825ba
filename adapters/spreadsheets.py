"""Spreadsheets: daily usage that a team keeps by hand, XLSX in S3, each cell's address kept as its provenance."""

import io
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa
from python_calamine import CalamineError, CalamineWorkbook

from models.columns import COLUMNS
from models.period import Period, days_period
from models.refusal import Refusal

HEADERS: Mapping[str, frozenset[str]] = {
    "account": frozenset({"customer", "account", "client", "organization"}),
    "meter": frozenset({"meter", "usage", "metric", "what"}),
    "day": frozenset({"day", "date", "usage date"}),
    "quantity": frozenset({"quantity", "qty", "amount", "units", "total"}),
}
COMPLETE = "complete through"
"""A row above the table that says up to which day, included, the sheet is kept."""

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


class SheetUnreadable(Refusal):
    """A spreadsheet is not what its readers agreed on."""

    remedy = "Correct the named cell in the file; nothing of the source was sealed."


class Spreadsheets:
    """The `UsageSource` port on a folder of XLSX files in S3: one row a customer, meter and local day."""

    grain = "day"

    def __init__(self, s3: Any, bucket: str, prefix: str, timezone: str, name: str = "sheet") -> None:
        self.name = name
        self.timezone = timezone
        self._s3 = s3
        self._bucket = bucket
        self._prefix = prefix

    def watermark(self) -> datetime:
        """Return the end of the last day that every file says it is complete through; the epoch for no file.

        A file without such a row is complete through the last day it has.
        """
        through: list[date] = []
        for key, body in self._files():
            said, rows = _read(key, body)
            through.append(said or max((row[2] for row in rows), default=date(1970, 1, 1)))
        if not through:
            return datetime.fromtimestamp(0, UTC)
        day = max(through)
        return days_period(day, day + timedelta(days=1), self.timezone).ends_at

    def read(self, window: Period) -> Iterator[pa.RecordBatch]:
        """Yield the rows of a window, one batch a file.

        Raises:
            SheetUnreadable: a header, a day or a number is not one, by file, sheet and cell.
        """
        for key, body in self._files():
            rows = []
            for account, meter, day, quantity, place in _read(key, body)[1]:
                span = days_period(day, day + timedelta(days=1), self.timezone)
                if span.ends_at <= window.starts_at or span.starts_at >= window.ends_at:
                    continue
                rows.append(
                    {
                        "id": place,
                        "account": account,
                        "meter": meter,
                        "quantity": quantity,
                        "starts_at": span.starts_at,
                        "ends_at": span.ends_at,
                        "received_at": None,
                        "dims": "{}",
                        "place": place,
                    }
                )
            if rows:
                yield pa.RecordBatch.from_pylist(rows, schema=COLUMNS)

    def _files(self) -> Iterator[tuple[str, bytes]]:
        pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=self._prefix)
        keys = sorted(
            item["Key"]
            for page in pages
            for item in page.get("Contents", [])
            if item["Key"].endswith((".xlsx", ".ods"))
        )
        for key in keys:
            yield key, self._s3.get_object(Bucket=self._bucket, Key=key)["Body"].read()


Row = tuple[str, str, date, Decimal, str]


def _read(key: str, body: bytes) -> tuple[date | None, list[Row]]:
    """Return what a workbook says: the day it is complete through, and its rows over all sheets."""
    try:
        book = CalamineWorkbook.from_filelike(io.BytesIO(body))
    except CalamineError as error:
        raise SheetUnreadable(f"not a workbook: {error}", file=key) from error
    through: date | None = None
    rows: list[Row] = []
    for sheet in book.sheet_names:
        said, more = _table(key, sheet, book.get_sheet_by_name(sheet).to_python(skip_empty_area=False))
        through = max((day for day in (through, said) if day), default=None)
        rows += more
    return through, rows


def _table(key: str, sheet: str, cells: Sequence[Sequence[Any]]) -> tuple[date | None, list[Row]]:
    through: date | None = None
    columns: dict[str, int] | None = None
    rows: list[Row] = []
    for number, line in enumerate(cells, 1):
        if columns is None:
            words = [str(cell).strip().lower() for cell in line]
            if COMPLETE in words:
                at = words.index(COMPLETE) + 1
                through = _day(line[at] if at < len(line) else "", f"{key}!{sheet}!{_address(at, number)}")
            columns = _columns(words)
            continue
        if all(cell in ("", None) for cell in line) or str(line[columns["account"]]).strip().lower() == "total":
            continue
        place = f"{key}!{sheet}!{_address(columns['quantity'], number)}"
        rows.append(
            (
                _name(line[columns["account"]], f"{key}!{sheet}!{_address(columns['account'], number)}"),
                _name(line[columns["meter"]], f"{key}!{sheet}!{_address(columns['meter'], number)}"),
                _day(line[columns["day"]], f"{key}!{sheet}!{_address(columns['day'], number)}"),
                _number(line[columns["quantity"]], place),
                place,
            )
        )
    if columns is None and any(cell not in ("", None) for line in cells for cell in line):
        raise SheetUnreadable("no header row names customer, meter, day and quantity", file=key, sheet=sheet)
    return through, rows


def _columns(words: Sequence[str]) -> dict[str, int] | None:
    """Return where the columns are, when a line is the header: each name once, under any of its aliases."""
    found = {name: [at for at, word in enumerate(words) if word in aliases] for name, aliases in HEADERS.items()}
    if all(len(at) == 1 for at in found.values()):
        return {name: at[0] for name, at in found.items()}
    return None


def _name(cell: Any, place: str) -> str:
    if not isinstance(cell, str) or not cell.strip():
        raise SheetUnreadable(f"expected a name, found {cell!r}", cell=place)
    return cell.strip()


def _day(cell: Any, place: str) -> date:
    if isinstance(cell, datetime):
        return cell.date()
    if isinstance(cell, date):
        return cell
    try:
        return date.fromisoformat(str(cell).strip())
    except ValueError as error:
        raise SheetUnreadable(f"expected a day such as 2026-10-01, found {cell!r}", cell=place) from error


def _number(cell: Any, place: str) -> Decimal:
    """Return a cell's number through its shortest decimal text: a workbook has floats only."""
    if isinstance(cell, bool) or not isinstance(cell, int | float):
        raise SheetUnreadable(f"expected a number, found {cell!r}", cell=place)
    number = Decimal(repr(cell))
    if not number.is_finite():
        raise SheetUnreadable(f"expected a finite number, found {cell!r}", cell=place)
    return number


def _address(column: int, row: int) -> str:
    """Return a cell's address: D7."""
    letters = ""
    column += 1
    while column:
        column, rest = divmod(column - 1, len(LETTERS))
        letters = LETTERS[rest] + letters
    return f"{letters}{row}"
