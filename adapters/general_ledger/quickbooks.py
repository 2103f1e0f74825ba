"""The journal as a QuickBooks Online import: one summary entry a period and currency, the detail stays here.

Account numbers are off during the import, sub-accounts are `Parent:Sub`, and a receivable needs a customer in `Name`: a
control customer stands there. A repeated journal number is refused by QuickBooks.

`DOCUMENTED` is what Intuit's help, "Import journal entries" (L4tQBwbs7_AU_en_AU, read in November 2026), names.
"""

import csv
import io
from collections.abc import Mapping, Sequence
from datetime import timedelta
from decimal import Decimal

from adapters.general_ledger.accounts import NAMES, NothingToExport, export_of, limited
from adapters.general_ledger.netsuite import us_date
from models.journal import Account, JournalEntry
from models.money import ZERO
from models.period import first_day, next_month

DOCUMENTED = frozenset({"Journal No.", "Journal Date", "Account Name", "Description", "Debits", "Credits", "Name"})
COLUMNS = ("Journal No.", "Journal Date", "Account Name", "Debits", "Credits", "Description", "Name")


def quickbooks_text(
    entries: Sequence[JournalEntry],
    month: str,
    control_customer: str = "Tieout control",
    accounts: Mapping[Account, str] = NAMES,
) -> str:
    """Return a month's entries as one summary entry for each currency.

    Raises:
        NothingToExport, FinerThanTheCurrency, TooLargeForTheLedger: nothing is written.
    """
    own = export_of([entry for entry in entries if entry.period == month])
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    written = 0
    for (currency, account), amount in sorted(_sums(own.entries).items()):
        if not amount:
            continue
        size = limited(abs(amount), currency, account.value)
        sides = (size, "") if amount > 0 else ("", size)
        last_day = us_date(first_day(next_month(month)) - timedelta(days=1))
        name = control_customer if account is Account.RECEIVABLE else ""
        about = f"Tieout {month}: {account.name.lower().replace('_', ' ')}"
        writer.writerow((number_of(month, currency), last_day, accounts[account], *sides, about, name))
        written += 1
    if not written:
        raise NothingToExport("the period's entries cancel out", period=month)
    return text.getvalue()


def number_of(month: str, currency: str) -> str:
    """Return the journal number of a period's summary: by it the entry is found again."""
    return f"T-{month}-{currency}"


def _sums(entries: Sequence[JournalEntry]) -> dict[tuple[str, Account], Decimal]:
    sums: dict[tuple[str, Account], Decimal] = {}
    for entry in entries:
        for one in entry.postings:
            key = (entry.currency, one.account)
            sums[key] = sums.get(key, ZERO) + one.amount
    return sums
