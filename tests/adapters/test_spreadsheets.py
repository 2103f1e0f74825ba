"""Spreadsheets: what a team's workbook may look like, and what is refused by file, sheet and cell."""

import io
import zipfile
from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from pydantic import ValidationError

from adapters import workbooks
from adapters.reading import SourceChangedWhileRead
from adapters.source_files import FolderFiles, S3Files
from adapters.spreadsheets import SheetLayout, SheetUnreadable, Spreadsheets
from models.period import month_period
from tests.adapters.fake_s3 import FILE_FAULTS, FakeS3

HEADER = ("Customer", "Meter", "Date", "Qty")


def a_sheet(*rows: Sequence[Any], zone: str = "America/Los_Angeles") -> Spreadsheets:
    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet("October")
    for row in rows:
        sheet.append(row)
    sink = io.BytesIO()
    book.save(sink)
    return in_s3({"sheets/2026-10.xlsx": sink.getvalue()}, zone=zone)


def in_s3(files: dict[str, bytes], fault: str = "", zone: str = "UTC", **layout: Any) -> Spreadsheets:
    return Spreadsheets(S3Files(FakeS3(files, fault), "bucket", "sheets/"), zone, SheetLayout(**layout))


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
    broken = in_s3({"sheets/x.xlsx": b"PK\x03\x04 half a file"})
    with pytest.raises(SheetUnreadable, match=r"sheets/x\.xlsx"):
        read(broken)


def test_a_table_without_a_header_is_refused() -> None:
    with pytest.raises(SheetUnreadable, match="no header row"):
        read(a_sheet(("acme", "call.minutes", date(2026, 10, 3), 1)))


CSV = b'Minutes of October\nCustomer,Meter,Date,Qty\nacme,call.minutes,2026-10-03,"1,234.5"\nTotal,,,1234.5\n'


def test_csv_is_a_sheet_of_text_with_its_line_as_address() -> None:
    (row,) = read(in_s3({"sheets/minutes.csv": CSV}))
    assert (row["quantity"], row["place"]) == (Decimal("1234.5"), "sheets/minutes.csv!minutes!D3")


def test_european_decimals_are_read_where_they_are_declared_and_refused_where_they_are_not() -> None:
    body = b"Kunde;Meter;Datum;Menge\nacme;call.minutes;2026-10-03;1.234,5\n"
    (row,) = read(in_s3({"sheets/a.csv": body}, decimal=",", delimiter=";"))
    assert row["quantity"] == Decimal("1234.5")
    with pytest.raises(SheetUnreadable, match=r"a\.csv!a!D2"):
        read(in_s3({"sheets/a.csv": body}, delimiter=";"))
    with pytest.raises(ValidationError, match="another delimiter"):
        SheetLayout(decimal=",")


@pytest.mark.parametrize("text", ["12,5", "1,23,456", "1.2.3", "12 minutes", "٣", "1e3", ""])
def test_text_that_is_not_surely_a_number_is_refused(text: str) -> None:
    with pytest.raises(SheetUnreadable, match="October!D2"):
        read(a_sheet(HEADER, ("acme", "call.minutes", date(2026, 10, 3), text)))


@pytest.mark.parametrize(
    ("text", "number"), [("12.5", "12.5"), ("1,234", "1234"), ("-3", "-3"), ("1 000.25", "1000.25")]
)
def test_text_that_is_a_number_is_read(text: str, number: str) -> None:
    (row,) = read(a_sheet(HEADER, ("acme", "call.minutes", date(2026, 10, 3), text)))
    assert row["quantity"] == Decimal(number)


@pytest.mark.parametrize("word", ["Total", "TOTALS", "Subtotal acme", "Grand total", "Sum", "Summe"])
def test_rows_of_totals_are_passed_over(word: str) -> None:
    assert read(a_sheet(HEADER, (word, None, None, 3))) == []


def test_a_sheet_named_after_a_month_may_number_its_days_and_have_a_merged_title() -> None:
    book = openpyxl.Workbook()
    for title, day in (("2026-10", 31), ("November 2026", 1)):
        sheet = book.create_sheet(title)
        sheet["A1"] = "Minutes, kept by operations"
        sheet.merge_cells("A1:D2")
        for at, value in zip("ABCD", HEADER, strict=True):
            sheet[f"{at}3"] = value
        for at, cell in zip("ABCD", ("acme", "call.minutes", day, 2), strict=True):
            sheet[f"{at}4"] = cell
    sink = io.BytesIO()
    book.save(sink)
    (row,) = read(in_s3({"sheets/year.xlsx": sink.getvalue()}, zone="America/Los_Angeles"))
    assert (row["starts_at"], row["place"]) == (datetime(2026, 10, 31, 7, tzinfo=UTC), "sheets/year.xlsx!2026-10!D4")


