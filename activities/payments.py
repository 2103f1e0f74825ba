"""payments: apply what the invoicing platform tells about issued invoices, once, in whatever order it comes."""

from datetime import UTC

from temporalio import activity

from activities.deeds import Outside
from activities.messages import ApplyEvent, EventApplied
from activities.post import refuse_overdrawn
from billing import payments
from models.correction import CorrectionStep
from models.invoice import Invoice, IssuedInvoice
from models.period import month_of
from models.refusal import Refusal
from models.stripe_event import EventTaken, Fate, Payment, PlatformEvent
from models.value import decimal_text

_TAKEN_BACK = "invoice.voided"
_CREDITED = frozenset({"credit_note.created", "credit_note.updated"})
_REFERENCE = "tieout_reference"


class NoEvent(Refusal):
    """No event has this id."""

    remedy = "See what was received: tieout invoice events."


class StillIssuing(Exception):
    """The invoice of an event is reserved and not yet kept as issued; the event is tried again."""


class Payments:
    """The deed of an event."""

    def __init__(self, outside: Outside) -> None:
        self.outside = outside

    @activity.defn(name="payments.apply_event")
    def apply_event(self, task: ApplyEvent) -> EventApplied:
        """Apply an event and those parked events that waited for it; return what became of it.

        What is unknown, was done by hand at the platform, or must wait for another event is parked with what to do.

        Raises:
            NoEvent: there is no such row. StillIssuing: it is tried again.
        """
        event = self.outside.events.event(task.event)
        if event is None:
            raise NoEvent("no event has this id", event=task.event)
        taken = self._apply(event)
        if taken.fate is Fate.APPLIED and event.type == payments.PAID:
            for other in self.outside.events.parked():
                if other.id != event.id:
                    self._apply(other)
        return EventApplied(event=event.id, fate=taken.fate, detail=taken.detail)

    def _apply(self, event: PlatformEvent) -> EventTaken:
        before = self.outside.events.taken(event.id)
        if before and before[-1].fate is not Fate.PARKED:
            return before[-1]
        try:
            return self._applied(event)
        except Refusal as refusal:
            return self._take(event, Fate.PARKED, str(refusal))

    def _applied(self, event: PlatformEvent) -> EventTaken:
        outside = self.outside
        found = self._invoice_of(event)
        if found is None:
            self._wait_for_issue(event)
            return self._take(event, Fate.PARKED, self._unknown(event))
        invoice, issued = found
        if event.type in _CREDITED:
            return self._credit(event, invoice)
        if event.type == _TAKEN_BACK:
            return self._void(event, invoice)
        if event.type not in payments.POSTED:
            fate = Fate.KNOWN if event.type in payments.SAID else Fate.PARKED
            detail = (
                "" if fate is Fate.KNOWN else f"{event.type}: a person decides what it means: tieout correction propose"
            )
            return self._take(event, fate, detail, invoice.reference)
        payment: Payment | None = None
        if event.type == payments.PAID:
            payment = outside.platform.payment(issued.stripe_id)
        month = outside.journal.open_month(month_of(event.created.astimezone(UTC).date()))
        booked = outside.journal.entries(None, invoice.customer)
        entries = payments.entries_of(event, invoice, issued, payment, month, booked)
        refuse_overdrawn(outside, invoice.customer, entries)
        outside.journal.post(entries, preparer="system", at=outside.clock.now())
        if not entries and event.type == payments.FINALIZED:
            return self._take(event, Fate.KNOWN, "", invoice.reference)
        words = f"{len(entries)} entries" if entries else "nothing was paid"
        read = {"sha256": event.sha256}
        if payment is not None:
            read |= {"payment": payment.intent or "", "fee": decimal_text(payment.fee)}
        return self._take(event, Fate.APPLIED, words, invoice.reference, **read)

    def _wait_for_issue(self, event: PlatformEvent) -> None:
        """Raise where the event is of an invoice that our own close is issuing: it is told before we wrote it down."""
        reference = (event.about.get("metadata") or {}).get(_REFERENCE)
        asked = self.outside.invoices.invoice(reference) if reference else None
        if asked is not None and asked[1] is None and event.about.get("object") == "invoice":
            raise StillIssuing(f"{reference} is being issued")

    def _credit(self, event: PlatformEvent, invoice: Invoice) -> EventTaken:
        reference = (event.about.get("metadata") or {}).get(_REFERENCE)
        if reference and self.outside.corrections.correction(reference) is not None:
            return self._take(event, Fate.KNOWN, f"of correction {reference}", invoice.reference)
        said = "a credit note made by hand at the platform is not posted: void it there and tieout invoice credit"
        return self._take(event, Fate.PARKED, said, invoice.reference)

    def _void(self, event: PlatformEvent, invoice: Invoice) -> EventTaken:
        for view in self.outside.corrections.of_invoice(invoice.reference):
            settled = {one.step for one in view.steps} & {CorrectionStep.APPROVED, CorrectionStep.SETTLED}
            if settled and view.correction.request.settlement.takes_back:
                return self._take(event, Fate.KNOWN, f"of correction {view.correction.id}", invoice.reference)
        said = "voided by hand at the platform and not posted: tieout invoice void MONTH CUSTOMER, then apply-event"
        return self._take(event, Fate.PARKED, said, invoice.reference)

    def _invoice_of(self, event: PlatformEvent) -> tuple[Invoice, IssuedInvoice] | None:
        """Return the issued invoice an event is about: by the platform's id, or by the payment a dispute names."""
        outside, thing = self.outside, event.about
        stripe_id = thing["id"] if thing.get("object") == "invoice" else thing.get("invoice")
        if isinstance(stripe_id, str):
            return outside.invoices.by_stripe_id(stripe_id)
        intent = thing.get("payment_intent")
        reference = outside.events.invoice_of_payment(intent) if isinstance(intent, str) else None
        found = outside.invoices.invoice(reference) if reference else None
        return (found[0], found[1]) if found and found[1] else None

    def _unknown(self, event: PlatformEvent) -> str:
        if event.type.startswith("charge.dispute"):
            return "no payment of ours is known for this dispute yet; it is applied when the payment's event comes"
        return "no issued invoice of ours has this id: somebody else's, or made by hand at the platform"

    def _take(self, event: PlatformEvent, fate: Fate, detail: str = "", invoice: str = "", **read: str) -> EventTaken:
        references = {name: text for name, text in {"invoice": invoice, **read}.items() if text}
        return self.outside.events.take(
            EventTaken(event=event.id, fate=fate, at=self.outside.clock.now(), detail=detail, references=references)
        )
