"""Entitlements, discounts, floors, caps and tax; worked out by hand."""

from typing import Any

import pytest

from billing.rating.statement import NegativeStatement
from billing.rating.supported import ClauseNotSupported
from models.contract import Contract
from models.money import total
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


def at_one(**clauses: Any) -> Contract:
    return a_contract(prices=[minutes_at("1.00"), price("sms", kind="unit", amount="1.00")], **clauses)


def included(units: str = "100", **more: Any) -> dict[str, Any]:
    return {"id": "minutes", "meter": MINUTES, "included": units, **more}


def test_included_units_are_shown_at_nothing_and_come_first_in_time() -> None:
    contract = at_one(entitlements=[included()])
    statement = rated(contract, used("80", "2026-10-20T00:00:00Z"), used("50", "2026-10-02T00:00:00Z"))
    assert by_kind(statement) == {"included": "0.00", "usage": "30.00"}
    assert [line.quantity for line in of_kind(statement, LineKind.INCLUDED)] == [100]
    assert flow(pool(statement, "minutes")) == ("0", "100", "100", "0", "0")


def test_included_units_do_not_move_the_tiers_of_what_is_paid() -> None:
    clause = price(MINUTES, kind="graduated", tiers=tiers(("100", "1"), (None, "0.5")))
    contract = a_contract(prices=[clause], entitlements=[included()])
    assert amounts(rated(contract, used("250"))) == ["100.00", "25.00"]  # 150 paid: 100 x 1, 50 x 0.5


def test_the_line_is_split_at_the_exact_unit_with_fractions() -> None:
    statement = rated(at_one(entitlements=[included("0.3")]), used("1"))
    assert [line.quantity for line in statement.lines] == [D("0.3"), D("0.7")]
    assert statement.total == D("0.70")


def test_unused_included_units_expire_or_are_carried_for_one_month() -> None:
    october, november, december = through(
        at_one(entitlements=[included(rollover={"max": "30"})]),
        {"2026-10": [used("10")], "2026-11": [used("20", "2026-11-03T00:00:00Z")], "2026-12": []},
    )
    assert flow(pool(october, "minutes")) == ("0", "100", "10", "60", "30")
    assert flow(pool(november, "minutes")) == ("30", "100", "20", "80", "30")
    assert pool(december, "minutes").opening == 30


def test_a_rollover_has_a_least_part_that_is_carried() -> None:
    statement = rated(at_one(entitlements=[included(rollover={"min": "5", "max": "30"})]), used("100"))
    assert flow(pool(statement, "minutes")) == ("0", "105", "100", "0", "5")


def test_an_entitlement_of_a_quarter_is_one_for_three_months() -> None:
    contract = at_one(entitlements=[included(every="quarter")])
    october, november = through(contract, {"2026-10": [used("70")], "2026-11": [used("50", "2026-11-03T00:00:00Z")]})
    assert (october.total, november.total) == (D("0.00"), D("20.00"))


def test_an_entitlement_holds_only_where_its_dimensions_match() -> None:
    contract = at_one(entitlements=[included(where={"assistant": "a"})])
    statement = rated(contract, used("10", assistant="a"), used("7", assistant="b"))
    assert statement.total == D("7.00")


def test_a_percent_discount_is_rounded_once_and_split_by_largest_remainder() -> None:
    contract = a_contract(
        prices=[minutes_at("33.33"), price("sms", kind="unit", amount="33.34")],
        discounts=[{"id": "d", "percent": "10"}],
        invoice={"group_by": ["meter", "model"]},
    )
    usage = used("1", model="a"), used("1", model="b"), used("1", meter="sms")
    statement = rated(contract, *usage)
    (discount,) = of_kind(statement, LineKind.DISCOUNT)
    assert discount.amount == D("-10.00")  # of 100.00; line by line it would be 3.33 + 3.33 + 3.33
    assert total(part.amount for part in discount.applied) == D("10.00")


def test_discounts_stack_units_then_amounts_then_percents_each_on_the_remainder() -> None:
    contract = at_one(
        discounts=[
            {"id": "percent", "percent": "10"},
            {"id": "amount", "amount": "20.00"},
            {"id": "units", "units": "10", "meter": MINUTES},
        ]
    )
    statement = rated(contract, used("130"))
    off = {line.clause: f"{line.amount:f}" for line in of_kind(statement, LineKind.DISCOUNT)}
    assert off == {"units": "-10.00", "amount": "-20.00", "percent": "-10.00"}  # 130 - 10 - 20 = 100, 10 % of it
    assert statement.total == D("90.00")


