"""Settlements: what two people book about money owed (E3, E4, G1, H1 to H3), never for more than the journal holds."""

from collections.abc import Sequence
from decimal import Decimal

from models.event import Allowance, BalanceUse, Recovery, Refund, Remittance, WriteOff
from models.journal import Account, JournalEntry, Posting, Rule
from models.money import ZERO, total
from models.refusal import Refusal

Settlement = Remittance | Allowance | WriteOff | Recovery | BalanceUse | Refund
Booked = tuple[Rule, str, list[Posting]]


class EventRefused(Refusal):
    """An event does not fit what the journal holds on its day."""

    remedy = "Correct the event, or give the statements and events that came before it."


def booked(event: Settlement, own: Sequence[JournalEntry]) -> Booked:
    """Return the rule, words and postings of an event, given the contract's entries so far.

    Raises:
        EventRefused: it asks for more than there is.
    """
    match event:
        case Remittance():
            return Rule.G1, f"Sales tax remitted: {event.reason}", _remittance(event, own)
        case Allowance():
            return Rule.H1, f"Allowance for credit losses: {event.reason}", _allowance(event, own)
        case WriteOff():
            return Rule.H2, f"Written off: {event.reason}", _write_off(event, own)
        case Recovery():
            return Rule.H3, f"Recovered: {event.reason}", _recovery(event, own)
        case BalanceUse():
            return Rule.E4, f"Customer balance used: {event.reason}", _balance_use(event, own)
        case Refund():
            return Rule.E3, f"Refunded: {event.reason}", _refund(event, own)


def due_of(invoice: str, own: Sequence[JournalEntry]) -> Decimal:
    """Return what is due of an invoice: what 1100 holds of it."""
    return _held(Account.RECEIVABLE, [entry for entry in own if entry.invoice == invoice])


def _remittance(event: Remittance, own: Sequence[JournalEntry]) -> list[Posting]:
    owed = _owed(Account.SALES_TAX, own)
    _refuse_more(event.id, event.amount, owed, "more tax is remitted than is owed")
    tax = Posting(account=Account.SALES_TAX, amount=event.amount, obligation="tax")
    return [tax, Posting(account=Account.CLEARING, amount=-event.amount)]


def _allowance(event: Allowance, own: Sequence[JournalEntry]) -> list[Posting]:
    due = _held(Account.RECEIVABLE, own)
    _refuse_more(event.id, event.expected_loss, due, "a larger loss is expected than is due")
    more = event.expected_loss - _owed(Account.ALLOWANCE, own)
    return _sides((Account.CREDIT_LOSS, more), (Account.ALLOWANCE, -more))


def _write_off(event: WriteOff, own: Sequence[JournalEntry]) -> list[Posting]:
    """Return the loss through the allowance; what was not allowed for is an expense now."""
    _refuse_more(event.id, event.amount, due_of(event.invoice, own), "more is written off than is due")
    loss = event.amount - event.tax
    allowed = min(loss, max(_owed(Account.ALLOWANCE, own), ZERO))
    tax = [Posting(account=Account.SALES_TAX, amount=event.tax, obligation="tax")] if event.tax else []
    sides = _sides(
        (Account.ALLOWANCE, allowed), (Account.CREDIT_LOSS, loss - allowed), (Account.RECEIVABLE, -event.amount)
    )
    return [*tax, *sides]


def _recovery(event: Recovery, own: Sequence[JournalEntry]) -> list[Posting]:
    """Return the receivable back from the allowance, and its payment."""
    _refuse_more(event.id, event.amount, written_off(event.invoice, own), "more is recovered than was written off")
    return _sides(
        (Account.RECEIVABLE, event.amount),
        (Account.ALLOWANCE, -event.amount),
        (Account.CLEARING, event.amount - event.fee),
        (Account.PAYMENT_FEES, event.fee),
        (Account.RECEIVABLE, -event.amount),
    )


def written_off(invoice: str, own: Sequence[JournalEntry]) -> Decimal:
    """Return what write-offs took of an invoice, less what recoveries gave back to the allowance."""
    of_invoice = [entry for entry in own if entry.invoice == invoice]
    off = _owed(Account.RECEIVABLE, [entry for entry in of_invoice if entry.rule is Rule.H2])
    return off - _owed(Account.ALLOWANCE, [entry for entry in of_invoice if entry.rule is Rule.H3])


def _balance_use(event: BalanceUse, own: Sequence[JournalEntry]) -> list[Posting]:
    _refuse_more(event.id, event.amount, _owed(Account.CUSTOMER_BALANCE, own), "the customer's balance holds less")
    _refuse_more(event.id, event.amount, due_of(event.invoice, own), "less is due of the invoice")
    return _sides((Account.CUSTOMER_BALANCE, event.amount), (Account.RECEIVABLE, -event.amount))


def _refund(event: Refund, own: Sequence[JournalEntry]) -> list[Posting]:
    account = Account.CUSTOMER_BALANCE if event.of == "balance" else Account.REFUND_LIABILITY
    _refuse_more(event.id, event.amount, _owed(account, own), "more is refunded than is owed")
    return [*_taken(account, event.amount, own), Posting(account=Account.CLEARING, amount=-event.amount)]


def _taken(account: Account, amount: Decimal, own: Sequence[JournalEntry]) -> list[Posting]:
    """Return what an amount takes of a liability: from each obligation what it holds, in their order."""
    held: dict[tuple[str | None, str | None], Decimal] = {}
    for entry in own:
        for one in entry.postings:
            if one.account is account:
                place = (one.obligation, one.grant)
                held[place] = held.get(place, ZERO) - one.amount
    taken = []
    for (obligation, grant), owed in sorted(held.items(), key=str):
        part = min(max(owed, ZERO), amount)
        amount -= part
        if part:
            taken.append(Posting(account=account, amount=part, obligation=obligation, grant=grant))
    return taken


def _sides(*sides: tuple[Account, Decimal]) -> list[Posting]:
    return [Posting(account=account, amount=amount) for account, amount in sides]


def _held(account: Account, own: Sequence[JournalEntry]) -> Decimal:
    return total(one.amount for entry in own for one in entry.postings if one.account is account)


def _owed(account: Account, own: Sequence[JournalEntry]) -> Decimal:
    return -_held(account, own)


def _refuse_more(event: str, asked: Decimal, there: Decimal, words: str) -> None:
    if asked > there:
        raise EventRefused(words, event=event, asked=asked, there=there)
