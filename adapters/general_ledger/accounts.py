"""Accounts and amounts as plain-text ledgers spell them, and what both exports refuse."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from models.journal import Account, JournalEntry
from models.money import ZERO, minor_digits
from models.refusal import Refusal

NAMES: Mapping[Account, str] = {
    Account.CLEARING: "Assets:Clearing:Stripe",
    Account.RECEIVABLE: "Assets:Receivable:Trade",
    Account.UNBILLED: "Assets:Receivable:Unbilled",
    Account.CONTRACT_ASSET: "Assets:Contract:DrawnAhead",
    Account.ALLOWANCE: "Assets:Receivable:Allowance",
    Account.DEFERRED_TIME: "Liabilities:Contract:DeferredRevenue",
    Account.PREPAID: "Liabilities:Contract:PrepaidCredits",
    Account.CUSTOMER_BALANCE: "Liabilities:Contract:CustomerBalance",
    Account.REFUND_LIABILITY: "Liabilities:Contract:Refunds",
    Account.SALES_TAX: "Liabilities:SalesTax",
    Account.UNCLAIMED: "Liabilities:UnclaimedProperty",
    Account.OPENING: "Equity:Opening",
    Account.PLATFORM_FEE: "Income:Fees:Platform",
    Account.USAGE: "Income:Usage:PayAsYouGo",
    Account.USAGE_PREPAID: "Income:Usage:Prepaid",
    Account.OVERAGE: "Income:Usage:Overage",
    Account.SHORTFALL: "Income:Commitment:Shortfall",
    Account.BREAKAGE: "Income:Commitment:Breakage",
    Account.DISCOUNTS: "Income:Contra:Discounts",
    Account.PROMOTIONAL: "Income:Contra:Promotional",
    Account.CREDIT_NOTES: "Income:Contra:CreditNotes",
    Account.BILLING_CORRECTIONS: "Income:Contra:Corrections",
    Account.CREDIT_LOSS: "Expenses:CreditLoss",
    Account.PAYMENT_FEES: "Expenses:PaymentFees",
    Account.FX_REALIZED: "Expenses:Exchange:Realized",
    Account.FX_UNREALIZED: "Expenses:Exchange:Unrealized",
}
"""Accounts by what they are; ids of contracts and grants are metadata, never inside a name."""


class FinerThanTheCurrency(Refusal):
    """An amount has more decimals than its currency: hledger lets 0.004 pass, so it is refused before it is written."""

    remedy = "Find the entry that was not rounded; a booked amount is at the currency's minor unit."


class NothingToExport(Refusal):
    """There are no entries: a ledger of nothing proves nothing."""

    remedy = "Export a period that has entries."


class TooLargeForTheLedger(Refusal):
    """An amount has more digits than the other ledger's import takes."""

    remedy = "Export by a ledger that holds it (Beancount, hledger), or book the entry there by hand."


_MOST_DIGITS, _MOST_DECIMALS = 10, 2


@dataclass(frozen=True, slots=True)
class Export:
    """Entries in the order of their dates, with what both formats say before and after them."""

    entries: tuple[JournalEntry, ...]
    opens_on: date
    closes_on: date  # the morning after the last entry: balances are asserted there
    currencies: tuple[str, ...]
    balances: Mapping[tuple[Account, str], Decimal]


def export_of(entries: Sequence[JournalEntry]) -> Export:
    """Return entries ready to be written, by date, then in the order given.

    Raises:
        NothingToExport, FinerThanTheCurrency: nothing is written.
    """
    if not entries:
        raise NothingToExport("there are no entries to export")
    ordered = tuple(sorted(entries, key=lambda entry: entry.posted_on))
    balances: dict[tuple[Account, str], Decimal] = {}
    for entry in ordered:
        for posting in entry.postings:
            amount_text(posting.amount, entry.currency, entry.key)
            place = (posting.account, entry.currency)
            balances[place] = balances.get(place, ZERO) + posting.amount
    return Export(
        entries=ordered,
        opens_on=ordered[0].posted_on,
        closes_on=ordered[-1].posted_on + timedelta(days=1),
        currencies=tuple(sorted({entry.currency for entry in ordered})),
        balances=dict(sorted(balances.items())),
    )


def amount_text(amount: Decimal, currency: str, key: str = "") -> str:
    """Return an amount with exactly the currency's decimals; raises FinerThanTheCurrency."""
    digits = minor_digits(currency)
    text = f"{amount:.{digits}f}"
    if Decimal(text) != amount:
        raise FinerThanTheCurrency("an amount is finer than its currency", amount=amount, currency=currency, entry=key)
    return text


def limited(amount: Decimal, currency: str, key: str) -> str:
    """Return an amount as importers take it: ten digits and two decimals; raises TooLargeForTheLedger, or finer."""
    text = amount_text(amount, currency, key)
    whole, _, decimals = text.lstrip("-").partition(".")
    if len(decimals) > _MOST_DECIMALS:
        raise FinerThanTheCurrency("the ledger takes two decimals", amount=amount, currency=currency, entry=key)
    if len(whole) > _MOST_DIGITS:
        raise TooLargeForTheLedger("the ledger takes ten digits", amount=amount, currency=currency, entry=key)
    return text


def by_account(export: Export) -> Iterable[tuple[Account, tuple[str, ...]]]:
    """Yield each account in use with its currencies, by account."""
    used: dict[Account, list[str]] = {}
    for account, currency in export.balances:
        used.setdefault(account, []).append(currency)
    for account, currencies in sorted(used.items()):
        yield account, tuple(currencies)