def test_two_percents_multiply_they_do_not_add() -> None:
    contract = at_one(discounts=[{"id": "a", "percent": "50"}, {"id": "b", "percent": "50"}])
    assert rated(contract, used("100")).total == D("25.00")


def test_the_end_of_a_discount_is_excluded() -> None:
    contract = at_one(discounts=[{"id": "d", "percent": "50", "until": "2026-10-16"}])
    usage = used("10", "2026-10-15T23:00:00Z"), used("10", "2026-10-16T00:00:00Z")
    assert rated(contract, *usage).total == D("15.00")


def test_a_discount_keeps_to_its_scope_and_leaves_fees_alone_unless_named() -> None:
    fee = {"id": "platform", "amount": "100.00", "timing": "arrears"}
    scoped = at_one(discounts=[{"id": "d", "percent": "10", "scope": {"meters": ["sms"]}}], fees=[fee])
    assert by_kind(rated(scoped, used("50"), used("20", meter="sms")))["discount"] == "-2.00"
    named = at_one(discounts=[{"id": "d", "percent": "10", "scope": {"fees": ["platform"]}}], fees=[fee])
    assert by_kind(rated(named, used("50")))["discount"] == "-15.00"


def test_an_amount_off_is_never_more_than_there_is() -> None:
    contract = at_one(discounts=[{"id": "d", "amount": "100.00"}])
    assert rated(contract, used("30")).total == 0


def test_an_amount_off_for_a_quarter_is_used_up_over_its_months() -> None:
    contract = at_one(discounts=[{"id": "d", "amount": "100.00", "every": "quarter"}])
    statements = through(contract, {"2026-10": [used("70")], "2026-11": [used("70", "2026-11-03T00:00:00Z")]})
    assert [one.total for one in statements] == [0, 40]


def test_a_whole_discount_leaves_no_cent_however_the_lines_round() -> None:
    contract = a_contract(
        prices=[minutes_at("0.005")],
        discounts=[{"id": "d", "percent": "100"}],
        invoice={"group_by": ["meter", "model"]},
    )
    assert rated(contract, *(used("1", model=f"m{index}") for index in range(3))).total == 0


def test_a_minimum_lifts_its_scope_to_the_floor() -> None:
    contract = at_one(minimums=[{"id": "m", "amount": "100.00", "scope": {"meters": ["call.*"]}}])
    assert by_kind(rated(contract, used("60"), used("500", meter="sms")))["minimum"] == "40.00"
    assert "minimum" not in by_kind(rated(contract, used("100")))


def test_a_minimum_is_owed_without_any_usage() -> None:
    assert by_kind(rated(at_one(minimums=[{"id": "m", "amount": "100.00"}]))) == {"minimum": "100.00"}


def test_a_yearly_minimum_is_owed_where_its_year_ends() -> None:
    contract = a_contract(
        term={"start": "2025-11-01", "end": "2027-11-01"},
        prices=[minutes_at("1.00")],
        minimums=[{"id": "m", "amount": "100.00", "every": "year"}],
    )
    september, october = through(contract, {"2026-09": [used("30", "2026-09-03T00:00:00Z")], "2026-10": [used("20")]})
    assert "minimum" not in by_kind(september)
    assert by_kind(october)["minimum"] == "50.00"  # 100 - 30 - 20


def test_a_maximum_lowers_its_scope_to_the_cap() -> None:
    contract = at_one(maximums=[{"id": "x", "amount": "50.00"}])
    statement = rated(contract, used("40", "2026-10-02T00:00:00Z"), used("40", "2026-10-20T00:00:00Z", "sms"))
    (cap,) = of_kind(statement, LineKind.MAXIMUM)
    assert (cap.amount, statement.total) == (D("-30.00"), D("50.00"))
    assert [part.amount for part in cap.applied] == [D("30.00")]  # what was used last falls first


def test_a_cap_leaves_exactly_the_cap_when_its_lines_were_rounded_up() -> None:
    contract = a_contract(
        prices=[minutes_at("0.335")], maximums=[{"id": "x", "amount": "1.00"}], invoice={"group_by": ["meter", "model"]}
    )
    usage = [used("1", f"2026-10-0{index + 1}T00:00:00Z", model=f"m{index}") for index in range(4)]
    assert rated(contract, *usage).total == D("1.00")


def test_a_quarterly_cap_sees_the_months_before() -> None:
    contract = at_one(maximums=[{"id": "x", "amount": "100.00", "every": "quarter"}])
    statements = through(contract, {"2026-10": [used("80")], "2026-11": [used("80", "2026-11-03T00:00:00Z")]})
    assert [one.total for one in statements] == [80, 20]


