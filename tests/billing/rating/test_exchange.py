"""An invoice in another currency than the contract's; worked out by hand at 1 USD = 0.90 EUR unless it says other."""

from collections.abc import Sequence
from typing import Any

import pytest

from billing.net_lines import net_lines
from billing.rating.rates import NoRate
from billing.recognition import schedule_for
from models.contract import Contract
from models.money import total
from models.rate_card import RateVersion
from models.statement import LineKind, Statement
from tests.billing.rating.builders import (
    D,
    a_contract,
    a_rate,
    amounts,
    by_kind,
    flow,
    minutes_at,
    pool,
    price,
    rated,
    tiers,
    used,
)

USD = "fx.USD"
RATES = [
    a_rate(USD, "0.80", "2026-09-01T00:00:00Z", card="ecb", currency="EUR"),
    a_rate(USD, "0.90", "2026-10-31T12:00:00Z", card="ecb", currency="EUR"),
    a_rate(USD, "0.50", "2026-11-01T00:00:00Z", card="ecb", currency="EUR"),
]


def in_euro(currency: str = "EUR", **clauses: Any) -> Contract:
    content = {"prices": [minutes_at("1.00")], "term": {"start": "2026-10-01", "end": "2027-10-01"}, **clauses}
    return a_contract(fx={"source": "ecb", "invoice_currency": currency}, **content)


def months(contract: Contract, *usage: Sequence[Any], rates: Sequence[RateVersion] = RATES) -> list[Statement]:
    found: list[Statement] = []
    for month, lines in zip(("2026-10", "2026-11"), usage, strict=False):
        found.append(rated(contract, *lines, rates=rates, period=month, prior=found))
    return found


def test_an_invoice_in_another_currency_is_converted_at_the_periods_last_instant_and_rounded_once() -> None:
    statement = rated(in_euro(prices=[minutes_at("0.333")]), used("10"), rates=RATES)
    (line,) = statement.lines
    # 3.33 USD x 0.90 = 2.997 EUR; the rate of 1 November and that of September do not count
    assert (statement.currency, line.amount, line.precise_amount) == ("EUR", D("3.00"), D("2.997"))
    assert (line.contract_amount, line.contract_precise) == (D("3.33"), D("3.33"))
    assert statement.exchange is not None
    assert statement.exchange.rate_version == RATES[1].id
    assert RATES[1].id in statement.rate_versions


def test_a_currency_without_minor_units_rounds_the_exact_amount_not_the_rounded_one() -> None:
    rates = [a_rate(USD, "150", card="ecb", currency="JPY")]
    statement = rated(in_euro("JPY", prices=[minutes_at("0.335")]), used("1"), rates=rates)
    assert amounts(statement) == ["50"]  # 0.335 x 150 = 50.25; from 0.34 it would be 51


def test_a_missing_rate_of_the_invoices_currency_is_refused() -> None:
    with pytest.raises(NoRate):
        rated(in_euro(), used("1"))
    with pytest.raises(NoRate, match="another currency"):
        rated(in_euro("GBP"), used("1"), rates=RATES)


def test_a_card_may_lead_to_several_currencies() -> None:
    rates = [
        a_rate(USD, "0.9", card="ecb", currency="EUR", to="EUR"),
        a_rate(USD, "0.8", card="ecb", currency="GBP", to="GBP"),
    ]
    assert rated(in_euro("GBP"), used("10"), rates=rates).total == D("8.00")


def test_discounts_credits_and_tax_are_in_the_invoices_currency_and_no_line_is_paid_twice() -> None:
    contract = in_euro(
        discounts=[{"id": "off", "percent": "10"}],
        credits=[{"id": "gift", "kind": "promotional", "amount": "30.00", "effective": "2026-10-01"}],
        tax={"rate": "0.10", "jurisdiction": "X"},
    )
    statement = rated(contract, used("100"), rates=RATES)
    # 90.00 EUR, less 9.00, less 30 x 0.90 = 27.00 leave 54.00; 10 % of it is 5.40
    assert by_kind(statement) == {"usage": "90.00", "discount": "-9.00", "credit_draw": "-27.00", "tax": "5.40"}
    assert flow(pool(statement, "gift")) == ("0", "30", "30", "0", "0")  # pools stay in the contract's currency


