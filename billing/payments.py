"""Payments: what an event of the invoicing platform posts (rules A2, H1, H2), by business keys, in any order."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal

from models.invoice import Invoice, IssuedInvoice
from models.journal import Account, JournalEntry, Posting, Rule
from models.money import from_minor
from models.period import first_day, month_of
from models.refusal import Refusal
from models.stripe_event import Payment, PlatformEvent

PAID = "invoice.paid"
DISPUTED = "charge.dispute.created"
DISPUTE_CLOSED = "charge.dispute.closed"
POSTED = frozenset({PAID, DISPUTED, DISPUTE_CLOSED})
SAID = frozenset({"invoice.payment_failed", "invoice.finalized", "invoice.sent", "invoice.created", "invoice.updated"})
"""Events that post nothing: an invoice that was not paid is still owed."""


class NotThisInvoice(Refusal):
    """An event says another currency than the invoice it is about."""

    remedy = "Look at the invoice in Stripe; nothing was posted."


def entries_of(
    event: PlatformEvent, invoice: Invoice, issued: IssuedInvoice, payment: Payment | None, open_month: str
) -> tuple[JournalEntry, ...]:
    """Return the entries of an event: none for what only says something.

    A key is the invoice's or the dispute's, never the event's: the platform may tell one fact by several events. What a
    dispute takes back is a receivable again; when it is lost it goes through the allowance, and when won it returns.
    `open_month` is the first open one from the event's month on.

    Raises:
        NotThisInvoice: it is in another currency.
    """
    thing = event.about
    if event.type not in POSTED:
        return ()
    if str(thing["currency"]).upper() != invoice.currency:
        raise NotThisInvoice("the event is in another currency", event=event.id, invoice=invoice.reference)
    day = event.created.date() if month_of(event.created.date()) == open_month else first_day(open_month)
    maker = _Maker(invoice, issued, open_month, day)
    if event.type == PAID:
        amount, fee = from_minor(int(thing["amount_paid"]), invoice.currency), payment.fee if payment else Decimal(0)
        return maker.some(
            maker.entry(
                f"payment/{issued.stripe_id}",
                Rule.A2,
                "Invoice paid",
                (Account.CLEARING, amount - fee),
                (Account.PAYMENT_FEES, fee),
                (Account.RECEIVABLE, -amount),
            )
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
