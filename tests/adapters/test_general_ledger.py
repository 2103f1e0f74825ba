"""Both exports, read by the real programs: what they accept, and what they must catch when it is broken on purpose."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from adapters.general_ledger.accounts import NAMES, FinerThanTheCurrency, NothingToExport
from adapters.general_ledger.beancount import beancount_text, write_beancount
from adapters.general_ledger.hledger import CHECKS, hledger_text, write_hledger
from billing import posting, recognition
from models.journal import Account, JournalEntry, Posting, Rule
from tests.adapters.postgres.rows import an_entry
from tests.billing.test_posting import OCTOBER
from tests.statement_builders import an_invoice

BEAN_CHECK = Path(sys.executable).with_name("bean-check")
BEAN_QUERY = Path(sys.executable).with_name("bean-query")


def entries() -> tuple[JournalEntry, ...]:
    """Return a month's entries, with two equal ones of another customer and one in yen."""
    yen = an_entry("jpy", "150", "tokyo").model_copy(update={"currency": "JPY"})
    month = posting.entries_for(
        OCTOBER, an_invoice(OCTOBER), recognition.schedule_for(OCTOBER), post_to="2026-10", close_run="2026-10@1"
    )
    opening = an_entry("opening/old", "2.50", "old").model_copy(
        update={
            "rule": Rule.O1,
            "postings": (
                Posting(account=Account.RECEIVABLE, amount=Decimal("2.50")),
                Posting(account=Account.OPENING, amount=Decimal("-2.50")),
            ),
        }
    )
    return (opening, *month, an_entry("top-up-1"), an_entry("top-up-2"), yen)


def bean_check(ledger: Path) -> list[str]:
    """Return what bean-check complains about."""
    run = subprocess.run([BEAN_CHECK, "--no-cache", "--json", ledger], capture_output=True, text=True, check=False)
    told = [error["message"] for error in json.loads(run.stdout)["errors"]]
    assert (run.returncode == 0) == (not told), run.stdout + run.stderr
    return told


def hledger_check(journal: Path) -> str:
    """Return what hledger complains about; skip where there is no hledger, except under CI, where it must be there."""
    program = shutil.which("hledger")
    if program is None:
        if os.environ.get("CI") == "true":
            pytest.fail("hledger is not installed: apt-get install hledger")
        pytest.skip("NOT CHECKED: hledger is not installed (apt-get install hledger)")
    environment = {"PATH": os.defpath, "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8"}
    run = subprocess.run(
        [program, "-f", journal, "check", *CHECKS], capture_output=True, text=True, check=False, env=environment
    )
    return run.stderr if run.returncode else ""


def test_every_account_has_a_name() -> None:
    assert set(NAMES) == set(Account)
    assert len(set(NAMES.values())) == len(NAMES)


def test_both_programs_accept_a_month(tmp_path: Path) -> None:
    assert bean_check(write_beancount(tmp_path, entries())) == []
    assert hledger_check(write_hledger(tmp_path, entries())) == ""


def test_what_bean_query_sums_is_what_we_sum(tmp_path: Path) -> None:
    ledger = write_beancount(tmp_path, entries())
    query = "SELECT account, currency, sum(number) GROUP BY account, currency ORDER BY account, currency"
    run = subprocess.run([BEAN_QUERY, "-f", "csv", ledger, query], capture_output=True, text=True, check=True)
    theirs = {}
    for line in run.stdout.splitlines()[1:]:
        account, currency, number = (cell.strip() for cell in line.split(","))
        theirs[account, currency] = Decimal(number)
    ours: dict[tuple[str, str], Decimal] = {}
    for entry in entries():
        for line_of in entry.postings:
            place = (NAMES[line_of.account], entry.currency)
            ours[place] = ours.get(place, Decimal(0)) + line_of.amount
    assert theirs == ours


