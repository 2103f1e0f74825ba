"""Exports to other ledgers: columns and limits, and a push that counts only what was read back."""

import csv
import io
from decimal import Decimal
from pathlib import Path

import pytest

from adapters.general_ledger import netsuite as netsuite_module
from adapters.general_ledger import quickbooks as quickbooks_module
from adapters.general_ledger.accounts import FinerThanTheCurrency, NothingToExport, TooLargeForTheLedger
from adapters.general_ledger.beancount import write_beancount
from adapters.general_ledger.file_drop import NETSUITE, QUICKBOOKS, FileDrop
from adapters.general_ledger.hledger import write_hledger
from adapters.general_ledger.netsuite import COLUMNS, CREDIT, DEBIT, netsuite_text
from adapters.general_ledger.quickbooks import quickbooks_text
from billing import focus
from billing.functional import functional_book
from models.entity import DEFAULT
from models.journal import JournalEntry
from models.money import total
from runtime import exports
from runtime.ledger_push import ExportParked, push
from tests.adapters.postgres.rows import an_entry
from tests.billing.test_functional import RATES, euro_months
from tests.example_company import journal, months

D = Decimal
OCTOBER = [entry for entry in journal("2026-12") if entry.period == "2026-10"]


def netsuite(entries: list[JournalEntry]) -> str:
    """Return entries as NetSuite takes them, one to one."""
    return netsuite_text(entries, "Parent Company", lambda currency, day: D(1))


def rows(text: str) -> list[dict[str, str]]:
    """Return a CSV's rows by column."""
    return list(csv.DictReader(io.StringIO(text)))


def test_netsuite_has_a_row_a_posting_and_every_external_id_balances() -> None:
    found = rows(netsuite(OCTOBER))
    assert tuple(found[0]) == COLUMNS
    assert len(found) == sum(len(entry.postings) for entry in OCTOBER)
    for key in {entry.key for entry in OCTOBER}:
        own = [row for row in found if row["External ID"] == key]
        assert total(D(row[DEBIT] or "0") - D(row[CREDIT] or "0") for row in own) == 0
    assert {row["Posting Period"] for row in found} == {"Oct 2026"}
    assert {row["Date"] for row in found} == {"10/20/2026", "10/31/2026"}


def test_quickbooks_has_one_summary_entry_a_period_with_a_control_customer() -> None:
    found = rows(quickbooks_text(OCTOBER, "2026-10"))
    assert {row["Journal No."] for row in found} == {"T-2026-10-USD"}
    assert total(D(row["Debits"] or "0") - D(row["Credits"] or "0") for row in found) == 0
    by_name = {row["Account Name"]: (row["Debits"], row["Credits"]) for row in found}
    assert by_name["Income:Usage:Prepaid"] == ("", "80.00")  # the page's number
    assert by_name["Assets:Clearing:Stripe"] == ("10.00", "")  # September's invoice, paid
    assert "Assets:Receivable:Trade" not in by_name  # 10.00 billed, 10.00 paid
    january = rows(quickbooks_text(journal("2026-01"), "2026-01"))
    [receivable] = [row for row in january if row["Account Name"] == "Assets:Receivable:Trade"]
    assert (receivable["Debits"], receivable["Name"]) == ("1810.00", "Tieout control")


def test_what_an_import_cannot_hold_is_refused_before_it_is_written() -> None:
    dinars = an_entry(amount="1.500").model_copy(update={"currency": "KWD"})
    large = an_entry(amount="12345678901.00")
    for write in (netsuite, lambda entries: quickbooks_text(entries, "2026-10")):
        with pytest.raises(FinerThanTheCurrency, match="two decimals"):
            write([dinars])
        with pytest.raises(TooLargeForTheLedger):
            write([large])
        with pytest.raises(NothingToExport):
            write([])


def test_every_column_is_one_the_vendors_document() -> None:
    header = {name for name in COLUMNS if not name.startswith(netsuite_module.LINE)}
    lines = {name.removeprefix(netsuite_module.LINE) for name in COLUMNS} - header
    assert header == netsuite_module.DOCUMENTED["header"]
    assert lines <= netsuite_module.DOCUMENTED["line"]
    assert {"Account", "Debit", "Credit"} <= lines
    assert set(quickbooks_module.COLUMNS) == quickbooks_module.DOCUMENTED
    ours = {name for name in focus.COLUMNS if name.startswith("x_")}
    assert set(focus.COLUMNS) - ours >= focus.MANDATORY
    assert len(focus.MANDATORY) == 21


