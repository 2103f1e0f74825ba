"""reconcile: compare a customer's slices, apply the authority and people's answers, keep the usage lines."""

from collections.abc import Callable, Sequence
from datetime import datetime

import pyarrow as pa
from temporalio import activity

from activities.collect import keep_table
from activities.deeds import Outside
from activities.messages import CompareSources, CustomerRef, ReconciliationRef
from billing import slices, terms, usage_table
from billing.rating import cuts
from billing.rating import statement as rating
from billing.reconciliation.cells import Slice
from billing.reconciliation.exposure import Billed, exposures, worth
from billing.reconciliation.reconcile import Reconciled, reconcile
from models.close import Stage, State
from models.reconciliation import Reconciliation
from models.refusal import Refusal
from models.snapshot import Snapshot


class SnapshotChanged(Refusal):
    """A sealed snapshot in the books is not the one this close took its slices from."""

    remedy = "Look at the snapshots of the month; a close reads one seal from start to end."


class Reconcile:
    """The deeds of the second stage."""

    def __init__(self, outside: Outside) -> None:
        self.outside = outside

    @activity.defn(name="reconcile.compare_sources")
    def compare_sources(self, task: CompareSources) -> ReconciliationRef:
        """Reconcile a customer's month and keep the result; return how many findings hold the customer.

        Raises:
            NoContract, NoAuthority, NegativeMeter: the customer is parked.
        """
        outside, close = self.outside, task.close
        compared = self._compare(task)
        reconciliation = Reconciliation(
            customer=close.customer,
            period=close.month,
            snapshots=task.snapshots,
            totals=compared.totals,
            findings=compared.findings,
            authority=compared.authority,
            usage=keep_table(
                outside,
                f"usage/{close.month}@{close.revision}/{close.customer}",
                compared.usage,
                usage_table.fingerprint_of_table(compared.usage),
            ),
        )
        held = compared.holding
        at_risk = exposures(held, compared.usage, compared.instead, biller(outside, close)) if held else ()
        fingerprint = outside.evidence.keep_reconciliation(reconciliation, close.revision, outside.clock.now(), at_risk)
        outside.closes.project(
            close.month,
            close.revision,
            close.customer,
            Stage.RECONCILE if held else Stage.RATE,
            State.WAITING if held else State.RUNNING,
            outside.clock.now(),
            f"held by {len(held)} findings" if held else "",
            reconciliation=fingerprint,
        )
        return ReconciliationRef(
            fingerprint=fingerprint,
            findings=len(compared.findings),
            holding=tuple(finding.id for finding in held),
        )

    def _compare(self, task: CompareSources) -> Reconciled:
        outside, close = self.outside, task.close
        contracts = terms.in_force(outside.terms.contracts(close.customer), close.customer, close.month)
        period = terms.month_of_customer(contracts, close.month)
        policy = outside.policy.model_copy(update={"authority": outside.terms.authorities()})
        instants = cuts.cuts_of(contracts, outside.terms.rates(), close.month)
        return reconcile(
            close.customer,
            close.month,
            period,
            self._slices(close, task.snapshots, (*instants, period.starts_at, period.ends_at)),
            policy,
            outside.evidence.resolutions(close.month, close.revision, close.customer),
            instants,
        )

    def _slices(self, close: CustomerRef, snapshots: tuple[str, ...], instants: Sequence[datetime]) -> list[Slice]:
        found: list[Snapshot] = []
        for name in sorted(self.outside.sources):
            snapshot = self.outside.evidence.snapshot(name, close.month, close.revision)
            if snapshot is None or snapshot.rows.content_fingerprint not in snapshots:
                raise SnapshotChanged("the sealed snapshot is not the one taken", source=name, month=close.month)
            found.append(snapshot)
        outside = self.outside
        return slices.slices_of(
            close.customer,
            found,
            outside.policy,
            lambda: outside.terms.population(close.month),
            outside.store.path,
            instants,
        )


def biller(outside: Outside, close: CustomerRef) -> Callable[[pa.Table], Billed]:
    """Return what tells what a month's usage is worth, by the contract and rules the close rates with.

    It raises a refusal of the contract or the rate card: this usage cannot be rated.
    """
    contracts = terms.in_force(outside.terms.contracts(close.customer), close.customer, close.month)
    rates = outside.terms.rates(outside.clock.now())
    issued = outside.evidence.issued_statements(contracts[-1].contract, close.month)
    opening = outside.terms.opening(contracts[-1].contract)

    def bill(usage: pa.Table) -> Billed:
        statement = rating.statement_for(
            contracts, usage, rates, close.month, issued, engine=outside.engine, opening=opening
        )
        return worth(statement), statement.currency

    return bill
