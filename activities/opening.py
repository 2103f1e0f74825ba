"""opening: take over a running contract: its opening position into the terms, its balances into the journal, once."""

from temporalio import activity

from activities.deeds import Outside
from activities.messages import OpenedRef, TakeOver
from activities.post import DecisionRefused, both_taken
from billing import approval, openings
from models.approval import Decision, Verdict
from models.close import DecisionKind
from models.contract import Contract
from models.money import total
from models.opening import Opening
from models.period import month_of, next_month
from models.refusal import Refusal

ALWAYS = "9999-12"


class AlreadyBilled(Refusal):
    """Statements of the contract were issued before: it is ours, and where it stands is known from them."""

    remedy = "Correct what was issued instead; a contract is taken over before its first statement."


class Openings:
    """The deed of taking over."""

    def __init__(self, outside: Outside) -> None:
        self.outside = outside

    @activity.defn(name="opening.take_over")
    def take_over(self, task: TakeOver) -> OpenedRef:
        """Keep an approved opening position and post its entry; return both by name.

        Raises:
            DecisionRefused: the decision rows are not one person's proposal and another's approval of it.
            OpeningRefused, AlreadyBilled, Conflict: nothing was kept.
        """
        outside = self.outside
        proposal, approved = self._decision(task.proposal), self._decision(task.approval)
        opening = Opening.from_text(proposal.payload.get("opening", "{}"))
        verdicts = _judged(opening, proposal, approved)
        contracts = self._contracts(opening)
        month = next_month(month_of(opening.as_of), -1)
        entry = openings.entry_for(opening, contracts, outside.journal.open_month(month))
        if outside.terms.opening(opening.contract) is None and outside.evidence.issued_statements(
            opening.contract, ALWAYS
        ):
            raise AlreadyBilled("statements were issued for this contract", contract=opening.contract)
        at = outside.clock.now()
        outside.terms.add_opening(opening, proposal.person.id, approved.person.id, at)
        if entry is not None:
            outside.journal.post([entry], preparer=proposal.person.id, at=at)
        for decision, verdict in zip((proposal, approved), verdicts, strict=True):
            outside.closes.keep_verdict(verdict, decision.period, decision.revision, decision.customer, at)
        debits = total(one.amount for one in entry.postings if one.amount > 0) if entry else total(())
        return OpenedRef(
            contract=opening.contract,
            fingerprint=opening.fingerprint(),
            entry=entry.key if entry else "",
            debits=f"{debits:f}",
        )

    def _decision(self, name: str) -> Decision:
        found = self.outside.closes.decision(name)
        if found is None:
            raise DecisionRefused(approval.unknown(name).message, decision=name)
        return found

    def _contracts(self, opening: Opening) -> tuple[Contract, ...]:
        every = self.outside.terms.contracts(opening.customer)
        return tuple(one for one in every if one.contract == opening.contract)


def _judged(opening: Opening, proposal: Decision, approved: Decision) -> tuple[Verdict, Verdict]:
    """Return the verdicts on proposal and approval; raises DecisionRefused with the first reason against either."""
    kinds = (DecisionKind.PROPOSE_OPENING, DecisionKind.APPROVE_OPENING)
    where = (opening.customer, month_of(opening.as_of))
    return both_taken(approval.judge_both(proposal, approved, kinds, opening.fingerprint(), where))
