"""Declared answers of docs/policies.md that no other test is named after, and faults that users of others reported."""

from typing import Any

import pytest

from models.contract import Contract
from models.statement import LineKind
from tests.billing.rating.builders import (
    MINUTES,
    D,
    a_contract,
    amounts,
    by_kind,
    flow,
    minutes_at,
    of_kind,
    pool,
    price,
    rated,
    through,
    tiers,
    used,
)


def october(**clauses: Any) -> Contract:
    return a_contract(term={"start": "2026-10-01", "end": "2027-10-01"}, **{"prices": [minutes_at("1.00")], **clauses})


def test_the_total_is_the_sum_of_the_rounded_lines() -> None:
    contract = october(prices=[minutes_at("0.005")], invoice={"group_by": ["meter", "model"]})
    statement = rated(contract, *(used("1", model=f"m{index}") for index in range(3)))
    assert statement.total == D("0.03")  # three lines of 0.005 are 0.01 each; their exact sum 0.015 would be 0.02


@pytest.mark.parametrize(
    ("over", "paid"), [("year", ["6.00", "2.00"]), ("term", ["6.00", "2.00"]), ("month", ["10.00"])]
)
def test_tiers_accumulate_over_the_window_a_price_names(over: str, paid: list[str]) -> None:
    clause = price(MINUTES, kind="graduated", over=over, tiers=tiers(("10", "1"), (None, "0.5")))
    january = through(
        october(prices=[clause]),
        {"2026-10": [used("4")], "2026-11": [], "2026-12": [], "2027-01": [used("10", "2027-01-05T00:00:00Z")]},
    )[-1]
    assert amounts(january) == paid  # 4 before: 6 x 1 + 4 x 0.5; by the month 10 x 1


def test_at_one_instant_usage_is_taken_by_meter_then_dimensions() -> None:
    free = {"id": "pool", "amount": "3.00", "every": "month", "billing": "advance"}
    prices = [price(name, kind="unit", amount="1") for name in ("a", "b")]
    contract = october(prices=prices, commitments=[free], invoice={"group_by": ["meter", "model"]})
    usage = used("2", meter="b", model="x"), used("2", meter="a", model="y"), used("2", meter="a", model="x")
    covered = {
        (line.meter, line.dimensions["model"]): line.amount for line in rated(contract, *usage).lines if line.covered_by
    }
    assert covered == {("a", "x"): 2, ("a", "y"): 1}


def test_fees_count_towards_a_floor_only_when_its_scope_names_them() -> None:
    fee = {"id": "platform", "amount": "40.00", "timing": "arrears"}

    def short(**scope: Any) -> str:
        floor = {"id": "floor", "amount": "100.00", "every": "month", "billing": "arrears", **scope}
        return by_kind(rated(october(fees=[fee], commitments=[floor]), used("30")))["shortfall"]

    assert short() == "70.00"
    assert short(scope="all") == "70.00"  # all usage; fees only when they are named
    assert short(scope={"fees": ["platform"]}) == "30.00"


def test_tax_does_not_count_towards_a_floor() -> None:
    floor = {"id": "floor", "amount": "100.00", "every": "month", "billing": "arrears"}
    statement = rated(october(commitments=[floor], tax={"rate": "0.10", "jurisdiction": "X"}), used("60"))
    assert by_kind(statement) == {"usage": "60.00", "shortfall": "40.00", "tax": "10.00"}


def test_a_commitment_counts_exact_amounts_and_its_shortfall_is_rounded_once() -> None:
    floor = {"id": "floor", "amount": "1.00", "every": "month", "billing": "arrears"}
    contract = october(prices=[minutes_at("0.333")], commitments=[floor], invoice={"group_by": ["meter", "model"]})
    statement = rated(contract, *(used("1", model=f"m{index}") for index in range(3)))
    # 3 x 0.333 = 0.999 are counted, not 3 x 0.33: what is missing, 0.001, rounds to nothing and is no line
    assert by_kind(statement) == {"usage": "0.99"}
    assert flow(pool(statement, "floor")) == ("0", "1", "0.999", "0", "0.001")


def test_a_commitment_counts_what_discounts_and_caps_leave() -> None:
    floor = {"id": "floor", "amount": "100.00", "every": "month", "billing": "arrears"}
    contract = october(
        commitments=[floor], discounts=[{"id": "d", "percent": "10"}], maximums=[{"id": "x", "amount": "50.00"}]
    )
    assert by_kind(rated(contract, used("60")))["shortfall"] == "50.00"  # 60 - 6 = 54, capped to 50


def test_a_fees_last_stub_is_prorated_and_the_day_of_end_is_not_counted() -> None:
    contract = a_contract(
        term={"start": "2026-09-01", "end": "2026-10-11"}, fees=[{"id": "f", "amount": "310.00", "timing": "arrears"}]
    )
    assert amounts(rated(contract, period="2026-10"), LineKind.FEE) == ["100.00"]  # 10 of 31 days


