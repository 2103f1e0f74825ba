"""rate: apply the contract to the reconciled month, keep the statement."""

from datetime import datetime

import pyarrow as pa
import pyarrow.parquet as pq
from temporalio import activity

from activities.deeds import Outside
from activities.messages import CustomerRef, RateUsage, StatementRef
from billing import carried, invariants, terms
from billing.pools import ledger_of
from billing.rating import statement as rating
from models.close import Stage, State
from models.event import Termination
from models.money import to_minor
from models.period import month_of
from models.refusal import Refusal
from models.statement import Statement


class PoolsDoNotFollow(Refusal):
    """A pool does not go on from what was issued: a month opens with another balance than the one before closed."""

    remedy = "See the ledger: tieout pool show CONTRACT; nothing is billed from a balance that nobody can account for."


class ContractEnded(Refusal):
    """The contract was terminated before this month: what was left of it is booked away, nothing more is billed."""

    remedy = "Amend the contract so that its term ends on the day of the termination, then retry; or skip the customer."


def rated(
    outside: Outside, customer: str, month: str, usage: pa.Table, rated_at: datetime, reconciliation: str | None = None
) -> Statement:
    """Return a customer's month rated from usage lines, going on from what was issued: the close's way and a draft's.

    Raises:
        A refusal of the contract or the rate card, or PoolsDoNotFollow.
    """
    contracts = terms.in_force(outside.terms.contracts(customer), customer, month)
    issued = outside.evidence.issued_statements(contracts[-1].contract, month)
    opening = outside.terms.opening(contracts[-1].contract)
    statement = rating.statement_for(
        contracts,
        usage,
        outside.terms.rates(rated_at),
        month,
        issued,
        reconciliation=reconciliation,
        engine=outside.engine,
        opening=opening,
    )
    mine = carried.to_carry(outside.corrections.of_customer(customer), statement, issued)
    statement = carried.with_corrections(statement, mine)
    for one in invariants.broken(invariants.pools_follow(ledger_of([*issued, statement], opening, contracts))):
        raise PoolsDoNotFollow(f"{one.name}: {one.left:f} is not {one.right:f}", contract=statement.contract)
    return statement


class Rate:
    """The deeds of the third stage."""

    def __init__(self, outside: Outside) -> None:
        self.outside = outside

    @activity.defn(name="rate.rate_usage")
    def rate_usage(self, task: RateUsage) -> StatementRef:
        """Rate a reconciled month and keep its statement; return its fingerprint and total.

        Raises:
            A refusal of the contract or the rate card, or of corrections beyond the total: the customer is parked.
        """
        outside, close = self.outside, task.close
        rated_at = outside.clock.now()  # what is known then is what its evidence is re-performed with
        contracts = terms.in_force(outside.terms.contracts(close.customer), close.customer, close.month)
        self._refuse_ended(close, contracts[-1].contract)
        reconciliation = outside.evidence.reconciliation(task.reconciliation)
        usage = pq.read_table(outside.store.path(reconciliation.usage))
        statement = rated(outside, close.customer, close.month, usage, rated_at, task.reconciliation)
        fingerprint = outside.evidence.keep_statement(statement, close.revision, rated_at)
        total_minor = to_minor(statement.total, statement.currency)
        outside.closes.project(
            close.month,
            close.revision,
            close.customer,
            Stage.APPROVE,
            State.RUNNING,
            outside.clock.now(),
            "",
            statement=fingerprint,
            total=f"{statement.total:f}",
            currency=statement.currency,
        )
        return StatementRef(
            fingerprint=fingerprint,
            contract_version=statement.contract_version,
            currency=statement.currency,
            total_minor=total_minor,
            lines=len(statement.lines),
        )

    def _refuse_ended(self, close: CustomerRef, contract: str) -> None:
        for one in self.outside.booked.events(close.customer):
            if isinstance(one, Termination) and one.contract == contract and month_of(one.on) < close.month:
                raise ContractEnded("the contract was terminated", contract=contract, on=str(one.on), event=one.id)
