"""What the invoicing platform told, against its entries: each event's kept payload through the rule that posted it.

One fact may be told by several events (a balance's use when an invoice is finalized and when it is paid): an entry
stands when one of them makes it.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from itertools import groupby

from billing import payments
from billing.reperform import Check
from billing.vouching import differences
from models.invoice import Invoice, IssuedInvoice
from models.journal import Account, JournalEntry
from models.money import total
from models.period import month_of
from models.refusal import Refusal
from models.stripe_event import EventView, Payment
from models.support import PostedEntry, Support

Before = Callable[[Sequence[PostedEntry], datetime], list[JournalEntry]]
"""The journal before the first of some entries, or before an instant where there are none."""

_UNREADABLE = (ValueError, KeyError, TypeError, AttributeError)
"""What reading a payload that was changed comes to: it is somebody else's format."""


@dataclass(frozen=True)
class Fact:
    """An invoice's payment, or a dispute: the events that tell it, and what is posted for it."""

    invoice: Invoice
    issued: IssuedInvoice
    views: tuple[EventView, ...]
    mine: tuple[PostedEntry, ...]
    payments: frozenset[str]  # the platform's ids of the invoice's payments

    @property
    def month(self) -> str:
        """The month it happened in."""
        return month_of(self.views[0].event.created.date())

    def checks(self, before: Before) -> Iterator[Check]:
        """Yield the checks of each event's payload and of each entry."""
        readable = []
        for view in self.views:
            found = tuple(self._payload(view))
            yield from found
            if not any(check.recomputed.startswith("not read") for check in found):
                readable.append(view)
        for one in self.mine:
            made = {view.event.id: self._made(view, one.entry.period, before([one], one.at)) for view in readable}
            of_key = {event: entries[one.entry.key] for event, entries in made.items() if one.entry.key in entries}
            told = next((event for event, again in of_key.items() if again == one.entry), next(iter(of_key), None))
            name = told or ", ".join(view.event.id for view in self.views)
            yield from differences.of_entries(name, [one.entry], [of_key[told]] if told else [])
        yield from self._missing(readable, before)

    def _missing(self, readable: Sequence[EventView], before: Before) -> Iterator[Check]:
        there = {one.entry.key for one in self.mine}
        for view in readable:
            month = month_of(view.event.created.date())
            for key, entry in self._made(view, month, before((), view.taken[-1].at)).items():
                if key not in there:
                    there.add(key)
                    yield from differences.of_entries(view.event.id, [], [entry])

    def _payload(self, view: EventView) -> Iterator[Check]:
        """Yield whether a payload is the one that was posted from, says what its row says, and is of this invoice."""
        event, kept = view.event, view.taken[-1].references
        name = f"{event.id} {event.type}"
        if "sha256" in kept:
            yield Check(name=f"{name}: payload", evidence=kept["sha256"], recomputed=event.sha256)
        row = f"{event.id} {event.type} {event.object_id} {event.created.timestamp():.0f}"
        try:
            body = json.loads(event.body)
            thing = body["data"]["object"]
            told = f"{body['id']} {body['type']} {thing['id']} {body.get('created', int(event.created.timestamp()))}"
            paid = thing.get("payment_intent")
            self._rule(view, month_of(event.created.date()), [])
        except Refusal as refusal:
            yield Check(name=f"{name}: entries", evidence=view.taken[-1].detail, recomputed=f"not read: {refusal}")
            return
        except _UNREADABLE as error:
            yield Check(name=f"{name}: row", evidence=row, recomputed=f"not read: {type(error).__name__} {error}")
            return
        yield Check(name=f"{name}: row", evidence=row, recomputed=told)
        if event.type.startswith("invoice."):
            yield Check(name=f"{name}: invoice", evidence=self.issued.stripe_id, recomputed=event.object_id)
        else:
            of_it = paid if paid in self.payments else "no payment of this invoice"
            yield Check(name=f"{name}: payment", evidence=str(paid), recomputed=str(of_it))

    def _made(self, view: EventView, month: str, booked: Sequence[JournalEntry]) -> dict[str, JournalEntry]:
        return {entry.key: entry for entry in self._rule(view, month, booked)}

    def _rule(self, view: EventView, month: str, booked: Sequence[JournalEntry]) -> tuple[JournalEntry, ...]:
        paid = Payment(intent=None, fee=self._fee(view), currency=self.invoice.currency)
        return payments.entries_of(view.event, self.invoice, self.issued, paid, month, booked)

    def _fee(self, view: EventView) -> Decimal:
        """Return what the platform kept: as read when it was posted; of events from before it was kept, as posted."""
        kept = view.taken[-1].references.get("fee")
        if kept is not None:
            return Decimal(kept)
        of_fee = (side for one in self.mine for side in one.entry.postings if side.account is Account.PAYMENT_FEES)
        return total(side.amount for side in of_fee)


def facts_of(support: Support) -> Iterator[Fact]:
    """Yield a customer's facts that the platform told, each with the events that were applied."""
    asked = {one.reference: one for one in support.invoices}
    issued = {one.reference: one for one in support.issued if one.reference in asked}

    def fact(view: EventView) -> tuple[str, str]:
        dispute = view.event.object_id if view.event.type.startswith("charge.dispute") else ""
        return view.taken[-1].references.get("invoice", ""), dispute

    told = [view for view in support.events if view.event.type in payments.POSTED and fact(view)[0] in issued]
    ordered = sorted(told, key=fact)
    for (reference, dispute), views in groupby(ordered, key=fact):
        invoice = issued[reference]
        keys = payments.keys_of(invoice)
        mine = tuple(
            one
            for one in support.entries
            if (one.entry.key.startswith(f"dispute/{dispute}/") if dispute else one.entry.key in keys)
        )
        paid = frozenset(
            view.taken[-1].references["payment"]
            for view in support.events
            if view.taken[-1].references.get("invoice") == reference and "payment" in view.taken[-1].references
        )
        yield Fact(asked[reference], invoice, tuple(views), mine, paid)
