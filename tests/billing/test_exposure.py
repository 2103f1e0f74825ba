"""The money at risk of a finding is what the other source would have billed more or less, at the customer's rates."""

from collections.abc import Callable
from decimal import Decimal

import pyarrow as pa

from billing.rating import statement as rating
from billing.reconciliation.cells import Slice
from billing.reconciliation.exposure import MOST_RATED, Billed, exposures, worth
from billing.reconciliation.reconcile import Reconciled, reconcile
from models.reconciliation import Answer, Exposure, Resolution
from models.refusal import Refusal
from tests.billing.rating.builders import a_contract
from tests.usage_builders import OCTOBER, a_policy, a_slice, event


class NoPrice(Refusal):
    """Nothing is priced here."""


def compared(ours: Slice, theirs: Slice, *resolutions: Resolution) -> Reconciled:
    slices = [ours, theirs]
    return reconcile("acme", "2026-10", OCTOBER, slices, a_policy(slices), resolutions)


def billing(price: object, **clauses: object) -> Callable[[pa.Table], Billed]:
    """Return what tells a month's subtotal by a contract with one price for a call's minute."""
    contract = a_contract(prices=[{"meter": "call.*", "price": price}], **clauses)

    def bill(usage: pa.Table) -> Billed:
        statement = rating.statement_for([contract], usage, (), "2026-10", engine="test")
        return worth(statement), statement.currency

    return bill


def at_risk(found: Reconciled, bill: Callable[[pa.Table], Billed]) -> tuple[Exposure, ...]:
    return exposures(found.holding, found.usage, found.instead, bill)


PER_UNIT = {"kind": "unit", "amount": "0.05"}


def test_the_other_sources_quantity_is_rated_with_the_customers_contract() -> None:
    ours = a_slice("clickhouse", [event(1, "1000"), event(30, "500")])
    found = compared(ours, a_slice("posthog", [event(1, "1100"), event(30, "500")]))
    (one,) = at_risk(found, billing(PER_UNIT))
    assert (one.amount, one.currency, one.why) == (Decimal("5.00"), "USD", "")  # 100 more at 0.05


def test_a_tier_is_crossed_as_the_contract_says_and_not_by_a_mean_price() -> None:
    tiers: dict[str, object] = {
        "kind": "graduated",
        "tiers": [{"up_to": "1000", "amount": "0.10"}, {"up_to": None, "amount": "0.01"}],
    }
    found = compared(a_slice("clickhouse", [event(1, "950")]), a_slice("posthog", [event(1, "1150")]))
    (one,) = at_risk(found, billing(tiers))
    assert one.amount == Decimal("6.50")  # 50 x 0.10 + 150 x 0.01


def test_usage_that_a_prepaid_pool_pays_is_at_risk_all_the_same() -> None:
    pool = {"id": "year", "amount": "1200.00", "every": "year", "billing": "advance"}
    found = compared(a_slice("clickhouse", [event(1, "1000")]), a_slice("posthog", [event(1, "1100")]))
    (one,) = at_risk(found, billing(PER_UNIT, commitments=[pool]))
    assert one.amount == Decimal("5.00")  # nothing more is invoiced, and 5.00 more is drawn


def test_where_the_other_source_would_bill_less_the_money_is_below_zero() -> None:
    found = compared(a_slice("clickhouse", [event(1, "1000")]), a_slice("posthog", [event(1, "900")]))
    assert [one.amount for one in at_risk(found, billing(PER_UNIT))] == [Decimal("-5.00")]


def test_an_answered_finding_is_in_what_stands_and_only_the_open_one_is_rated() -> None:
    ours = a_slice("clickhouse", [event(1, "1000"), event(300, "1000", meter="call.seconds")])
    theirs = a_slice("posthog", [event(1, "1100"), event(300, "1200", meter="call.seconds")])
    first = compared(ours, theirs).holding[0]
    accepted = Resolution(
        finding=first.id, answer=Answer.ACCEPT, source="posthog", reason="checked", person="pia", decision="d"
    )
    found = compared(ours, theirs, accepted)
    assert [(one.finding, one.amount) for one in at_risk(found, billing(PER_UNIT))] == [
        (found.holding[0].id, Decimal("10.00"))  # 200 at 0.05; the accepted 100 stand on both sides
    ]


def test_what_cannot_be_rated_has_no_amount_and_says_why() -> None:
    found = compared(a_slice("clickhouse", [event(1, "1000")]), a_slice("posthog", [event(1, "900")]))

    def never(usage: pa.Table) -> Billed:
        raise NoPrice("nothing prices call.minutes")

    (one,) = at_risk(found, never)
    assert (one.amount, one.currency) == (None, None)
    assert one.why == "the month cannot be rated as it stands: NoPrice: nothing prices call.minutes"


def test_a_source_that_differs_from_itself_has_nothing_to_be_rated_against() -> None:
    twice = [event(1, "1000"), event(2, "5")]
    found = compared(a_slice("clickhouse", twice), a_slice("posthog", [event(1, "1100"), event(2, "5")]))
    own = found.holding[0].model_copy(update={"against": found.holding[0].source})
    (one,) = exposures([own], found.usage, found.instead, billing(PER_UNIT))
    assert one.why == "only posthog says so: there is nothing to rate it against"


def test_a_customer_with_very_many_findings_is_not_rated_for_ever() -> None:
    found = compared(a_slice("clickhouse", [event(1, "1000")]), a_slice("posthog", [event(1, "900")]))
    calls = []

    def counted(usage: pa.Table) -> Billed:
        calls.append(1)
        return Decimal(0), "USD"

    many = [found.holding[0]] * (MOST_RATED + 5)
    told = exposures(many, found.usage, found.instead, counted)
    assert (len(told), len(calls)) == (MOST_RATED + 5, MOST_RATED + 1)
    assert told[-1].why == "only the first 200 findings of a customer are rated"
