"""Tables as CSV: exactly what a page shows, with no cell that a spreadsheet would run."""

import csv
import io
from collections.abc import Iterable, Sequence
from decimal import Decimal

from fastapi import Response

from billing.customer_files import harmless
from models.value import decimal_text


def cell(value: object) -> str:
    """Return a cell: numbers as numbers, text that begins like a formula behind an apostrophe.

    >>> cell(Decimal("-1.50")), cell("=1+1"), cell("-1"), cell(None)
    ('-1.50', "'=1+1", "'-1", '')
    """
    if value is None:
        return ""
    if isinstance(value, Decimal):
        return decimal_text(value)
    if isinstance(value, int):
        return str(value)
    return harmless(str(value))


def csv_of(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return rows under their columns as CSV (RFC 4180)."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(columns)
    writer.writerows([cell(value) for value in row] for row in rows)
    return text.getvalue()


def download(name: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> Response:
    """Return rows as a file to keep; `name` is one of ours, without its ending."""
    headers = {"Content-Disposition": f'attachment; filename="{name}.csv"', "Cache-Control": "no-store"}
    return Response(csv_of(columns, rows), media_type="text/csv; charset=utf-8", headers=headers)
