"""change_rate: simulate a proposed version over kept usage, judge who decides, append it to the catalog."""

from collections.abc import Iterator

import pyarrow.parquet as pq
from temporalio import activity

from activities.deeds import Outside
from activities.messages import (
    ChangeRate,
    ConcludeChange,
    InCatalog,
    JudgeRateChange,
    PutIntoCatalog,
    SimulationRef,
)
from billing import approval, rate_change, terms, usage_table
from billing.rating.rates import cards_of
from models.approval import Decision, Verdict
from models.close import DecisionKind
from models.money import to_minor
from models.period import month_of, next_month
from models.rate_card import RateVersion
from models.rate_change import ChangeStep, ChangeView, Moved, NotRated, RateProposal, Simulation, StepTaken
from models.reconciliation import Reconciliation
from models.refusal import Refusal


class NoProposal(Refusal):
    """No proposal has this id."""

    remedy = "See what waits: tieout rates inbox."


class NotApproved(Refusal):
    """No taken approval of a second person stands behind this change."""

    remedy = "Let somebody who did not propose it approve it at the desk."


class RateChangeDeeds:
    """The deeds of a rate change. None of them touches a statement, an invoice or the journal."""

    def __init__(self, outside: Outside) -> None:
        self.outside = outside

    @activity.defn(name="rate_change.simulate")
    def simulate(self, task: ChangeRate) -> SimulationRef:
        """Rate last month's, this month's and every locked month's kept usage with the version and without it.

        The first simulation of a proposal is the one that is kept and decided on.

        Raises:
            NoProposal: there is no such row.
        """
        view = self._view(task.proposal)
        kept = view.simulation
        if kept is None:
            step = StepTaken(
                proposal=view.id,
                step=ChangeStep.SIMULATED,
                at=self.outside.clock.now(),
                simulation=self._simulation(view.proposal),
            )
            kept = self.outside.rate_changes.take(step).simulation or step.simulation
        assert kept is not None
        return SimulationRef(
            proposal=view.id,
            fingerprint=kept.fingerprint(),
            months=kept.months,
            rated=kept.rated,
            moved=len(kept.moved),
            refused=len(kept.refused),
            money_minor={currency: to_minor(amount, currency) for currency, amount in kept.money().items()},
        )

    @activity.defn(name="rate_change.judge")
    def judge(self, task: JudgeRateChange) -> Verdict:
        """Judge a decision row and keep the verdict; the first verdict on a decision stands."""
        outside, view = self.outside, self._view(task.proposal)
        decision = outside.closes.decision(task.decision)
        if decision is None:
            return approval.unknown(task.decision)
        verdict = rate_change.judge(decision, view.id, view.proposed_by, rate_change.DECIDING)
        return outside.closes.keep_verdict(
            verdict, decision.period, decision.revision, decision.customer, outside.clock.now()
        )

    @activity.defn(name="rate_change.put_into_catalog")
    def put_into_catalog(self, task: PutIntoCatalog) -> InCatalog:
        """Append the approved version, with its proposer and its approver, and name the locked months it reaches.

        What was billed stays as it was billed: a correction is another matter and somebody else's decision.

        Raises:
            NotApproved: the decision row does not carry this.
            CatalogMoved: the catalog no longer says what was seen.
        """
        outside, view = self.outside, self._view(task.proposal)
        decision = self._approval(task, view)
        version, catalog = view.proposal.version, outside.terms.rates()
        if version not in [one.bare() for one in catalog]:
            rate_change.refuse_if_moved(view.proposal, catalog)
        approved = StepTaken(
            proposal=view.id,
            step=ChangeStep.APPROVED,
            at=outside.clock.now(),
            person=decision.person.id,
            detail=decision.reason,
        )
        outside.rate_changes.take(approved)
        outside.terms.add_rates(
            [version], view.proposed_by, decision.person.id, outside.clock.now(), rate_change.correcting(view.proposal)
        )
        locked = self._locked(version, outside.terms.rates(), view.simulation)
        return InCatalog(
            version=version.id,
            starts_at=version.starts_at,
            locked=locked,
            detail=_billed_without(locked, view.simulation),
        )

    @activity.defn(name="rate_change.conclude")
    def conclude(self, task: ConcludeChange) -> None:
        """Keep how a change stands: rejected, refused, in force, or in need of a correction."""
        self.outside.rate_changes.take(
            StepTaken(
                proposal=task.proposal,
                step=task.step,
                at=self.outside.clock.now(),
                person=task.person,
                detail=task.detail,
            )
        )

    def _view(self, proposal: str) -> ChangeView:
        view = self.outside.rate_changes.proposal(proposal)
        if view is None:
            raise NoProposal("no proposal has this id", proposal=proposal)
        return view

    def _approval(self, task: PutIntoCatalog, view: ChangeView) -> Decision:
        decision = self.outside.closes.decision(task.decision)
        if decision is None:
            raise NotApproved("no such decision", decision=task.decision)
        verdict = rate_change.judge(decision, view.id, view.proposed_by, (DecisionKind.APPROVE_RATE,))
        if not verdict.taken:
            raise NotApproved(verdict.message, code=verdict.code.value)
        return decision

    def _simulation(self, proposal: RateProposal) -> Simulation:
        version, catalog = proposal.version, self.outside.terms.rates()
        months = self._months(version, catalog)
        rated, moved, refused, kept_months = 0, [], [], set()
        for month in months:
            for customer in self.outside.terms.population(month):
                reconciliation = self.outside.evidence.newest_reconciliation(month, customer)
                if reconciliation is None:
                    continue
                kept_months.add(month)
                match self._rated_again(version, catalog, customer, reconciliation):
                    case NotRated() as no:
                        refused.append(no)
                    case Moved() as one:
                        moved.append(one)
                        rated += 1
                    case True:
                        rated += 1
        return Simulation(
            proposal=proposal.id,
            months=months,
            rated=rated,
            moved=tuple(moved),
            refused=tuple(refused),
            unkept=tuple(month for month in months if month not in kept_months),
        )

    def _months(self, version: RateVersion, catalog: tuple[RateVersion, ...]) -> tuple[str, ...]:
        """Return last month, this month and every locked month the version reaches, in order."""
        now = self.outside.clock.now()
        this = month_of(now.date())
        reached = rate_change.months_reached(version, catalog, now)
        locked = {month for month in reached if self.outside.journal.locked(month)}
        return tuple(sorted({next_month(this, -1), this, *locked}))

    def _rated_again(
        self, version: RateVersion, catalog: tuple[RateVersion, ...], customer: str, reconciliation: Reconciliation
    ) -> Moved | NotRated | bool:
        """Return what moves, why it cannot be told, or whether the card was asked at all."""
        outside, month = self.outside, reconciliation.period
        try:
            contracts = terms.in_force(outside.terms.contracts(customer), customer, month)
            if not any(version.rate in cards_of(contract) for contract in contracts):
                return False
            usage = usage_table.to_lines(pq.read_table(outside.store.path(reconciliation.usage)))
            prior = outside.evidence.issued_statements(contracts[-1].contract, month)
            found = rate_change.moved(contracts, usage, catalog, version, month, prior)
        except Refusal as refusal:
            return NotRated(customer=customer, month=month, why=f"{refusal.code}: {refusal.what}")
        if found is None:
            return True
        issued = any(
            one.period == month for one in outside.evidence.issued_statements(contracts[-1].contract, next_month(month))
        )
        return found.model_copy(update={"locked": outside.journal.locked(month), "invoiced": issued})

    def _locked(
        self, version: RateVersion, catalog: tuple[RateVersion, ...], simulation: Simulation | None
    ) -> tuple[str, ...]:
        """Return the locked months that were billed without this version, though it was in force in them."""
        moved = {one.month for one in simulation.moved} if simulation else set()
        reached = rate_change.months_reached(version, catalog, self.outside.clock.now())
        return tuple(
            month
            for month in reached
            if (month in moved or rate_change.surely_in(month, version)) and self.outside.journal.locked(month)
        )


def _billed_without(locked: tuple[str, ...], simulation: Simulation | None) -> str:
    """Return in words what a correction would have to make good, or nothing."""
    if not locked:
        return ""
    amounts = "; ".join(_amounts(locked, simulation)) or "no kept usage moves"
    return f"{', '.join(locked)} locked and billed without it: {amounts}"


def _amounts(locked: tuple[str, ...], simulation: Simulation | None) -> Iterator[str]:
    for one in simulation.moved if simulation else ():
        if one.month in locked:
            yield f"{one.customer} {one.month} {one.delta:+f} {one.currency}"
