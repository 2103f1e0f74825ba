"""Workbooks: the sheets of an XLSX, ODS or CSV file as cells, refused before it can fill the memory."""

import csv
import io
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Any

from python_calamine import CalamineError, CalamineWorkbook

from models.refusal import Refusal

MAX_UNPACKED = 256 * 1024 * 1024
"""Bytes that a workbook may unpack to."""

MAX_RATIO = 200
"""How many times its size a workbook may unpack to that unpacks to more than `RATIO_FROM`."""

RATIO_FROM = 4 * 1024 * 1024
KINDS = (".xlsx", ".xlsm", ".ods", ".csv")

Sheet = tuple[str, Sequence[Sequence[Any]]]
"""A sheet's name and its cells, row by row, from A1 on."""


class SheetUnreadable(Refusal):
    """A spreadsheet is not what its readers agreed on."""

    remedy = "Correct the named cell in the file; nothing of the source was sealed."


def sheets_of(key: str, body: bytes, delimiter: str) -> list[Sheet]:
    """Return a file's sheets; a CSV file is one sheet, named like the file, whose cells are all text.

    Raises:
        SheetUnreadable: it is no workbook, it is damaged, or it unpacks to more than a workbook should.
    """
    if key.lower().endswith(".csv"):
        try:
            text = body.decode("utf-8-sig")
            return [(PurePosixPath(key).stem, list(csv.reader(io.StringIO(text), delimiter=delimiter, strict=True)))]
        except (UnicodeDecodeError, csv.Error) as error:
            raise SheetUnreadable(f"not a CSV file in UTF-8: {error}", file=key) from error
    _refuse_bombs(key, body)
    try:
        book = CalamineWorkbook.from_filelike(io.BytesIO(body))
        return [(name, book.get_sheet_by_name(name).to_python(skip_empty_area=False)) for name in book.sheet_names]
    except CalamineError as error:
        raise SheetUnreadable(f"not a workbook: {error}", file=key) from error


def _refuse_bombs(key: str, body: bytes) -> None:
    """Unpack an archive without keeping it: what it declares may be a lie, what comes out is not."""
    unpacked = 0
    try:
        with zipfile.ZipFile(io.BytesIO(body)) as archive:
            for member in archive.infolist():
                with archive.open(member) as content:
                    while part := content.read(1024 * 1024):
                        unpacked += len(part)
                        if unpacked > MAX_UNPACKED or (unpacked > RATIO_FROM and unpacked > MAX_RATIO * len(body)):
                            raise SheetUnreadable(
                                "the file unpacks to more than a workbook should",
                                file=key,
                                bytes=len(body),
                                unpacked=f"more than {unpacked}",
                            )
    except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError, zlib.error) as error:
        raise SheetUnreadable(f"not a whole workbook: {error}", file=key) from error
