"""control: tie a period out, hold its lock until all is signed, open a locked one again by two people."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal

import pyarrow.parquet as pq
from temporalio import activity

from activities.deeds import Outside
from activities.messages import LockMonth, PeriodReopened, ReopenMonth, TiedOut, TieOutMonth
from billing import approval, controls, recognition, terms, usage_table
from billing.controls import Subject
from models.approval import Decision
from models.close import EVERYONE, DecisionKind
from models.control import KeptTieOut, Reopening, TieOut, TieOutName
from models.journal import PeriodLocked
from models.period import next_month
from models.refusal import Refusal
from models.statement import LineKind, Statement
from models.value import instant_text

_METERED = frozenset({LineKind.USAGE, LineKind.INCLUDED, LineKind.EXCLUDED, LineKind.OVERAGE})


_DRAFTED_BEFORE = timedelta(days=1)
"""How long before its issue a draft is made at most; an older one is still found, by itself."""


class NotReopened(Refusal):
    """What two people decided does not allow to open this period."""

    remedy = "One person asks with a reason and an end, and a controller who is not the same approves it."


class Control:
    """The deeds of a period's controls."""

    def __init__(self, outside: Outside) -> None:
        self.outside = outside

    @activity.defn(name="control.tie_out")
    def tie_out(self, task: TieOutMonth) -> TiedOut:
        """Tie a period out anew and keep each tie-out whose numbers moved; return what does not tie."""
        found = self._tie_outs(task.month)
        for one in found:
            self.outside.controls.keep(one, self.outside.clock.now())
        untied = tuple(f"{one.name.value}: {line.subject}" for one in found for line in one.untied)
        return TiedOut(
            month=task.month, fingerprints={one.name.value: one.fingerprint() for one in found}, untied=untied
        )

    @activity.defn(name="control.refuse_unsigned")
    def refuse_unsigned(self, task: LockMonth) -> None:
        """Refuse a lock while a tie-out, computed now, is not signed as it is.

        Raises:
            NotSigned: naming all that is missing.
        """
        outside, now = self.outside, self.outside.clock.now()
        newest = {one.name: KeptTieOut(tie_out=one, at=now) for one in self._tie_outs(task.month)}
        for one in newest.values():
            outside.controls.keep(one.tie_out, now)
        decisions = outside.closes.decisions(task.month, task.revision, EVERYONE)
        reopenings = outside.controls.reopenings(task.month)
        signed = controls.signatures(newest, decisions, reopenings[-1].at if reopenings else None)
        missing = controls.missing(newest, signed, controls.controllers_of(decisions))
        if missing:
            raise controls.NotSigned("; ".join(missing), month=task.month)

    @activity.defn(name="control.reopen")
    def reopen(self, task: ReopenMonth) -> PeriodReopened:
        """Open a locked period again until the instant that was asked for; every signature on it is dropped by that.

        Raises:
            NotReopened, PeriodLocked: nothing is opened.
        """
        outside = self.outside
        asked, approved = self._row(task.asked, DecisionKind.ASK_REOPEN), self._row(task.approved, DecisionKind.REOPEN)
        if (asked.period, approved.period, approved.subject) != (task.month, task.month, asked.id):
            raise NotReopened("the decisions are about another period", month=task.month)
        if asked.person.id == approved.person.id:
            raise NotReopened(f"{asked.person.id} asked for it and may not approve it", month=task.month)
        if not asked.reason.strip():
            raise NotReopened("no reason is given", month=task.month)
        expires_at = datetime.fromisoformat(asked.payload["expires_at"])
        if expires_at <= approved.recorded_at:
            raise NotReopened("the time that was asked for is over; ask again", until=asked.payload["expires_at"])
        if outside.journal.locked(next_month(task.month)):
            raise PeriodLocked("a later period is locked", month=next_month(task.month))
        kept = outside.controls.reopen(
            Reopening.model_validate(
                {
                    "month": task.month,
                    "asked_by": asked.person.id,
                    "approved_by": approved.person.id,
                    "reason": asked.reason,
                    "at": approved.recorded_at,
                    "expires_at": expires_at,
                }
            ),
            approved.id,
        )
        return PeriodReopened(month=task.month, expires_at=instant_text(kept.expires_at))

    def _row(self, decision_id: str, kind: DecisionKind) -> Decision:
        decision = self.outside.closes.decision(decision_id)
        if decision is None or decision.kind is not kind or decision.customer != EVERYONE:
            raise NotReopened("no such decision", decision=decision_id)
        if not approval.ROLES_FOR[kind] & set(decision.person.roles):
            raise NotReopened(f"{decision.person.id} may not decide this", decision=decision_id)
        return decision

    def _tie_outs(self, month: str) -> tuple[TieOut, ...]:
        book, statements = self.outside.controls, self._statements(month)
        return (
            controls.tie_out(
                TieOutName.STRIPE, month, controls.summed(self._remaining(month)), book.receivables(month)
            ),
            controls.tie_out(
                TieOutName.USAGE,
                month,
                controls.summed(self._reconciled(statements)),
                controls.summed(self._rated(statements)),
            ),
            self._grants(month, statements),
            controls.tie_out(TieOutName.EXPORT, month, book.balances(month), controls.summed(self._exported(month))),
        )

    def _statements(self, month: str) -> tuple[Statement, ...]:
        """Return the statements a month was issued by, those that replace others in their place."""
        contracts = {invoice.contract for invoice, _ in self.outside.controls.issued(month)}
        found = [
            one
            for contract in sorted(contracts)
            for one in self.outside.evidence.issued_statements(contract, next_month(month))
        ]
        return tuple(one for one in found if one.period == month)

    def _remaining(self, month: str) -> Iterator[tuple[Subject, Decimal]]:
        every = self.outside.controls.issued(month)
        if not every:
            return
        made = [issued.issued_at for _, issued in every]
        ids = [issued.stripe_id for _, issued in every]
        states = self.outside.platform.states(ids, min(made) - _DRAFTED_BEFORE, max(made))
        for invoice, issued in every:
            state = states[issued.stripe_id]
            left = state.remaining if state.status in ("open", "uncollectible") else Decimal(0)
            yield (invoice.reference, invoice.currency), left

    def _reconciled(self, statements: tuple[Statement, ...]) -> Iterator[tuple[Subject, Decimal]]:
        for statement in statements:
            if statement.reconciliation is None:
                continue
            kept = self.outside.evidence.reconciliation(statement.reconciliation)
            for line in usage_table.to_lines(pq.read_table(self.outside.store.path(kept.usage))):
                yield (statement.customer, line.meter), line.quantity

    def _rated(self, statements: tuple[Statement, ...]) -> Iterator[tuple[Subject, Decimal]]:
        for statement in statements:
            for line in statement.lines if statement.reconciliation else ():
                if line.kind in _METERED and line.meter is not None:
                    yield (statement.customer, line.meter), line.quantity

    def _grants(self, month: str, statements: tuple[Statement, ...]) -> TieOut:
        """Return each grant's balance by its statements beside the journal's, for contracts issued in the month."""
        owed: list[tuple[Subject, Decimal]] = []
        for statement in statements:
            versions = terms.in_force(
                self.outside.terms.contracts(statement.customer), statement.customer, statement.period
            )
            schedule = recognition.schedule_for(
                statement,
                self.outside.evidence.issued_statements(statement.contract, month),
                versions,
                self.outside.terms.opening(statement.contract),
            )
            owed += [
                ((f"{statement.contract}/{grant.grant}", statement.currency), grant.closing)
                for grant in schedule.grants
            ]
        issued = {statement.contract for statement in statements}
        booked = {
            subject: amount
            for subject, amount in self.outside.controls.grants(month).items()
            if subject[0].split("/", 1)[0] in issued
        }
        return controls.tie_out(TieOutName.GRANTS, month, controls.summed(owed), booked)

    def _exported(self, month: str) -> Iterator[tuple[Subject, Decimal]]:
        for entry in self.outside.journal.entries(month):
            for posting in entry.postings:
                yield (posting.account.value, entry.currency), posting.amount