def test_a_line_paid_in_full_is_paid_in_full_in_any_currency() -> None:
    contract = in_euro(
        prices=[minutes_at("0.33")],
        credits=[{"id": "gift", "kind": "promotional", "amount": "30.00", "effective": "2026-10-01"}],
        invoice={"group_by": ["meter", "model"]},
    )
    usage = [used("1", model=f"m{index}") for index in range(3)]
    rates = [a_rate(USD, "0.515", card="ecb", currency="EUR")]
    statement = rated(contract, *usage, rates=rates)
    assert amounts(statement) == ["0.17", "0.17", "0.17"]  # 0.16995 each; 0.99 x 0.515 would be 0.51
    assert statement.total == 0


def test_a_covered_line_without_a_share_of_the_rounded_draw_is_nothing_in_any_currency() -> None:
    pool_ = {"id": "pool", "amount": "100.00", "every": "year", "billing": "advance"}
    contract = in_euro(prices=[minutes_at("0.006")], commitments=[pool_], invoice={"group_by": ["meter", "model"]})
    statement = rated(contract, used("1", model="a"), used("1", model="b"), rates=RATES)
    # two lines of 0.006 USD draw 0.012, rounded 0.01: one line is that cent, the other none; each is 0.0054 EUR
    shares = sorted(line.contract_amount for line in statement.lines if line.covered_by)  # type: ignore[type-var]
    assert shares == [D("0.00"), D("0.01")]
    assert by_kind(statement) == {"usage": "0.01", "pool_draw": "-0.01", "commitment": "90.00"}
    assert statement.total == D("90.00")


def test_a_prepaid_pool_is_drawn_in_its_own_currency_at_each_months_rate_and_earned_at_what_it_cost() -> None:
    pool_ = {"id": "pool", "amount": "100.00", "every": "year", "billing": "advance"}
    contract = in_euro(commitments=[pool_])
    october, november = months(contract, [used("30")], [used("90", "2026-11-03T00:00:00Z")])
    # 100 USD are sold for 90.00 EUR; 30 used in October are 27.00 EUR
    assert by_kind(october) == {"usage": "27.00", "pool_draw": "-27.00", "commitment": "90.00"}
    # November at 0.50: 70 USD from the pool and 20 USD billed
    assert by_kind(november) == {"usage": "45.00", "pool_draw": "-35.00"}
    assert flow(pool(november, "pool")) == ("70", "0", "70", "0", "0")
    earned = [
        sum(row.amount for row in schedule_for(october).now),
        sum(row.amount for row in schedule_for(november, [october]).now),
    ]
    # October earns 30 % of 90.00; November the other 70 %, and 20 USD of usage at 0.50
    assert earned == [D("27.00"), D("73.00")]


def test_fees_billed_before_are_compared_in_the_contracts_currency() -> None:
    october, november = months(in_euro(fees=[{"id": "platform", "amount": "100.00"}]), [], [])
    assert amounts(october, LineKind.FEE) == ["90.00", "90.00"]
    assert amounts(november, LineKind.FEE) == ["50.00"]  # December's, at November's rate; November's is billed


def test_tiers_over_a_quarter_run_on_in_the_contracts_currency() -> None:
    clause = price("call.minutes", kind="graduated", over="quarter", tiers=tiers(("10", "1"), (None, "0.5")))
    october, november = months(in_euro(prices=[clause]), [used("8")], [used("4", "2026-11-02T00:00:00Z")])
    assert amounts(october) == ["7.20"]
    assert sorted(amounts(november)) == ["0.50", "1.00"]  # 2 x 1 and 2 x 0.5 USD at 0.50


def test_a_shortfall_and_a_paid_credit_are_billed_in_the_invoices_currency() -> None:
    contract = in_euro(
        commitments=[{"id": "floor", "amount": "100.00", "every": "month", "billing": "arrears"}],
        credits=[{"id": "topup", "kind": "paid", "amount": "50.00", "cost": "40.00", "effective": "2026-10-01"}],
    )
    october, november = months(contract, [used("60")], [used("100", "2026-11-02T00:00:00Z")])
    assert by_kind(october) == {
        "usage": "54.00",
        "credit_draw": "-45.00",
        "shortfall": "36.00",
        "credit_purchase": "36.00",
    }
    assert pool(october, "topup").cost == pool(november, "topup").cost == D("36.00")
    assert total(one.billed for one in net_lines(october, frozenset())) == october.total
    assert schedule_for(november, [october])
