"""Payments: what an event of the invoicing platform posts (rules A2, E4, H1 to H3), by business keys, in any order."""

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from billing.settlements import due_of, written_off
from models.invoice import Invoice, IssuedInvoice
from models.journal import Account, JournalEntry, Posting, Rule
from models.money import from_minor
from models.period import first_day, month_of
from models.refusal import Refusal
from models.stripe_event import Payment, PlatformEvent

PAID = "invoice.paid"
FINALIZED = "invoice.finalized"
DISPUTED = "charge.dispute.created"
DISPUTE_CLOSED = "charge.dispute.closed"
POSTED = frozenset({PAID, FINALIZED, DISPUTED, DISPUTE_CLOSED})
SAID = frozenset({"invoice.payment_failed", "invoice.sent", "invoice.created", "invoice.updated"})
"""Events that post nothing: an invoice that was not paid is still owed."""


class OwedBefore(Refusal):
    """The customer's balance at the platform was a debt, which this invoice asks for: we book no such debt."""

    remedy = "Set the balance to zero in Stripe and bill the debt by an invoice; then tieout invoice apply-event."


class NotThisInvoice(Refusal):
    """An event says another currency than the invoice it is about."""

    remedy = "Look at the invoice in Stripe; nothing was posted."


def keys_of(issued: IssuedInvoice) -> tuple[str, str, str]:
    """Return the keys of what an issued invoice's payment posts: balance used, recovery, payment."""
    return f"balance/{issued.stripe_id}", f"recovery/{issued.stripe_id}", f"payment/{issued.stripe_id}"


def entries_of(
    event: PlatformEvent,
    invoice: Invoice,
    issued: IssuedInvoice,
    payment: Payment | None,
    open_month: str,
    booked: Sequence[JournalEntry] = (),
) -> tuple[JournalEntry, ...]:
    """Return the entries of an event: none for what only says something.

    A key is the invoice's or the dispute's, never the event's: the platform may tell one fact by several events. What a
    dispute takes back is a receivable again; when it is lost it goes through the allowance, and when won it returns.
    `open_month` is the first open one from the event's month on. `booked` are the customer's entries so far: a payment
    of what was written off is recovered first (H3).

    Raises:
        NotThisInvoice: it is in another currency. OwedBefore: it asks for an older debt.
    """
    thing = event.about
    if event.type not in POSTED:
        return ()
    if str(thing["currency"]).upper() != invoice.currency:
        raise NotThisInvoice("the event is in another currency", event=event.id, invoice=invoice.reference)
    day = event.created.date() if month_of(event.created.date()) == open_month else first_day(open_month)
    maker = _Maker(invoice, issued, open_month, day)
    if event.type == FINALIZED:
        return maker.some(_balance_used(thing, maker))
    if event.type == PAID:
        amount, fee = from_minor(int(thing["amount_paid"]), invoice.currency), payment.fee if payment else Decimal(0)
        balance = _balance_used(thing, maker)
        return maker.some(
            balance,
            _recovered(amount, maker, booked, balance),
            maker.entry(
                f"payment/{issued.stripe_id}",
                Rule.A2,
                "Invoice paid",
                (Account.CLEARING, amount - fee),
                (Account.PAYMENT_FEES, fee),
                (Account.RECEIVABLE, -amount),
            ),
        )
    amount = from_minor(int(thing["amount"]), invoice.currency)
    name = f"dispute/{thing['id']}"
    taken = maker.entry(
        f"{name}/taken",
        Rule.A2,
        "Disputed payment taken back",
        (Account.RECEIVABLE, amount),
        (Account.CLEARING, -amount),
    )
    if event.type == DISPUTED:
        return maker.some(taken)
    if thing["status"] == "won":
        back = maker.entry(
            f"{name}/won", Rule.A2, "Dispute won", (Account.CLEARING, amount), (Account.RECEIVABLE, -amount)
        )
        return maker.some(taken, back)
    if thing["status"] != "lost":
        return maker.some(taken)
    expense = maker.entry(
        f"{name}/expense", Rule.H1, "Dispute lost", (Account.CREDIT_LOSS, amount), (Account.ALLOWANCE, -amount)
    )
    off = maker.entry(
        f"{name}/written-off", Rule.H2, "Dispute lost", (Account.ALLOWANCE, amount), (Account.RECEIVABLE, -amount)
    )
    return maker.some(taken, expense, off)


def _balance_used(invoice: Mapping[str, Any], maker: "_Maker") -> JournalEntry | None:
    """Return what an invoice took of the customer's balance when it was finalized (E4); credit is negative there."""
    before, after = invoice.get("starting_balance") or 0, invoice.get("ending_balance")
    used = from_minor(int(after) - int(before), maker.invoice.currency) if after is not None else Decimal(0)
    if used < 0:
        raise OwedBefore("the invoice asks for what was owed before", invoice=maker.invoice.reference, owed=-used)
    key = f"balance/{maker.issued.stripe_id}"
    sides = ((Account.CUSTOMER_BALANCE, used), (Account.RECEIVABLE, -used))
    return maker.entry(key, Rule.E4, "Customer balance used", *sides)


def _recovered(
    paid: Decimal, maker: "_Maker", booked: Sequence[JournalEntry], balance: JournalEntry | None
) -> JournalEntry | None:
    """Return the receivable back for what is paid beyond what is due in the books, up to what was written off.

    What the invoice took of the customer's balance is paid already, whether or not it was booked before.
    """
    reference, own = maker.invoice.reference, keys_of(maker.issued)
    before = [entry for entry in booked if entry.key not in own]
    before += [balance] if balance else []
    beyond = max(paid - due_of(reference, before), Decimal(0))
    back = min(beyond, max(written_off(reference, before), Decimal(0)))
    sides = ((Account.RECEIVABLE, back), (Account.ALLOWANCE, -back))
    return maker.entry(f"recovery/{maker.issued.stripe_id}", Rule.H3, "Paid after it was written off", *sides)


class _Maker:
    """Makes the entries of one event about one invoice."""

    def __init__(self, invoice: Invoice, issued: IssuedInvoice, month: str, day: date) -> None:
        self.invoice = invoice
        self.issued = issued
        self.month = month
        self.day = day

    def some(self, *entries: JournalEntry | None) -> tuple[JournalEntry, ...]:
        """Return the entries there are."""
        return tuple(entry for entry in entries if entry is not None)

    def entry(self, key: str, rule: Rule, text: str, *sides: tuple[Account, Decimal]) -> JournalEntry | None:
        """Return an entry of these sides, without those of nothing."""
        postings: Sequence[Posting] = [Posting(account=account, amount=amount) for account, amount in sides if amount]
        if not postings:
            return None
        invoice = self.invoice
        return JournalEntry(
            key=key,
            rule=rule,
            customer=invoice.customer,
            contract=invoice.contract,
            period=self.month,
            posted_on=self.day,
            currency=invoice.currency,
            description=f"{text}: {self.issued.number}",
            postings=tuple(postings),
            statement=invoice.statement,
            invoice=invoice.reference,
        )