BROKEN: dict[str, tuple[str, str, bool, bool]] = {
    # what is broken: (pattern, replacement, bean-check catches it, hledger catches it)
    "off by a cent": (r"(DeferredRevenue  )-2000\.00 USD", r"\g<1>-2000.01 USD", True, True),
    # hledger alone takes 0.004 for balanced; the balance asserted at the end is what shows it.
    "off by 0.004": (r"(DeferredRevenue  )-2000\.00 USD", r"\g<1>-2000.004 USD", True, True),
    "two currencies in one entry": (r"(SalesTax  )-31\.00 USD", r"\g<1>-31.00 JPY", True, True),
    "balance wrong by one": (
        r"(SalesTax .*)-31\.00( ~ 0 USD| USD$)(?![\s\S]*SalesTax)",
        r"\g<1>-32.00\g<2>",
        True,
        True,
    ),
    "balance wrong by a cent": (
        r"(SalesTax .*)-31\.00( ~ 0 USD| USD$)(?![\s\S]*SalesTax)",
        r"\g<1>-31.01\g<2>",
        True,
        True,
    ),
    "unknown account": (r"(?m)^( +)Income:Usage:Prepaid  ", r"\g<1>Income:Usage:Elsewhere  ", True, True),
    "unknown currency": (r"(?m)^( +\S+  -?150) JPY\b", r"\g<1> XYZ", True, True),
}


@pytest.mark.parametrize("what", BROKEN)
def test_what_is_broken_on_purpose_is_caught(tmp_path: Path, what: str) -> None:
    pattern, replacement, by_beancount, by_hledger = BROKEN[what]

    def damaged(file: Path) -> Path:
        text, count = re.subn(pattern, replacement, file.read_text(), flags=re.MULTILINE)
        assert count, f"{what}: nothing was broken in {file.name}"
        file.write_text(text)
        return file

    assert bool(bean_check(damaged(write_beancount(tmp_path, entries())))) == by_beancount
    assert bool(hledger_check(damaged(write_hledger(tmp_path, entries())))) == by_hledger


def test_the_same_entry_twice_is_caught_and_two_equal_ones_are_not(tmp_path: Path) -> None:
    ledger = write_beancount(tmp_path, entries())
    whole = ledger.read_text()
    before, entry, _ = re.split(r"(?m)^(2026-10-01 \* \"acme\" .*\n(?: .*\n)+)", whole, maxsplit=1)
    assert "top-up-1" in entry
    assert before
    ledger.write_text(whole.replace(entry, entry + "\n" + entry))
    assert any("uplicate" in message for message in bean_check(ledger))


def test_an_entry_recorded_after_the_lock_is_caught(tmp_path: Path) -> None:
    lock = datetime(2026, 11, 5, tzinfo=UTC)
    posted_at = {entry.key: datetime(2026, 11, 4, tzinfo=UTC) for entry in entries()}
    assert bean_check(write_beancount(tmp_path, entries(), posted_at, {"2026-10": lock})) == []
    posted_at["top-up-1"] = datetime(2026, 11, 6, tzinfo=UTC)
    [told] = bean_check(write_beancount(tmp_path, entries(), posted_at, {"2026-10": lock}))
    assert told == "entry top-up-1 was recorded after 2026-10 was locked"


@pytest.mark.parametrize("export", [beancount_text, hledger_text])
def test_nothing_finer_than_the_currency_is_written(export: Callable[[tuple[JournalEntry, ...]], str]) -> None:
    entry = an_entry()
    fine = tuple(line.model_copy(update={"amount": line.amount + Decimal("0.004")}) for line in entry.postings)
    with pytest.raises(FinerThanTheCurrency):
        export((entry.model_copy(update={"postings": fine}),))
    with pytest.raises(NothingToExport):
        export(())


def test_texts_that_would_end_a_field_are_made_plain(tmp_path: Path) -> None:
    odd = an_entry().model_copy(update={"description": 'a "quoted"; text, with | and \\ and\nmore'})
    assert bean_check(write_beancount(tmp_path, (odd,))) == []
    assert hledger_check(write_hledger(tmp_path, (odd,))) == ""
