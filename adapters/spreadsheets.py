"""Spreadsheets: daily usage that a team keeps by hand, in XLSX, ODS or CSV; each cell's address is its provenance."""

import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal, NamedTuple, Self

import pyarrow as pa
from pydantic import model_validator

from adapters.source_files import SourceFiles, unchanged
from adapters.workbooks import KINDS, SheetUnreadable, sheets_of
from models.columns import REPORTED
from models.money import Currency
from models.period import Period, days_period
from models.value import Value

__all__ = ["SheetLayout", "SheetUnreadable", "Spreadsheets"]

HEADERS: Mapping[str, frozenset[str]] = {
    "account": frozenset({"customer", "account", "client", "organization", "kunde", "konto"}),
    "meter": frozenset({"meter", "usage", "metric", "what"}),
    "day": frozenset({"day", "date", "usage date", "datum", "tag"}),
    "quantity": frozenset({"quantity", "qty", "amount", "units", "total", "menge"}),
}
OPTIONAL: Mapping[str, frozenset[str]] = {
    "cost": frozenset({"cost", "our cost", "kosten"}),
    "currency": frozenset({"currency", "waehrung", "währung"}),
}
TOTALS = re.compile(r"(grand |sub-?)?(total|totals|sum|summe|gesamt)\b.*")
"""What the first cell of a row of totals begins with."""

COMPLETE = "complete through"
"""A row above the table that says up to which day, included, the sheet is kept."""

MONTH_TITLES = ("%Y-%m", "%B %Y", "%b %Y", "%m/%Y")
"""How a sheet is named that holds one month; its days may then be the numbers 1 to 31."""


class SheetLayout(Value):
    """What cannot be told from the cells: how text is a number, what separates CSV, the currency of costs."""

    decimal: Literal[".", ","] = "."
    delimiter: Literal[",", ";", "\t", "|"] = ","
    currency: Currency | None = None  # of the cost column, where no currency column stands beside it

    @model_validator(mode="after")
    def _apart(self) -> Self:
        if self.decimal == "," and self.delimiter == ",":
            raise ValueError("decimal commas need another delimiter than a comma")
        return self


PLAIN = SheetLayout()

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


class Row(NamedTuple):
    """One row of a table."""

    account: str
    meter: str
    day: date
    quantity: Decimal
    place: str  # file, sheet and address of the quantity
    cost: Decimal | None = None
    currency: str | None = None


class Spreadsheets:
    """The `UsageSource` port on files in S3 or a folder: one row a customer, meter and local day."""

    grain = "day"

    def __init__(self, files: SourceFiles, timezone: str, layout: SheetLayout = PLAIN, name: str = "sheet") -> None:
        self.name = name
        self.timezone = timezone
        self._files = files
        self._layout = layout

    def watermark(self) -> datetime:
        """Return the end of the last day that any file says it is complete through; the epoch for no file.

        A file without such a row is complete through the last day it has.
        """
        through: list[date] = []
        for key, body in self._bodies():
            said, rows = _read(key, body, self._layout)
            through.append(said or max((row.day for row in rows), default=date(1970, 1, 1)))
        if not through:
            return datetime.fromtimestamp(0, UTC)
        day = max(through)
        return days_period(day, day + timedelta(days=1), self.timezone).ends_at

    def read(self, window: Period) -> Iterator[pa.RecordBatch]:
        """Yield the rows of a window, one batch a file.

        Raises:
            SheetUnreadable: a header, a day or a number is not one, by file, sheet and cell.
            SourceChangedWhileRead: a file came, went or changed during the pass, or did not arrive whole.
        """
        for key, body in self._bodies():
            rows = []
            for row in _read(key, body, self._layout)[1]:
                span = days_period(row.day, row.day + timedelta(days=1), self.timezone)
                if span.ends_at <= window.starts_at or span.starts_at >= window.ends_at:
                    continue
                rows.append(
                    {
                        "id": row.place,
                        "account": row.account,
                        "meter": row.meter,
                        "quantity": row.quantity,
                        "starts_at": span.starts_at,
                        "ends_at": span.ends_at,
                        "received_at": None,
                        "dims": "{}",
                        "place": row.place,
                        "cost": row.cost,
                        "cost_currency": row.currency,
                    }
                )
            if rows:
                yield pa.RecordBatch.from_pylist(rows, schema=REPORTED)

    def _bodies(self) -> Iterator[tuple[str, bytes]]:
        with unchanged(self._files) as listed, tempfile.TemporaryDirectory(prefix="tieout-sheet-") as folder:
            path = Path(folder) / "sheet"
            for file in listed:
                if file.key.lower().endswith(KINDS):
                    self._files.fetch(file, path)
                    yield file.key, path.read_bytes()


def _read(key: str, body: bytes, layout: SheetLayout) -> tuple[date | None, list[Row]]:
    """Return what a workbook says: the day it is complete through, and its rows over all sheets."""
    through: date | None = None
    rows: list[Row] = []
    for sheet, cells in sheets_of(key, body, layout.delimiter):
        said, more = _table(key, sheet, cells, layout)
        through = max((day for day in (through, said) if day), default=None)
        rows += more
    return through, rows


