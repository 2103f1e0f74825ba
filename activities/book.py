"""book: a fact that no statement has becomes its entry, once two people stand behind it."""

from temporalio import activity

from activities.deeds import Outside
from activities.messages import BookEvent, EventBooked
from activities.post import DecisionRefused, both_taken, refuse_overdrawn
from billing import approval, terms
from billing.events import entry_for
from billing.revenue_terms import RevenueTerms
from billing.settlements import EventRefused
from models.approval import Decision, Verdict
from models.close import DecisionKind
from models.contract import Contract
from models.event import EVENT, Estimate, Event, Expiry, Termination, Unclaimed
from models.money import total
from models.period import month_of, next_month
from models.value import decimal_text

_ENDS_WHAT_IS_LEFT = (Termination, Expiry, Unclaimed)
"""Events that take the rest: what their month earns of it comes first."""


class Book:
    """The deed of an event."""

    def __init__(self, outside: Outside) -> None:
        self.outside = outside

    @activity.defn(name="book.book_event")
    def book_event(self, task: BookEvent) -> EventBooked:
        """Keep an event that two people decided and post its entry, into its month or the first open one.

        Raises:
            DecisionRefused: the decision rows are not one person's proposal and another's approval of it.
            EventRefused, NegativeLiability, Conflict: nothing was posted.
        """
        outside = self.outside
        proposal, approved = self._decision(task.proposal), self._decision(task.approval)
        event = EVENT.validate_json(proposal.payload.get("event", "{}"))
        verdicts = _judged(event, proposal, approved)
        customer = proposal.customer
        contracts = [one for one in outside.terms.contracts(customer) if one.contract == event.contract]
        if not contracts:
            raise EventRefused("the customer has no such contract", event=event.id, contract=event.contract)
        booked = outside.journal.entries(None, customer)
        own = [one for one in booked if one.contract == event.contract and one.statement == event.fingerprint()]
        if not own:
            self._refuse_early(event, contracts)
            said = RevenueTerms(contracts, outside.entity, outside.estimates.estimates(event.contract))
            entry = entry_for(event, booked, said, outside.journal.open_month(month_of(event.on)))
            own = [entry] if entry is not None else []
            refuse_overdrawn(outside, customer, own)
        at = outside.clock.now()
        outside.booked.book(event, proposal, approved, at)
        outside.journal.post(own, preparer=proposal.person.id, at=at)
        for decision, verdict in zip((proposal, approved), verdicts, strict=True):
            outside.closes.keep_verdict(verdict, decision.period, decision.revision, decision.customer, at)
        debits = total(one.amount for entry in own for one in entry.postings if one.amount > 0)
        return EventBooked(
            event=event.id,
            entry=own[0].key if own else "",
            month=own[0].period if own else month_of(event.on),
            currency=contracts[-1].currency,
            debits=decimal_text(debits),
        )

    def _refuse_early(self, event: Event, contracts: list[Contract]) -> None:
        """Refuse to take what is left before the month it happens in is closed: the close earns its part first."""
        month = month_of(event.on)
        if not isinstance(event, _ENDS_WHAT_IS_LEFT) or not terms.is_in_force(contracts, month):
            return
        issued = self.outside.evidence.issued_statements(event.contract, next_month(month))
        if not any(one.period == month for one in issued):
            raise EventRefused("its month is not closed yet: close it, then book this", event=event.id, month=month)

    def _decision(self, name: str) -> Decision:
        found = self.outside.closes.decision(name)
        if found is None:
            raise DecisionRefused(approval.unknown(name).message, decision=name)
        return found


def _judged(event: Event, proposal: Decision, approved: Decision) -> tuple[Verdict, Verdict]:
    """Return the verdicts on proposal and approval; raises DecisionRefused with the first reason against either."""
    if isinstance(event, Estimate):
        raise EventRefused("an estimate is recorded, not booked: tieout estimate record", event=event.id)
    named = (getattr(event, "by", proposal.person.id), getattr(event, "approved_by", approved.person.id))
    if named != (proposal.person.id, approved.person.id):
        raise DecisionRefused("the event names other people", by=named[0], approved_by=named[1])
    kinds = (DecisionKind.PROPOSE_EVENT, DecisionKind.APPROVE_EVENT)
    where = (proposal.customer, month_of(event.on))
    return both_taken(approval.judge_both(proposal, approved, kinds, event.fingerprint(), where))
