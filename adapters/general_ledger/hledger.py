"""The journal as an hledger file: every account, commodity and payee declared, balances asserted at the end.

Checked from outside:
`hledger -f close.journal check accounts commodities payees ordereddates balancednoautoconversion`.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

from adapters.general_ledger.accounts import NAMES, Export, amount_text, by_account, export_of
from models.journal import JournalEntry, Posting
from models.money import minor_digits

CHECKS = ("accounts", "commodities", "payees", "ordereddates", "balancednoautoconversion")
_PAYEE_OF_BALANCES = "tieout"
_TYPES = {"1": "A", "2": "L", "3": "E", "4": "R", "6": "X", "7": "X"}


def hledger_text(entries: Sequence[JournalEntry]) -> str:
    """Return entries as an hledger journal.

    Raises:
        NothingToExport, FinerThanTheCurrency: nothing is written; hledger would not see a third decimal.
    """
    return "\n".join(_lines(export_of(entries))) + "\n"


def write_hledger(folder: Path, entries: Sequence[JournalEntry]) -> Path:
    """Write `close.journal` and return its path."""
    journal = folder / "close.journal"
    journal.write_text(hledger_text(entries))
    return journal


def _lines(export: Export) -> Iterator[str]:
    yield "decimal-mark ."
    for currency in export.currencies:
        yield f"commodity 1000.{'0' * minor_digits(currency)} {currency}"
    for account, _ in by_account(export):
        # Two spaces before the comment: with one it would be part of the account's name.
        yield f"account {NAMES[account]}  ; type:{_TYPES[account.value[0]]}, code:{account.value}"
    for payee in sorted({_PAYEE_OF_BALANCES, *(entry.customer for entry in export.entries)}):
        yield f"payee {payee}"
    for entry in export.entries:
        yield ""
        yield from _entry(entry)
    yield ""
    yield f"{export.closes_on} * (balances) {_PAYEE_OF_BALANCES} | what every account holds"
    one_currency = {account: len(currencies) == 1 for account, currencies in by_account(export)}
    for (account, currency), amount in export.balances.items():
        zero = amount_text(amount - amount, currency)
        alone = "==" if one_currency[account] else "="
        yield f"    {NAMES[account]}  {zero} {currency} {alone} {amount_text(amount, currency)} {currency}"


def _entry(entry: JournalEntry) -> Iterator[str]:
    code = f"JE-{entry.fingerprint()[:16]}"
    text = _plain(f"{entry.rule.value} {entry.description}")
    facts = {"je": entry.key, "contract": entry.contract, "period": entry.period, "invoice": entry.invoice}
    tags = ", ".join(f"{name}:{_plain(fact)}" for name, fact in facts.items() if fact)
    yield f"{entry.posted_on} * ({code}) {entry.customer} | {text}  ; {tags}"
    for posting in entry.postings:
        amount = f"{amount_text(posting.amount, entry.currency, entry.key)} {entry.currency}"
        tags = ", ".join(_tags(posting))
        yield f"    {NAMES[posting.account]}  {amount}" + (f"  ; {tags}" if tags else "")


def _tags(posting: Posting) -> Iterator[str]:
    for name in ("obligation", "grant", "meter", "model"):
        fact = getattr(posting, name)
        if fact is not None:
            yield f"{name}:{_plain(fact)}"


def _plain(text: str) -> str:
    """Return text without what ends a tag, a description or a line in hledger."""
    return " ".join(text.translate(str.maketrans(";,|\n", "  / ")).split())
