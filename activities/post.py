"""post: revenue and receivable as balanced entries; accrual of who waits when finance locks the period."""

from collections.abc import Sequence

from temporalio import activity

from activities.deeds import Outside
from activities.messages import CustomerRef, LockMonth, PostedRef, PostRevenue
from activities.witness import witness
from billing import approval, posting, recognition, terms
from billing.events import refuse_negative_liabilities
from models.approval import Decision, Verdict
from models.close import EVERYONE, DecisionKind, Stage, State
from models.contract import Contract
from models.journal import JournalEntry
from models.money import to_minor, total
from models.refusal import Refusal
from models.revenue import RevenueSchedule
from models.statement import Statement


class DecisionRefused(Refusal):
    """The decision row does not allow what is asked."""

    remedy = "Read the code and message; the right person decides at the desk."


class NotIssued(Refusal):
    """Revenue of an invoice is posted only once the invoice is issued."""

    remedy = "Issue the invoice first."


def refuse_overdrawn(outside: Outside, customer: str, entries: Sequence[JournalEntry]) -> None:
    """Refuse new entries that take more from a liability than the journal holds; those that are there already pass.

    Raises:
        NegativeLiability: nothing is posted.
    """
    booked = outside.journal.entries(None, customer)
    there = {entry.key for entry in booked}
    refuse_negative_liabilities([entry for entry in entries if entry.key not in there], booked)


def both_taken(verdicts: tuple[Verdict, Verdict]) -> tuple[Verdict, Verdict]:
    """Return the verdicts on a proposal and its approval; raises DecisionRefused with the first reason against one."""
    for verdict in verdicts:
        if not verdict.taken:
            raise DecisionRefused(verdict.message, code=verdict.code.value)
    return verdicts


class Post:
    """The deeds of the seventh stage, and of the period lock."""

    def __init__(self, outside: Outside) -> None:
        self.outside = outside

    @activity.defn(name="post.post_entries")
    def post_entries(self, task: PostRevenue) -> PostedRef:
        """Post a customer's entries once, into the month or, where it is locked, the first open one.

        What was accrued at the lock is netted: the invoice then posts the receivable and the difference.
        """
        outside, close = self.outside, task.close
        statement = outside.evidence.statement(task.statement)
        found = outside.invoices.invoice(task.invoice)
        if found is None or found[1] is None:
            raise NotIssued("no issued invoice has this reference", reference=task.invoice)
        prior = outside.evidence.issued_statements(statement.contract, close.month)
        month = self._posted_to(close)
        entries = posting.entries_for(
            statement,
            found[0],
            self._schedule(close, statement, prior),
            post_to=month,
            prior_accruals=self._accruals(close),
            close_run=f"{close.month}@{close.revision}",
        )
        refuse_overdrawn(outside, close.customer, entries)
        outside.journal.post(entries, preparer="system", at=outside.clock.now())
        outside.closes.project(
            close.month,
            close.revision,
            close.customer,
            Stage.PUBLISH,
            State.RUNNING,
            outside.clock.now(),
            "",
            posted_to=month,
            entries=str(len(entries)),
        )
        debits = total(posting.amount for entry in entries for posting in entry.postings if posting.amount > 0)
        return PostedRef(entries=len(entries), month=month, debits_minor=to_minor(debits, statement.currency))

    @activity.defn(name="post.accrue_waiting")
    def accrue_waiting(self, task: LockMonth) -> tuple[str, ...]:
        """Accrue every customer of a close that is not posted yet, from its latest statement; return whom.

        Raises:
            DecisionRefused: the decision row does not allow this person to lock this month.
        """
        outside = self.outside
        self._verify(task)
        accrued = []
        for customer in outside.closes.waiting(task.month, task.revision):
            close = CustomerRef(month=task.month, revision=task.revision, customer=customer)
            statement = outside.evidence.latest_statement(task.month, task.revision, customer)
            if statement is None or self._posted(close):
                continue
            if self._accruals(close):  # by an earlier run whose answer was lost
                accrued.append(customer)
                continue
            prior = outside.evidence.issued_statements(statement.contract, task.month)
            entries = posting.accrual_for(
                statement,
                self._schedule(close, statement, prior),
                close_run=f"{task.month}@{task.revision}",
            )
            refuse_overdrawn(outside, customer, entries)
            outside.journal.post(entries, preparer="system", at=outside.clock.now())
            accrued.append(customer)
        return tuple(accrued)

    @activity.defn(name="post.lock_period")
    def lock_period(self, task: LockMonth) -> None:
        """Lock an accounting period: Postgres refuses every later entry in it, whatever the route.

        The chain as it stands is kept outside the database, so that a rewritten journal is found out.
        """
        outside, decision = self.outside, self._verify(task)
        outside.journal.lock(task.month, decision.person.id, decision.reason, outside.clock.now())
        witness(outside.store, outside.journal, task.month, outside.clock.now())

    def _verify(self, task: LockMonth) -> Decision:
        decision = self.outside.closes.decision(task.decision)
        if decision is None:
            raise DecisionRefused(approval.unknown(task.decision).message, decision=task.decision)
        same = (decision.period, decision.customer) == (task.month, EVERYONE)
        verdict = approval.judge(
            decision,
            (DecisionKind.LOCK,),
            same_close=same,
            statement=None,
            holding=(),
            preparers=(),
            approved_by=(),
        )
        if not verdict.taken:
            raise DecisionRefused(verdict.message, code=verdict.code.value)
        return decision

    def _contracts(self, close: CustomerRef) -> tuple[Contract, ...]:
        return terms.in_force(self.outside.terms.contracts(close.customer), close.customer, close.month)

    def _schedule(self, close: CustomerRef, statement: Statement, prior: Sequence[Statement]) -> RevenueSchedule:
        return recognition.schedule_for(
            statement,
            prior,
            self._contracts(close),
            self.outside.terms.opening(statement.contract),
            self.outside.entity,
            self.outside.estimates.estimates(statement.contract),
        )

    def _accruals(self, close: CustomerRef) -> tuple[JournalEntry, ...]:
        entries = self.outside.journal.entries(close.month, close.customer)
        return tuple(entry for entry in entries if entry.accrued)

    def _posted(self, close: CustomerRef) -> bool:
        """Return whether the close's own entries are in the journal already, beside or without an accrual."""
        run = f"{close.month}@{close.revision}"
        entries = self.outside.journal.entries(close.month, close.customer)
        return any(entry.close_run == run and not entry.accrued for entry in entries)

    def _posted_to(self, close: CustomerRef) -> str:
        """Return the month this close posts to: the one it was posted to before, else the first open one."""
        standing = self.outside.closes.standing(close.month, close.revision, close.customer)
        if standing and "posted_to" in standing.references:
            return standing.references["posted_to"]
        return self.outside.journal.open_month(close.month)
