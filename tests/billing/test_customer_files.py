"""Files for customers: text no spreadsheet runs, numbers that stay numbers, the same bytes every time."""

import csv
import io
from decimal import Decimal

import pytest

from billing.customer_files import FORMATS, KINDS, csv_of, file_of, harmless
from models.statement import LineKind
from tests.statement_builders import a_line, a_statement, draw, usage


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1"])
def test_text_that_begins_like_a_formula_is_made_harmless(text: str) -> None:
    assert harmless(text) == f"'{text}"
    [_, row] = csv.reader(io.StringIO(csv_of({"name": False}, [{"name": text}]).decode(), newline=""))
    assert row == [f"'{text}"]


def test_numbers_stay_numbers_and_plain_text_stays_itself() -> None:
    columns = {"amount": True, "exact": True, "name": False}
    rows: list[dict[str, str | Decimal | int | None]] = [
        {"amount": Decimal("-40.00"), "exact": "-12.5", "name": "a=b"},
        {"amount": None, "exact": 3, "name": ""},
    ]
    assert csv_of(columns, rows).decode() == "amount,exact,name\r\n-40,-12.5,a=b\r\n,3,\r\n"


def test_a_line_that_a_customer_named_like_a_formula_is_harmless_in_every_kind() -> None:
    evil = a_line("l1", LineKind.USAGE, "1.00", meter="call.minutes", model='=cmd|" /C calc"!A0')
    statement = a_statement(evil.model_copy(update={"description": '=HYPERLINK("http://x")'}))
    for kind in KINDS:
        body = file_of(kind, "csv", statement, lambda: (), "=Lumen").body.decode()
        for row in csv.reader(io.StringIO(body, newline="")):
            assert not any(cell.startswith(("=", "+", "@")) for cell in row), kind


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("form", FORMATS)
def test_a_file_is_the_same_bytes_every_time(kind: str, form: str) -> None:
    statement = a_statement(usage("calls", "130.00"), draw("draw", "pool", {"calls": "40.00"}, pool=True))
    first, again = (file_of(kind, form, statement, lambda: (), "Lumen") for _ in range(2))
    assert first == again
    assert first.sha256 == again.sha256


def test_a_kind_nobody_knows_is_refused() -> None:
    with pytest.raises(ValueError, match="expected one of lines, usage, focus"):
        file_of("all", "csv", a_statement(usage("u", "1.00")), lambda: (), "Lumen")
