"""Spreadsheets: what a team's workbook may look like, and what is refused by file, sheet and cell."""

import io
from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import openpyxl
import pytest

from adapters.spreadsheets import SheetUnreadable, Spreadsheets
from models.period import month_period

HEADER = ("Customer", "Meter", "Date", "Qty")


class FakeS3:
    """Keys and bodies; the two calls the reader makes."""

    def __init__(self, files: dict[str, bytes]) -> None:
        self.files = files

    def get_paginator(self, _name: str) -> "FakeS3":
        return self

    def paginate(self, Bucket: str, Prefix: str) -> list[dict[str, Any]]:
        return [{"Contents": [{"Key": key} for key in self.files if key.startswith(Prefix)]}]

    def get_object(self, Bucket: str, Key: str) -> dict[str, Any]:
        return {"Body": io.BytesIO(self.files[Key])}


def a_sheet(*rows: Sequence[Any], zone: str = "America/Los_Angeles") -> Spreadsheets:
    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet("October")
    for row in rows:
        sheet.append(row)
    sink = io.BytesIO()
    book.save(sink)
    return Spreadsheets(FakeS3({"sheets/2026-10.xlsx": sink.getvalue()}), "bucket", "sheets/", zone)


def read(sheet: Spreadsheets) -> list[dict[str, Any]]:
    return [row for batch in sheet.read(month_period("2026-10", "America/Los_Angeles")) for row in batch.to_pylist()]


def test_a_row_is_a_local_day_with_its_cells_address() -> None:
    (row,) = read(a_sheet(("Minutes",), HEADER, ("acme", "call.minutes", date(2026, 10, 3), 12.5)))
    assert row["starts_at"] == datetime(2026, 10, 3, 7, tzinfo=UTC)  # midnight in Los Angeles
    assert row["ends_at"] == datetime(2026, 10, 4, 7, tzinfo=UTC)
    assert row["quantity"] == Decimal("12.5")
    assert row["place"] == "sheets/2026-10.xlsx!October!D3"


def test_a_float_enters_through_its_shortest_text() -> None:
    (row,) = read(a_sheet(HEADER, ("acme", "call.minutes", date(2026, 10, 3), 0.1)))
    assert row["quantity"] == Decimal("0.1")


def test_titles_totals_and_empty_rows_are_passed_over_and_headers_have_aliases() -> None:
    rows = read(
        a_sheet(
            ("Kept by operations",),
            (),
            ("Client", "Usage", "Day", "Units"),
            ("acme", "numbers", date(2026, 10, 1), 3),
            (),
            ("Total", None, None, 3),
        )
    )
    assert [row["quantity"] for row in rows] == [3]


def test_the_watermark_is_the_end_of_the_day_it_says_it_is_complete_through() -> None:
    sheet = a_sheet(("Complete through", date(2026, 10, 31)), HEADER, ("acme", "call.minutes", date(2026, 10, 3), 1))
    assert sheet.watermark() == datetime(2026, 11, 1, 7, tzinfo=UTC)


def test_without_such_a_row_it_is_complete_through_its_last_day() -> None:
    sheet = a_sheet(HEADER, ("acme", "call.minutes", date(2026, 10, 3), 1))
    assert sheet.watermark() == datetime(2026, 10, 4, 7, tzinfo=UTC)


@pytest.mark.parametrize(
    ("row", "cell"),
    [
        (("acme", "call.minutes", date(2026, 10, 3), "twelve"), "D2"),
        (("acme", "call.minutes", "third of October", 1), "C2"),
        ((None, "call.minutes", date(2026, 10, 3), 1), "A2"),
        (("acme", 7, date(2026, 10, 3), 1), "B2"),
        (("acme", "call.minutes", date(2026, 10, 3), True), "D2"),
    ],
)
def test_a_cell_that_is_not_what_it_should_be_is_refused_by_its_address(row: tuple[Any, ...], cell: str) -> None:
    with pytest.raises(SheetUnreadable, match=f"October!{cell}"):
        read(a_sheet(HEADER, row))


def test_a_file_that_is_no_workbook_is_refused() -> None:
    broken = Spreadsheets(FakeS3({"sheets/x.xlsx": b"PK\x03\x04 half a file"}), "b", "sheets/", "UTC")
    with pytest.raises(SheetUnreadable, match=r"sheets/x\.xlsx"):
        read(broken)


def test_a_table_without_a_header_is_refused() -> None:
    with pytest.raises(SheetUnreadable, match="no header row"):
        read(a_sheet(("acme", "call.minutes", date(2026, 10, 3), 1)))
