"""The journal as a Beancount file, with the switches that catch what Beancount lets pass by default.

Checked from outside: `bean-check --no-cache --json close.beancount`. Beancount itself is never imported.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path

from adapters.general_ledger.accounts import NAMES, Export, amount_text, by_account, export_of
from models.journal import JournalEntry, Posting
from models.value import instant_text

PLUGIN = "tieout_locks"
PLUGIN_SOURCE = Path(__file__).with_name("locks_plugin.py")
_SWITCHES = """\
option "tolerance_multiplier" "0"
option "insert_pythonpath" "TRUE"
plugin "beancount.plugins.noduplicates"
plugin "beancount.plugins.check_commodity"
plugin "beancount.plugins.leafonly"
plugin "tieout_locks"
"""


def beancount_text(
    entries: Sequence[JournalEntry],
    posted_at: Mapping[str, datetime] | None = None,
    locks: Mapping[str, datetime] | None = None,
) -> str:
    """Return entries as a Beancount ledger: accounts opened with their currencies, balances asserted at the end.

    `posted_at` gives the recorded instant of an entry's key, `locks` that of a locked month: an entry recorded after
    its month was locked fails the check.

    Raises:
        NothingToExport, FinerThanTheCurrency: nothing is written.
    """
    export = export_of(entries)
    return "\n".join(_lines(export, posted_at or {}, locks or {})) + "\n"


def write_beancount(
    folder: Path,
    entries: Sequence[JournalEntry],
    posted_at: Mapping[str, datetime] | None = None,
    locks: Mapping[str, datetime] | None = None,
    name: str = "close",
) -> Path:
    """Write `close.beancount`, with the plugin it loads beside it, and return its path."""
    ledger = folder / f"{name}.beancount"
    ledger.write_text(beancount_text(entries, posted_at, locks))
    (folder / f"{PLUGIN}.py").write_text(PLUGIN_SOURCE.read_text())
    return ledger


def _lines(export: Export, posted_at: Mapping[str, datetime], locks: Mapping[str, datetime]) -> Iterator[str]:
    for currency in export.currencies:
        yield f'option "operating_currency" "{currency}"'
    yield _SWITCHES
    for currency in export.currencies:
        yield f"{export.opens_on} commodity {currency}"
    for account, currencies in by_account(export):
        yield f"{export.opens_on} open {NAMES[account]} {','.join(currencies)}"
        yield f'  code: "{account.value}"'
    for month, locked_at in sorted(locks.items()):
        yield f'{export.opens_on} custom "period-lock" {_quoted(month)} {_quoted(instant_text(locked_at))}'
    for entry in export.entries:
        yield ""
        yield from _entry(entry, posted_at.get(entry.key))
    yield ""
    for (account, currency), amount in export.balances.items():
        # Without "~ 0" Beancount allows a difference of half the last digit.
        yield f"{export.closes_on} balance {NAMES[account]} {amount_text(amount, currency)} ~ 0 {currency}"


def _entry(entry: JournalEntry, posted_at: datetime | None) -> Iterator[str]:
    # The link tells equal entries of one day apart, which `noduplicates` would take for one.
    link = f"^JE-{entry.fingerprint()[:16]}"
    text = _quoted(f"{entry.rule.value} {entry.description}")
    yield f"{entry.posted_on} * {_quoted(entry.customer)} {text} #P{entry.period} {link}"
    facts = {
        "je_id": entry.key,
        "contract": entry.contract,
        "statement": entry.statement,
        "invoice": entry.invoice,
        "accrued": "yes" if entry.accrued else None,
        "close_run": entry.close_run,
        "period": entry.period,
        "posted_at": instant_text(posted_at) if posted_at else None,
    }
    yield from (f"  {name}: {_quoted(fact)}" for name, fact in facts.items() if fact is not None)
    for posting in entry.postings:
        yield f"  {NAMES[posting.account]}  {amount_text(posting.amount, entry.currency, entry.key)} {entry.currency}"
        yield from (f"    {name}: {_quoted(fact)}" for name, fact in _facts(posting))


def _facts(posting: Posting) -> Iterator[tuple[str, str]]:
    for name in ("obligation", "grant", "meter", "model", "rated_line"):
        fact = getattr(posting, name)
        if fact is not None:
            yield name, fact


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ")
    return f'"{escaped}"'