class OtherSide:
    """The ledger behind a file drop: takes what is out, says what it holds, fails as real ones do."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def take(self, lines: int | None = None, moved_to: str | None = None) -> None:
        """Import every file; only so many rows of it, or into another period."""
        for path in (self.folder / "out").glob("*.csv"):
            kept = path.read_text().splitlines()
            text = "\n".join(kept if lines is None else kept[: lines + 1]) + "\n"
            (self.folder / "back").mkdir(exist_ok=True)
            (self.folder / "back" / path.name).write_text(text.replace("Oct 2026", moved_to or "Oct 2026"))


@pytest.fixture
def drop(tmp_path: Path) -> tuple[FileDrop, OtherSide]:
    """A NetSuite behind a folder."""
    return FileDrop(tmp_path, NETSUITE), OtherSide(tmp_path)


def send(ledger: FileDrop, entries: list[JournalEntry]) -> object:
    """Push entries."""
    by_key = {entry.key: entry for entry in entries}
    return push(ledger, "2026-10", tuple(by_key), lambda keys: netsuite([by_key[key] for key in keys])).state


def test_an_export_is_sent_only_once_it_was_read_back(drop: tuple[FileDrop, OtherSide]) -> None:
    ledger, other = drop
    assert send(ledger, OCTOBER) == "waiting"
    assert send(ledger, OCTOBER) == "waiting"  # out, and not back: nothing is written a second time
    assert len(list((ledger.folder / "out").glob("*.csv"))) == 1
    other.take()
    assert send(ledger, OCTOBER) == send(ledger, OCTOBER) == "sent"
    assert len(list((ledger.folder / "out").glob("*.csv"))) == 1


def test_entries_that_came_later_are_sent_alone(drop: tuple[FileDrop, OtherSide]) -> None:
    ledger, other = drop
    send(ledger, OCTOBER[:2])
    assert send(ledger, OCTOBER) == "waiting"
    out = [path.read_text() for path in (ledger.folder / "out").glob("*.csv")]
    sent = sorted(sorted({row["External ID"] for row in rows(text)}) for text in out)
    assert sent == sorted(sorted({entry.key for entry in part}) for part in (OCTOBER[:2], OCTOBER[2:]))
    other.take()
    assert send(ledger, OCTOBER) == "sent"


def test_a_half_failed_import_is_parked_and_not_sent_again(drop: tuple[FileDrop, OtherSide]) -> None:
    ledger, other = drop
    send(ledger, OCTOBER)
    other.take(lines=len(OCTOBER[0].postings))  # one entry landed, the rest did not
    with pytest.raises(ExportParked, match="a part of an import") as parked:
        send(ledger, OCTOBER)
    assert "void" in str(parked.value)
    assert len(list((ledger.folder / "out").glob("*.csv"))) == 1


def test_an_entry_of_which_only_lines_landed_or_that_was_moved_is_parked(drop: tuple[FileDrop, OtherSide]) -> None:
    ledger, other = drop
    send(ledger, OCTOBER)
    other.take(lines=1)
    with pytest.raises(ExportParked, match="other lines"):
        send(ledger, OCTOBER)
    other.take(moved_to="Nov 2026")  # October was closed there: NetSuite moves what is approved later
    with pytest.raises(ExportParked, match="Nov 2026"):
        send(ledger, OCTOBER)


def test_quickbooks_summary_is_matched_by_its_number(tmp_path: Path) -> None:
    ledger, other = FileDrop(tmp_path, QUICKBOOKS), OtherSide(tmp_path)

    def state() -> str:
        return push(ledger, "2026-10", ("2026-10",), lambda _: quickbooks_text(OCTOBER, "2026-10")).state

    assert state() == "waiting"
    other.take()
    assert state() == "sent"


def test_focus_costs_sum_to_what_was_billed_and_to_what_use_cost() -> None:
    october = months()[9]
    found = rows(exports.focus_text([october], "Vela's vendor"))
    assert total(D(row["BilledCost"]) for row in found) == october.total == D("10.00")
    assert total(D(row["EffectiveCost"]) for row in found) == D("90.00")  # 80.00 of prepaid calls, 10.00 of messages
    january = rows(exports.focus_text([months()[0]], "Vela's vendor"))
    assert {row["ChargeCategory"] for row in january} == {"Usage", "Purchase"}
    assert total(D(row["BilledCost"]) for row in january) == D("1810.00")


def test_18_both_books_pass_the_outside_checkers_and_export_what_the_journal_holds(tmp_path: Path) -> None:
    for name, entries in (
        ("company", journal("2026-12")),
        ("euros", tuple(euro_months())),
        ("functional", functional_book(euro_months(), DEFAULT, RATES)),
    ):
        paths = (write_beancount(tmp_path, entries, name=name), write_hledger(tmp_path, entries, name))
        for one in exports.check(paths):
            if one.accepted is None:
                pytest.skip(one.words) if one.checker == "bean-check" else print(one.words)
            assert one.accepted in (True, None), one.words
