"""approve: ask people, judge their decisions against the books, remind, and note what waits."""

from temporalio import activity

from activities.deeds import Outside
from activities.messages import ApprovalNeed, AskApproval, CustomerRef, Park, Remind, VerifyDecision, VerifyPause
from billing import approval, terms
from models.approval import Verdict
from models.close import EVERYONE, Stage, State
from models.statement import Statement


class Approve:
    """The deeds of the fourth stage, and of every decision."""

    def __init__(self, outside: Outside) -> None:
        self.outside = outside

    @activity.defn(name="approve.ask_approval")
    def ask_approval(self, task: AskApproval) -> ApprovalNeed:
        """Return who must approve a statement, and note that it waits for them."""
        outside, close = self.outside, task.close
        statement = outside.evidence.statement(task.statement)
        reconciliation = outside.evidence.latest_reconciliation(close.month, close.revision, close.customer)
        contracts = terms.in_force(outside.terms.contracts(close.customer), close.customer, close.month)
        clause = contracts[-1].approval
        need = approval.need(
            statement,
            outside.approval,
            clause.risk if clause else "normal",
            len(reconciliation.findings) if reconciliation else 0,
            not outside.evidence.issued_statements(statement.contract, close.month),
        )
        if need.people:
            self._project(close, Stage.APPROVE, State.WAITING, f"{need.people} to approve: {need.why}")
        return ApprovalNeed(people=need.people, queue=need.queue, why=need.why)

    @activity.defn(name="approve.verify_decision")
    def verify_decision(self, task: VerifyDecision) -> Verdict:
        """Judge a decision row and keep the verdict; the first verdict on a decision stands.

        A forged or unknown id changes nothing; a refused attempt is kept for audit like a taken one.
        """
        outside, close = self.outside, task.close
        decision = outside.closes.decision(task.decision)
        if decision is None:
            return approval.unknown(task.decision)
        same = (decision.month_key, decision.customer) == ((close.month, close.revision), close.customer)
        verdict = approval.judge(
            decision,
            task.accepts,
            same_close=same,
            statement=task.statement,
            holding=task.holding,
            preparers=self._preparers(close, task.statement),
            approved_by=task.approved_by,
            answered={one.finding for one in outside.evidence.resolutions(close.month, close.revision, close.customer)},
            issued=task.issued,
        )
        return outside.closes.keep_verdict(verdict, close.month, close.revision, close.customer, outside.clock.now())

    @activity.defn(name="approve.verify_pause")
    def verify_pause(self, task: VerifyPause) -> Verdict:
        """Judge a decision row to pause or resume a close and keep the verdict; the first verdict stands."""
        closes = self.outside.closes
        decision = closes.decision(task.decision)
        if decision is None:
            return approval.unknown(task.decision)
        before = closes.verdicts(task.month, task.revision, EVERYONE)
        verdict = approval.judge_pause(
            decision,
            same_close=(decision.month_key, decision.customer) == ((task.month, task.revision), EVERYONE),
            paused=approval.is_paused(one for one in before if one.decision != decision.id),
        )
        return closes.keep_verdict(verdict, task.month, task.revision, EVERYONE, self.outside.clock.now())

    @activity.defn(name="approve.remind")
    def remind(self, task: Remind) -> None:
        """Note that a statement still waits, and for how many reminders."""
        self._project(task.close, Stage.APPROVE, State.WAITING, f"waits for approval; reminded {task.count} times")
        activity.logger.info("approval.reminded", extra={"customer": task.close.customer, "count": task.count})

    @activity.defn(name="approve.note")
    def note(self, task: Park) -> None:
        """Note where a customer's close stands: waiting, rejected, parked or skipped."""
        self._project(task.close, task.stage, task.state, task.detail)

    def _preparers(self, close: CustomerRef, statement_fingerprint: str | None) -> frozenset[str]:
        """Return everyone who prepared a statement (billing/approval.py says who that is)."""
        outside = self.outside
        preparers = set(outside.closes.starters(close.month, close.revision))
        taken = {
            verdict.decision
            for verdict in outside.closes.verdicts(close.month, close.revision, close.customer)
            if verdict.taken
        }
        for decision in outside.closes.decisions(close.month, close.revision, close.customer):
            if decision.id in taken and decision.kind in approval.PREPARES:
                preparers.add(decision.person.id)
        if statement_fingerprint:
            statement = outside.evidence.statement(statement_fingerprint)
            preparers |= outside.terms.proposers(_versions(statement), statement.rate_versions)
        return frozenset(preparers)

    def _project(self, close: CustomerRef, stage: Stage, state: State, detail: str) -> None:
        self.outside.closes.project(
            close.month, close.revision, close.customer, stage, state, self.outside.clock.now(), detail
        )


def _versions(statement: Statement) -> tuple[str, ...]:
    """Return every contract version a statement was rated with."""
    return tuple(sorted({statement.contract_version, *(line.explanation.contract_version for line in statement.lines)}))