def test_a_partial_quarter_of_a_commitment_is_whole_unless_it_says_so() -> None:
    def short(**more: Any) -> list[str]:
        floor = {"id": "f", "amount": "92.00", "every": "quarter", "align": "calendar", "billing": "arrears", **more}
        months: dict[str, list[Any]] = {"2026-11": [], "2026-12": []}
        contract = a_contract(term={"start": "2026-11-01", "end": "2027-11-01"}, commitments=[floor])
        return amounts(through(contract, months)[-1], LineKind.SHORTFALL)

    assert short() == ["92.00"]
    assert short(prorate=True) == ["61.00"]  # 61 of the calendar quarter's 92 days


def test_what_a_correction_takes_back_returns_to_the_credit_and_is_never_cash() -> None:
    gift = {"id": "gift", "kind": "promotional", "amount": "10.00", "effective": "2026-10-01"}
    statement = rated(october(credits=[gift]), used("12"), used("-4", "2026-10-20T00:00:00Z"))
    # 8 remain, all paid by the credit: what it had paid of the other 2 is back in the grant, and is never cash
    assert (statement.total, flow(pool(statement, "gift"))) == (D(0), ("0", "10", "8", "0", "2"))


def test_what_a_correction_gives_back_to_an_expired_credit_expires_again() -> None:
    gift = {"id": "gift", "kind": "promotional", "amount": "10.00", "effective": "2026-10-01", "expires": "2026-10-15"}
    usage = used("10", "2026-10-02T00:00:00Z"), used("-4", "2026-10-20T00:00:00Z")
    statement = rated(october(credits=[gift]), *usage)
    assert flow(pool(statement, "gift")) == ("0", "10", "6", "4", "0")


def test_several_credits_bought_at_different_costs_are_billed_by_grant() -> None:
    bought = [
        {"id": name, "kind": "paid", "amount": "10.00", "cost": cost, "effective": "2026-10-01"}
        for name, cost in (("a", "9.00"), ("b", "8.00"))
    ]
    statement = rated(october(credits=bought), used("15"))
    assert {line.grant: line.amount for line in of_kind(statement, LineKind.CREDIT_PURCHASE)} == {"a": 9, "b": 8}
    assert {line.grant: line.amount for line in of_kind(statement, LineKind.CREDIT_DRAW)} == {"a": -10, "b": -5}


def test_a_total_of_nothing_is_a_statement_with_all_its_lines() -> None:
    gift = {"id": "gift", "kind": "promotional", "amount": "10.00", "effective": "2026-10-01"}
    statement = rated(october(credits=[gift]), used("10"))
    assert (statement.total, len(statement.lines)) == (D(0), 2)


def test_cliffs_count_a_requests_units_for_the_step_and_leave_the_free_ones_out() -> None:
    clause = price("llm", kind="cliffs", free="12", tiers=tiers(("9", "1"), (None, "2")))
    usage = used("10", "2026-10-02T00:00:00Z", "llm"), used("10", "2026-10-03T00:00:00Z", "llm")
    # the first 12 units in time are free: all of the first request and 2 of the second, whose 8 pay the upper step
    assert amounts(rated(october(prices=[clause]), *usage)) == ["16.00"]


def test_vat_is_right_to_the_cent_though_lines_are_many() -> None:
    # lago-api PR 821: VAT off by a cent, because it was rounded by the line
    contract = october(tax={"rate": "0.20", "jurisdiction": "FR"}, invoice={"group_by": ["meter", "model"]})
    statement = rated(contract, *(used("0.52", model=f"m{index}") for index in range(5)))
    assert (statement.subtotal, statement.tax) == (D("2.60"), D("0.52"))  # by the line: 5 x 0.10 = 0.50


def test_one_call_over_the_periods_end_counts_in_one_period() -> None:
    # traceroot #2077: a retry over the period's end was counted in both periods
    contract = october()
    last, first = used("1", "2026-10-31T23:59:59Z", hours=0), used("2", "2026-11-01T00:00:00Z", hours=0)
    ten, eleven = rated(contract, last), rated(contract, first, period="2026-11")
    assert (ten.total, eleven.total) == (D(1), D(2))


def test_many_thousand_usage_lines_are_few_rated_lines() -> None:
    # ubicloud #715, parabol #6826: 60,000 lines a month; Stripe takes 250 items
    usage = [
        used("1", f"2026-10-{day:02}T{hour:02}:00:00Z", call=f"{day}-{hour}-{call}")
        for day in range(1, 29)
        for hour in range(24)
        for call in range(3)
    ]
    assert len(usage) == 2016
    (line,) = rated(october(), *usage).lines
    assert (line.amount, line.explanation.events) == (D(2016), 2016)


def test_usage_after_the_statement_was_drafted_is_billed_in_the_next() -> None:
    # authgear #2168: usage after the draft was lost
    ten, eleven = through(october(), {"2026-10": [used("5")], "2026-11": [used("3", "2026-10-31T23:00:00Z")]})
    assert (ten.total, eleven.total) == (D(5), D(3))