def _table(key: str, sheet: str, cells: Sequence[Sequence[Any]], layout: SheetLayout) -> tuple[date | None, list[Row]]:
    through: date | None = None
    columns: dict[str, int] | None = None
    month = _month_of(sheet)
    rows: list[Row] = []
    for number, line in enumerate(cells, 1):
        if columns is None:  # titles, merged or not, stand above the header
            words = [str(cell).strip().lower() for cell in line]
            if COMPLETE in words:
                at = words.index(COMPLETE) + 1
                through = _day(line[at] if at < len(line) else "", f"{key}!{sheet}!{_address(at, number)}", None)
            columns = _columns(words)
            continue
        if all(_empty(cell) for cell in line) or any(_is_total(line, at) for at in (0, columns["account"])):
            continue
        rows.append(_row(f"{key}!{sheet}", number, line, columns, month, layout))
    if columns is None and any(not _empty(cell) for line in cells for cell in line):
        raise SheetUnreadable("no header row names customer, meter, day and quantity", file=key, sheet=sheet)
    return through, rows


def _row(
    sheet: str, number: int, line: Sequence[Any], columns: Mapping[str, int], month: date | None, layout: SheetLayout
) -> Row:
    def cell(name: str) -> tuple[Any, str]:
        at = columns[name]
        return (line[at] if at < len(line) else "", f"{sheet}!{_address(at, number)}")

    quantity, place = cell("quantity")
    cost = _number(*cell("cost"), layout) if "cost" in columns and not _empty(cell("cost")[0]) else None
    currency = layout.currency
    if cost is not None and "currency" in columns:
        currency = _name(*cell("currency"))
    if cost is not None and currency is None:
        raise SheetUnreadable("a cost has no currency: add a column or declare one", cell=cell("cost")[1])
    return Row(
        account=_name(*cell("account")),
        meter=_name(*cell("meter")),
        day=_day(*cell("day"), month),
        quantity=_number(quantity, place, layout),
        place=place,
        cost=cost,
        currency=currency if cost is not None else None,
    )


def _columns(words: Sequence[str]) -> dict[str, int] | None:
    """Return where the columns are, when a line is the header: each name once, under any of its aliases."""
    found = {name: [at for at, word in enumerate(words) if word in aliases] for name, aliases in HEADERS.items()}
    if not all(len(at) == 1 for at in found.values()):
        return None
    found |= {name: [at for at, word in enumerate(words) if word in aliases] for name, aliases in OPTIONAL.items()}
    return {name: at[0] for name, at in found.items() if len(at) == 1}


def _is_total(line: Sequence[Any], at: int) -> bool:
    return at < len(line) and TOTALS.fullmatch(str(line[at]).strip().lower()) is not None


def _empty(cell: Any) -> bool:
    return cell is None or (isinstance(cell, str) and not cell.strip())


def _month_of(sheet: str) -> date | None:
    """Return the first day of the month a sheet is named after, or None."""
    for title in MONTH_TITLES:
        try:
            return datetime.strptime(sheet.strip(), title).replace(tzinfo=UTC).date()
        except ValueError:
            continue
    return None


def _name(cell: Any, place: str) -> str:
    if not isinstance(cell, str) or not cell.strip():
        raise SheetUnreadable(f"expected a name, found {cell!r}", cell=place)
    return cell.strip()


def _day(cell: Any, place: str, month: date | None) -> date:
    """Return a cell's day; in a sheet named after a month it may be the number of one of its days."""
    if isinstance(cell, datetime):
        return cell.date()
    if isinstance(cell, date):
        return cell
    text = f"{cell:g}" if isinstance(cell, float) else str(cell).strip()
    try:
        if month is not None and re.fullmatch(r"\d{1,2}", text):
            return month.replace(day=int(text))
        return date.fromisoformat(text)
    except ValueError as error:
        raise SheetUnreadable(f"expected a day such as 2026-10-01, found {cell!r}", cell=place) from error


def _number(cell: Any, place: str, layout: SheetLayout) -> Decimal:
    """Return a cell's number: a float through its shortest decimal text, text by the declared decimal sign."""
    if isinstance(cell, str):
        return _text_number(cell, place, layout)
    if isinstance(cell, bool) or not isinstance(cell, int | float):
        raise SheetUnreadable(f"expected a number, found {cell!r}", cell=place)
    number = Decimal(repr(cell))
    if not number.is_finite():
        raise SheetUnreadable(f"expected a finite number, found {cell!r}", cell=place)
    return number


def _text_number(cell: str, place: str, layout: SheetLayout) -> Decimal:
    """Return the number of a text such as 1,234.5 (or 1.234,5 where commas are declared); never a guess."""
    group = "," if layout.decimal == "." else "."
    shape = rf"[+-]?(\d+|\d{{1,3}}(?:[{group}\s\u00a0\u202f']\d{{3}})+)(?:[{layout.decimal}]\d+)?"
    text = cell.strip()
    if re.fullmatch(shape, text, re.ASCII) is None:
        raise SheetUnreadable(f"expected a number with {layout.decimal!r} for its decimals, found {cell!r}", cell=place)
    plain = re.sub(rf"[{group}\s\u00a0\u202f']", "", text)
    return Decimal(plain.replace(layout.decimal, "."))


def _address(column: int, row: int) -> str:
    """Return a cell's address: D7."""
    letters = ""
    column += 1
    while column:
        column, rest = divmod(column - 1, len(LETTERS))
        letters = LETTERS[rest] + letters
    return f"{letters}{row}"