def test_tax_is_the_unrounded_tax_of_all_lines_rounded_once() -> None:
    contract = at_one(tax={"rate": "0.0725", "jurisdiction": "US-CA"}, invoice={"group_by": ["meter", "model"]})
    statement = rated(contract, *(used("0.33", model=f"m{index}") for index in range(3)))
    # 0.99 x 0.0725 = 0.071775; by the line it would be 3 x 0.02 = 0.06
    assert (statement.subtotal, statement.tax, statement.total) == (D("0.99"), D("0.07"), D("1.06"))


def test_several_taxes_are_rounded_once_for_each_rate() -> None:
    taxes = [{"rate": "0.0575", "jurisdiction": "A"}, {"rate": "0.0574", "jurisdiction": "B"}]
    statement = rated(at_one(tax=taxes), used("100"))
    assert amounts(statement, LineKind.TAX) == ["5.75", "5.74"]


def test_several_taxes_do_not_share_a_rounding() -> None:
    taxes = [{"rate": "0.05745", "jurisdiction": "A"}, {"rate": "0.05745", "jurisdiction": "B"}]
    # 5.745 each is 5.75 each: 11.50; 11.49 would be the rounded sum
    assert rated(at_one(tax=taxes), used("100")).tax == D("11.50")


def test_tax_falls_at_the_sale_of_a_commitment_not_at_its_draw() -> None:
    pool_ = {"id": "pool", "amount": "100.00", "every": "year", "billing": "advance"}
    contract = a_contract(
        term={"start": "2026-10-01", "end": "2027-10-01"},
        prices=[minutes_at("1.00")],
        commitments=[pool_],
        tax={"rate": "0.10", "jurisdiction": "X"},
    )
    october, november = through(contract, {"2026-10": [used("30")], "2026-11": [used("30", "2026-11-02T00:00:00Z")]})
    assert (october.tax, november.tax) == (D("10.00"), D(0))


def test_a_shortfall_is_taxed() -> None:
    floor = {"id": "floor", "amount": "100.00", "every": "month", "billing": "arrears"}
    assert rated(at_one(commitments=[floor], tax={"rate": "0.10", "jurisdiction": "X"})).tax == D("10.00")


def test_a_statement_below_zero_is_refused() -> None:
    first = a_contract(term={"start": "2026-09-01", "end": "2027-09-01"}, fees=[{"id": "f", "amount": "310.00"}])
    ending = a_contract(
        term={"start": "2026-09-01", "end": "2026-11-01"}, fees=[{"id": "f", "amount": "0"}], effective="2026-10-02"
    )
    with pytest.raises(NegativeStatement):
        rated([first, ending], prior=[rated(first, period="2026-09")])


@pytest.mark.parametrize(
    ("clauses", "words"),
    [
        ({"entitlements": [included(rollover={"max": "1", "expires_after": "year"})]}, "outlives"),
    ],
)
def test_a_clause_that_rating_cannot_apply_is_refused_by_name(clauses: dict[str, Any], words: str) -> None:
    with pytest.raises(ClauseNotSupported, match=words):
        rated(at_one(**clauses), used("1"))


def test_units_off_over_a_quarter_run_on_from_month_to_month() -> None:
    contract = at_one(discounts=[{"id": "d", "units": "100", "meter": MINUTES, "every": "quarter"}])
    october, november, december, january = through(
        a_contract(
            term={"start": "2026-10-01", "end": "2027-10-01"}, prices=[minutes_at("1.00")], discounts=contract.discounts
        ),
        {
            "2026-10": [used("70")],
            "2026-11": [used("50", "2026-11-03T00:00:00Z")],
            "2026-12": [used("10", "2026-12-03T00:00:00Z")],
            "2027-01": [used("5", "2027-01-03T00:00:00Z")],
        },
    )
    # 70 + 30 of the 100 are free; December pays all; the next quarter grants 100 anew
    assert [one.total for one in (october, november, december, january)] == [0, 20, 10, 0]
    assert flow(pool(november, "d")) == ("30", "0", "30", "0", "0")


def test_a_cap_takes_off_of_overage_too_before_its_multiplier() -> None:
    floor = {"id": "f", "amount": "100.00", "every": "month", "billing": "arrears", "overage": {"multiplier": "2"}}
    contract = at_one(commitments=[floor], maximums=[{"id": "x", "amount": "120.00"}])
    # 150 are capped to 120: 100 up to the floor, 20 past it at twice the price; shown as 50 x 2 less 30 x 2
    usage = used("100", "2026-10-02T00:00:00Z"), used("50", "2026-10-20T00:00:00Z")
    assert by_kind(rated(contract, *usage)) == {"usage": "100.00", "overage": "100.00", "maximum": "-60.00"}
