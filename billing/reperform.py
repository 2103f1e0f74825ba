"""Re-perform: recompute one customer's month from its evidence pack, and name what differs.

The same rules the deeds ran, on the sealed inputs alone: no database, no sources, no clock.
"""

from collections.abc import Sequence
from datetime import datetime

from billing import approval, carried, invoicing, posting, recognition, terms, usage_table
from billing.rating import cuts
from billing.rating import statement as rating
from billing.reconciliation.cells import Slice
from billing.reconciliation.reconcile import Reconciled, reconcile
from models.approval import Decision
from models.close import DecisionKind
from models.evidence import EvidencePack
from models.value import Value

ENGINE = "engine"
"""The check that tells whether the same code re-performs."""


class Check(Value):
    """One comparison of the re-performance: what the evidence says, what was recomputed, whether they agree."""

    name: str
    evidence: str
    recomputed: str

    @property
    def agrees(self) -> bool:
        """Whether both are the same."""
        return self.evidence == self.recomputed


def reperform(pack: EvidencePack, slices: Sequence[Slice], engine: str) -> tuple[Check, ...]:
    """Return the checks of one customer's month, stage by stage, each from the sealed inputs of the stage.

    `slices` are the customer's rows of the sealed snapshots. `engine` is the code that re-performs: where it
    is the pack's own, every check must agree; where it is another, the statement is recomputed under the
    pack's engine name, so that a difference is one of the rules.
    """
    found = _reconciled(pack, slices)
    return (
        Check(name=ENGINE, evidence=pack.engine, recomputed=engine),
        *_reconciliation(pack, found),
        *_statement(pack, found),
        *_approval(pack),
        *_invoice(pack),
        *_journal(pack),
    )


def instants_of(pack: EvidencePack) -> tuple[datetime, ...]:
    """Return where the customer's terms change inside the month, its own bounds among them."""
    contracts = terms.in_force(pack.contracts, pack.customer, pack.month)
    period = terms.month_of_customer(contracts, pack.month)
    return (*cuts.cuts_of(contracts, pack.rates, pack.month), period.starts_at, period.ends_at)


def _reconciled(pack: EvidencePack, slices: Sequence[Slice]) -> Reconciled:
    contracts = terms.in_force(pack.contracts, pack.customer, pack.month)
    policy = pack.policy.model_copy(update={"authority": pack.authorities})
    return reconcile(
        pack.customer,
        pack.month,
        terms.month_of_customer(contracts, pack.month),
        slices,
        policy,
        pack.resolutions,
        cuts.cuts_of(contracts, pack.rates, pack.month),
    )


def _reconciliation(pack: EvidencePack, found: Reconciled) -> tuple[Check, ...]:
    kept = pack.reconciliation
    again = kept.model_copy(update={"totals": found.totals, "findings": found.findings, "authority": found.authority})
    return (
        Check(name="reconciliation", evidence=kept.fingerprint(), recomputed=again.fingerprint()),
        Check(
            name="usage lines",
            evidence=kept.usage.content_fingerprint,
            recomputed=usage_table.fingerprint_of_table(found.usage),
        ),
        Check(
            name="statement's reconciliation",
            evidence=str(pack.statement.reconciliation),
            recomputed=kept.fingerprint(),
        ),
    )


def _statement(pack: EvidencePack, found: Reconciled) -> tuple[Check, ...]:
    again = rating.statement_for(
        terms.in_force(pack.contracts, pack.customer, pack.month),
        found.usage,
        pack.rates,
        pack.month,
        pack.prior,
        reconciliation=pack.statement.reconciliation,
        engine=pack.engine,
        opening=pack.opening,
    )
    again = carried.with_corrections(again, pack.corrections)
    return (Check(name="statement", evidence=pack.statement.fingerprint(), recomputed=again.fingerprint()),)


def _approval(pack: EvidencePack) -> tuple[Check, ...]:
    """Judge every taken approval again: the right role, this statement, and never a preparer."""
    taken = {verdict.decision for verdict in pack.verdicts if verdict.taken}
    fingerprint = pack.statement.fingerprint()
    signed = [
        one
        for one in pack.decisions
        if one.id in taken and one.kind is DecisionKind.APPROVE and one.subject == fingerprint
    ]
    preparers = {*pack.starters, *pack.proposers, *_preparers(pack, taken)}
    stands = [
        one.person.id
        for one in signed
        if approval.judge(
            one,
            (DecisionKind.APPROVE,),
            same_close=(one.period, one.revision, one.customer) == (pack.month, pack.revision, pack.customer),
            statement=fingerprint,
            holding=(),
            preparers=preparers,
            approved_by=(),
        ).taken
    ]
    return (
        Check(
            name="approvals",
            evidence=", ".join(sorted(one.person.id for one in signed)),
            recomputed=", ".join(sorted(stands)),
        ),
    )


def _preparers(pack: EvidencePack, taken: set[str]) -> set[str]:
    decided: list[Decision] = [one for one in pack.decisions if one.id in taken and one.kind in approval.PREPARES]
    return {one.person.id for one in decided}


def _invoice(pack: EvidencePack) -> tuple[Check, ...]:
    again = invoicing.invoice_for(pack.statement, pack.revision)
    return (
        Check(name="invoice", evidence=pack.invoice.fingerprint(), recomputed=again.fingerprint()),
        Check(name="issued total", evidence=f"{pack.issued.total:f}", recomputed=f"{again.total:f}"),
    )


def _journal(pack: EvidencePack) -> tuple[Check, ...]:
    schedule = recognition.schedule_for(
        pack.statement, pack.prior, pack.contracts, pack.opening, pack.entity, pack.estimates
    )
    entries = posting.entries_for(
        pack.statement,
        pack.invoice,
        schedule,
        post_to=pack.posted_to,
        prior_accruals=pack.prior_accruals,
        close_run=f"{pack.month}@{pack.revision}",
    )
    kept = sorted(entry.fingerprint() for entry in pack.entries)
    again = sorted(entry.fingerprint() for entry in entries)
    return (
        Check(name="revenue schedule", evidence=pack.schedule.fingerprint(), recomputed=schedule.fingerprint()),
        Check(name="journal entries", evidence=" ".join(kept), recomputed=" ".join(again)),
    )
