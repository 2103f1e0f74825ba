"""Reports: the example company's page is what they say, their sums are the journal's, and they can be rebuilt."""

import re
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from billing.reports.facts import Fact, Facts
from billing.reports.registry import READS, REPORTS
from models.journal import Account
from models.money import total
from models.reports import Report
from runtime.reports import csv_text, write_parquet
from tests.example_company import facts, journal, months, told
from tests.statement_builders import a_statement, an_invoice, usage

D = Decimal
PAGE = (Path(__file__).resolve().parents[2] / "docs" / "example_company.md").read_text()
TOLD = re.findall(r"^\| `([\w-]+)` \| ([^|]+) \| ([^|]+) \| ([^|]+) \|", PAGE, re.MULTILINE)


def cells(report: Report, column: str) -> dict[str, str]:
    """Return a column by every word that stands in its row."""
    place = report.columns.index(column)
    return {word: row[place] for row in report.rows for word in row}


@pytest.mark.parametrize(("name", "row", "column", "amount"), TOLD)
def test_the_examples_number_is_what_each_report_says(name: str, row: str, column: str, amount: str) -> None:
    report = REPORTS[name](facts("2026-10"))
    if amount.strip() == "none":
        assert report.rows == ()
    else:
        assert cells(report, column.strip())[row.strip()] == amount.strip()


def test_the_page_follows_the_number_through_all_eleven() -> None:
    assert {name for name, *_ in TOLD} == set(REPORTS)
    assert len(REPORTS) == 11


def test_the_year_of_the_page_earns_what_was_invoiced() -> None:
    revenue = -total(one.amount for entry in journal("2026-12") for one in entry.postings if one.account.is_revenue)
    assert revenue == D("1920.00") == total(one.subtotal for one in months())


@pytest.mark.parametrize("month", ["2026-01", "2026-06", "2026-12"])
def test_13_revenue_by_product_and_model_is_the_ledgers_revenue(month: str) -> None:
    report = REPORTS["revenue"](facts(month))
    booked = -total(
        one.amount
        for entry in journal(month)
        if entry.period == month
        for one in entry.postings
        if one.account.is_revenue
    )
    assert total(D(row[report.columns.index("net")]) for row in report.rows) == booked


@pytest.mark.parametrize("month", ["2026-01", "2026-06", "2026-12"])
def test_every_tie_ties_and_the_waterfall_rolls_forward(month: str) -> None:
    found = facts(month)
    tie = REPORTS["tie-out"](found)
    assert [row for row in tie.rows if row[-1] != "yes"] == []
    waterfall = REPORTS["waterfall"](found)
    for row in waterfall.rows:
        said = dict(zip(waterfall.columns, row, strict=True))
        opening, billed, closing = (D(said[name]) for name in ("opening", "billed", "closing"))
        used = D(said["recognized"]) + D(said["breakage"]) + D(said["refunded"])
        assert opening + billed - used + D(said["modified"]) == closing >= 0
    owed = total(D(row[waterfall.columns.index("closing")]) for row in waterfall.rows)
    held = (Account.PREPAID, Account.DEFERRED_TIME)
    assert owed == -total(one.amount for entry in found.entries for one in entry.postings if one.account in held)


def test_17_what_remains_is_never_less_than_what_is_deferred() -> None:
    for month in ("2026-01", "2026-06", "2026-12"):
        report = REPORTS["rpo"](facts(month))
        [row] = report.rows
        said = dict(zip(report.columns, row, strict=True))
        assert D(said["fixed"]) - D(said["recognized"]) == D(said["remaining"]) >= D(said["deferred"])
    assert (said["remaining"], said["deferred"]) == ("0.00", "0.00")


@pytest.mark.parametrize("name", REPORTS)
def test_14_a_locked_months_report_is_the_same_bytes_whatever_came_after(name: str, tmp_path: Path) -> None:
    at_lock = REPORTS[name](facts("2026-10"))
    again = REPORTS[name](facts("2026-10", journal("2026-12")))  # two more months are in the journal by now
    assert at_lock.canonical() == again.canonical()
    assert csv_text(at_lock) == csv_text(again)
    for which, report in (("a", at_lock), ("b", again)):
        write_parquet(report, tmp_path / f"{which}.parquet")
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()


class Watched(Facts):
    """Facts that tell which of them were looked at."""

    def __getattribute__(self, name: str) -> object:
        looked: set[str] = object.__getattribute__(self, "__dict__").setdefault("looked", set())
        looked.add(name)
        return object.__getattribute__(self, name)


FIELDS = {fact: {fact.value} for fact in Fact} | {Fact.FINDINGS: {"open_findings", "causes"}}


@pytest.mark.parametrize("name", REPORTS)
def test_a_report_reads_what_it_says_it_reads_and_nothing_else(name: str) -> None:
    watched = Watched(**vars(facts("2026-10")))
    REPORTS[name](watched)
    looked = watched.__dict__["looked"] & {field for each in FIELDS.values() for field in each}
    said = {field for fact in READS[name] for field in FIELDS[fact]}
    assert looked <= said
    assert all(FIELDS[fact] & looked for fact in READS[name])  # and nothing is read for it in vain


def test_flux_splits_a_change_into_volume_price_mix_new_and_lost() -> None:
    from billing import posting, recognition

    def month(name: str, *lines: tuple[str, str, str]) -> tuple[object, list[object]]:
        made = [
            usage(model, amount, month=name, model=model).model_copy(update={"billed_quantity": D(units)})
            for model, units, amount in lines
        ]
        one = a_statement(*made, month=name)
        return one, list(posting.entries_for(one, an_invoice(one), recognition.schedule_for(one), post_to=name))

    # September: 100 of a at 1.00, 100 of b at 3.00, 10 of old. October: 120 of a at 1.10, 180 of b at 3.00, 5 of new.
    september, before = month("2026-09", ("a", "100", "100.00"), ("b", "100", "300.00"), ("old", "10", "50.00"))
    october, after = month("2026-10", ("a", "120", "132.00"), ("b", "180", "540.00"), ("new", "5", "15.00"))
    found = Facts(month="2026-10", entries=[*before, *after], **told([september, october]))  # type: ignore
    report = REPORTS["flux"](found)
    [row] = report.rows
    said = dict(zip(report.columns, row, strict=True))
    assert (said["this"], said["prior"], said["change"]) == ("687.00", "450.00", "237.00")
    # Volume: 200 -> 300 units at 2.00 on average: 200.00. At old prices 660, 600 by volume: mix 60.00.
    # Price: 120 x 0.10 = 12.00. New 15.00, lost -50.00. 200 + 60 + 12 + 15 - 50 = 237.
    names = ("volume", "mix", "price", "new", "lost", "other")
    assert [said[name] for name in names] == ["200.00", "60.00", "12.00", "15.00", "-50.00", "0.00"]


def test_late_usage_stands_among_the_corrections() -> None:
    from billing import posting, recognition

    one = a_statement(usage("u", "5.00"), usage("old", "12.00", since="2026-09-03", until="2026-09-04"))
    entries = posting.entries_for(one, an_invoice(one), recognition.schedule_for(one), post_to="2026-10")
    report = REPORTS["corrections"](replace(Facts(month="2026-10"), entries=entries, **told([one])))
    [row] = report.rows
    assert row[3:8] == ("late usage", "2026-09", "2026-10", "USD", "12.00")