def test_a_day_number_that_the_month_does_not_have_is_refused() -> None:
    with pytest.raises(SheetUnreadable, match=r"2026-09!C2"):
        read(in_s3({"sheets/2026-09.csv": b"Customer,Meter,Date,Qty\nacme,numbers,31,1\n"}))


def test_the_sheets_own_cost_is_kept_with_its_currency() -> None:
    header = (*HEADER, "Our cost", "Currency")
    (row,) = read(a_sheet(header, ("acme", "call.minutes", date(2026, 10, 3), 1, 0.07, "EUR")))
    assert (row["cost"], row["cost_currency"]) == (Decimal("0.07"), "EUR")
    with pytest.raises(SheetUnreadable, match=r"no currency.*E2"):
        read(a_sheet(header[:5], ("acme", "call.minutes", date(2026, 10, 3), 1, 0.07)))


# As office programs write it: nothing stands between cells.
ODS = """<?xml version="1.0" encoding="UTF-8"?>
<office:document-content xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0"
 xmlns:table="urn:oasis:names:tc:opendocument:xmlns:table:1.0"
 xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0"><office:body><office:spreadsheet>
<table:table table:name="Oct">
<table:table-row><table:table-cell office:value-type="string"><text:p>Client</text:p></table:table-cell>
<table:table-cell office:value-type="string"><text:p>Usage</text:p></table:table-cell>
<table:table-cell office:value-type="string"><text:p>Day</text:p></table:table-cell>
<table:table-cell office:value-type="string"><text:p>Units</text:p></table:table-cell></table:table-row>
<table:table-row><table:table-cell office:value-type="string"><text:p>acme</text:p></table:table-cell>
<table:table-cell office:value-type="string"><text:p>sms.segments</text:p></table:table-cell>
<table:table-cell office:value-type="date" office:date-value="2026-10-02"><text:p>2 Oct</text:p></table:table-cell>
<table:table-cell office:value-type="float" office:value="41"><text:p>41</text:p></table:table-cell></table:table-row>
</table:table></office:spreadsheet></office:body></office:document-content>""".replace(
    "\n", ""
)  # as office programs write it: nothing between cells
MIMETYPE = "application/vnd.oasis.opendocument.spreadsheet"
MANIFEST = f"""<?xml version="1.0" encoding="UTF-8"?>
<manifest:manifest xmlns:manifest="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0">
<manifest:file-entry manifest:full-path="/" manifest:media-type="{MIMETYPE}"/></manifest:manifest>"""


def packed(files: dict[str, bytes | str]) -> bytes:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("mimetype", MIMETYPE, zipfile.ZIP_STORED)
        archive.writestr("META-INF/manifest.xml", MANIFEST)
        for name, body in files.items():
            archive.writestr(name, body)
    return sink.getvalue()


def test_an_open_document_in_a_local_folder_is_read(tmp_path: Path) -> None:
    (tmp_path / "sms.ods").write_bytes(packed({"content.xml": ODS}))
    (tmp_path / "~$sms.ods").write_bytes(b"a lock file of the office program")
    (row,) = read(Spreadsheets(FolderFiles(tmp_path), "UTC"))
    assert (row["quantity"], row["place"]) == (Decimal(41), "sms.ods!Oct!D2")


def test_a_file_that_unpacks_to_far_more_than_its_size_is_refused_before_it_is_read() -> None:
    bomb = packed({"content.xml": ODS.encode() + b" " * 5_000_000})
    assert len(bomb) < 10_000
    with pytest.raises(SheetUnreadable, match=r"unpacks to more.*bomb\.ods"):
        read(in_s3({"sheets/bomb.ods": bomb}))


def test_a_file_over_the_limit_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workbooks, "MAX_UNPACKED", 100)
    with pytest.raises(SheetUnreadable, match="unpacks to more"):
        read(in_s3({"sheets/a.ods": packed({"content.xml": ODS})}))


@pytest.mark.parametrize("fault", FILE_FAULTS)
def test_a_file_that_does_not_arrive_as_it_was_listed_refuses_the_source(fault: str) -> None:
    with pytest.raises(SourceChangedWhileRead, match=r"sheets/minutes\.csv"):
        read(in_s3({"sheets/minutes.csv": CSV}, fault))


def test_a_local_file_that_is_written_meanwhile_refuses_the_source(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(CSV)
    batches = iter(Spreadsheets(FolderFiles(tmp_path), "UTC").read(month_period("2026-10", "UTC")))
    next(batches)
    (tmp_path / "b.csv").write_bytes(CSV)
    with pytest.raises(SourceChangedWhileRead, match=r"b\.csv"):
        list(batches)
