"""The journal as a NetSuite journal import: a row a posting, the entry's values repeated, one `External ID` an entry.

NetSuite refuses the whole file for one entry that does not balance, takes amounts of at most ten digits and two
decimals, and moves an entry of a closed period into an open one; so what it cannot hold is refused here, and nothing
counts as sent until it was read back (`runtime/ledger_push.py`).

`DOCUMENTED` is what NetSuite's help names for this import: "Journal Entry and Intercompany Journal Entry Header Fields
Table" (section_1534492479) and its line-level table (section_1534492737), read in November 2026; currency, rate and
external id are in its records browser. A line's column carries the sublist's name, as the field mapping shows it.
"""

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from decimal import Decimal

from adapters.general_ledger.accounts import NAMES, export_of, limited
from models.journal import Account, JournalEntry
from models.value import decimal_text

COLUMNS = (
    "External ID", "Date", "Posting Period", "Subsidiary", "Currency", "Exchange Rate", "Memo", "Approved",
    "Reversal Date", "Journal Entry - Line: Account", "Journal Entry - Line: Debit", "Journal Entry - Line: Credit",
    "Journal Entry - Line: Memo", "Journal Entry - Line: Name",
)  # fmt: skip
DOCUMENTED = {
    "header": frozenset({
        "External ID", "Date", "Posting Period", "Subsidiary", "Currency", "Exchange Rate", "Memo", "Approved",
        "Reversal Date",
    }),
    "line": frozenset({"Account", "Debit", "Credit", "Memo", "Name", "Location", "Department", "Class"}),
}  # fmt: skip
LINE = "Journal Entry - Line: "
ACCOUNT, DEBIT, CREDIT = COLUMNS[9:12]


def netsuite_text(
    entries: Sequence[JournalEntry],
    subsidiary: str,
    rate_on: Callable[[str, date], Decimal],
    accounts: Mapping[Account, str] = NAMES,
) -> str:
    """Return entries as CSV. `rate_on` gives what a currency is worth in the subsidiary's on a day.

    Raises:
        NothingToExport, FinerThanTheCurrency, TooLargeForTheLedger: nothing is written.
    """
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for entry in export_of(entries).entries:
        head = {
            "External ID": entry.key,
            "Date": us_date(entry.posted_on),
            "Posting Period": entry.posted_on.strftime("%b %Y"),
            "Subsidiary": subsidiary,
            "Currency": entry.currency,
            "Exchange Rate": decimal_text(rate_on(entry.currency, entry.posted_on)),
            "Memo": f"{entry.rule.value} {entry.description}",
            "Approved": "TRUE",
        }
        for one in entry.postings:
            amount = limited(abs(one.amount), entry.currency, entry.key)
            writer.writerow(
                head
                | {ACCOUNT: accounts[one.account], DEBIT if one.amount > 0 else CREDIT: amount}
                | {COLUMNS[12]: one.obligation or "", COLUMNS[13]: entry.customer}
            )
    return text.getvalue()


def us_date(day: date) -> str:
    """Return a day as both importers take it by default: MM/DD/YYYY."""
    return day.strftime("%m/%d/%Y")
