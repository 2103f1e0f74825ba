"""Commitments: prepaid pools, floors, overage, shortfall, rollover, nesting; worked out by hand."""

from typing import Any

import pytest

from billing.rating.supported import ClauseNotSupported
from models.contract import Contract
from models.money import total
from models.statement import LineKind, Statement
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


def prepaid(amount: str = "1000.00", every: str = "year", **more: Any) -> dict[str, Any]:
    return {"id": "pool", "amount": amount, "every": every, "billing": "advance", "shortfall": "forfeit", **more}


def floor(amount: str = "1000.00", every: str = "month", **more: Any) -> dict[str, Any]:
    return {"id": "floor", "amount": amount, "every": every, "billing": "arrears", **more}


def started(**clauses: Any) -> Contract:
    """Return a contract that begins on 1 October 2026 at 1.00 a minute."""
    return a_contract(term={"start": "2026-10-01", "end": "2027-10-01"}, prices=[minutes_at("1.00")], **clauses)


def assert_covered_cancel(statement: Statement) -> None:
    """Covered lines and the pools' draws cancel, to the cent, also after discounts."""
    covered = {line.id for line in statement.lines if line.covered_by}
    off = [
        part.amount
        for line in statement.lines
        if line.kind in (LineKind.DISCOUNT, LineKind.MAXIMUM)
        for part in line.applied
        if part.line in covered
    ]
    gross = total(line.amount for line in statement.lines if line.id in covered)
    assert gross - total(off) == -total(line.amount for line in of_kind(statement, LineKind.POOL_DRAW))


def test_a_yearly_pool_is_billed_at_the_start_and_drawn_by_usage() -> None:
    statement = rated(started(commitments=[prepaid()]), used("300"))
    assert by_kind(statement) == {"usage": "300.00", "pool_draw": "-300.00", "commitment": "1000.00"}
    assert flow(pool(statement, "pool")) == ("0", "1000", "300", "0", "700")
    (line,) = of_kind(statement, LineKind.USAGE)
    assert line.covered_by == "pool"
    assert_covered_cancel(statement)


def test_each_month_sees_what_the_months_before_left_of_a_longer_pool() -> None:
    october, november = through(
        started(commitments=[prepaid()]), {"2026-10": [used("300")], "2026-11": [used("900", "2026-11-03T00:00:00Z")]}
    )
    assert flow(pool(november, "pool")) == ("700", "0", "700", "0", "0")
    assert [(line.covered_by, f"{line.amount:f}") for line in of_kind(november, LineKind.USAGE)] == [
        ("pool", "700.00"),
        (None, "200.00"),
    ]
    assert pool(october, "pool").closing == pool(november, "pool").opening
    assert november.total == D("200.00")


def test_the_next_years_pool_is_billed_by_the_close_before_it() -> None:
    contract = a_contract(
        term={"start": "2025-11-01", "end": "2027-11-01"}, prices=[minutes_at("1")], commitments=[prepaid()]
    )
    statement = rated(contract, used("100"))
    # October ends the first year: its rest is forfeited, and the year from November is billed in advance.
    assert by_kind(statement) == {"usage": "100.00", "pool_draw": "-100.00", "commitment": "1000.00"}
    assert flow(pool(statement, "pool")) == ("1000", "0", "100", "900", "0")
    assert of_kind(statement, LineKind.COMMITMENT)[0].service_from.isoformat() == "2026-11-01"


def test_overage_begins_at_the_exact_unit_and_is_multiplied_past_it() -> None:
    contract = started(commitments=[prepaid("100.00", overage={"multiplier": "1.25"})])
    statement = rated(contract, used("130.5"))
    assert by_kind(statement)["overage"] == "38.13"  # 30.5 x 1.25 = 38.125
    (over,) = of_kind(statement, LineKind.OVERAGE)
    assert over.quantity == D("30.5")
    assert_covered_cancel(statement)


def test_overage_has_prices_of_its_own_with_their_own_tiers() -> None:
    own = price(MINUTES, kind="graduated", tiers=tiers(("10", "3"), (None, "2")))
    contract = started(commitments=[prepaid("100.00", overage={"prices": [own]})])
    statement = rated(contract, used("115"))
    assert amounts(statement, LineKind.OVERAGE) == ["30.00", "10.00"]  # 10 x 3 + 5 x 2


def test_a_pool_without_overage_terms_leaves_the_contracts_price_in_force() -> None:
    assert by_kind(rated(started(commitments=[prepaid("100.00")]), used("130")))["usage"] == "130.00"


def test_a_monthly_pool_is_forfeited_at_the_months_end_and_billed_anew() -> None:
    october, november = through(
        started(commitments=[prepaid("100.00", "month")]),
        {"2026-10": [used("40")], "2026-11": [used("10", "2026-11-03T00:00:00Z")]},
    )
    assert flow(pool(october, "pool")) == ("0", "100", "40", "60", "0")
    assert flow(pool(november, "pool")) == ("0", "100", "10", "90", "0")
    # October, the first period, is billed at the start, and November's in advance; then one month by each close.
    assert amounts(october, LineKind.COMMITMENT) == ["100.00", "100.00"]
    assert amounts(november, LineKind.COMMITMENT) == ["100.00"]


def test_a_remainder_is_carried_up_to_its_maximum_used_first_and_lives_one_window() -> None:
    carrying = prepaid("100.00", "month", rollover={"max": "50.00"})
    october, november, december = through(
        started(commitments=[carrying]),
        {"2026-10": [used("20")], "2026-11": [used("30", "2026-11-03T00:00:00Z")], "2026-12": []},
    )
    assert flow(pool(october, "pool")) == ("0", "100", "20", "30", "50")  # of 80 left, 50 are carried
    # 30 come from the carried 50; its other 20 expire; of November's own 100, 50 are carried on
    assert flow(pool(november, "pool")) == ("50", "100", "30", "70", "50")
    assert flow(pool(december, "pool")) == ("50", "100", "0", "100", "50")


def test_what_is_carried_into_a_year_expires_after_a_month_when_it_says_so() -> None:
    contract = a_contract(
        term={"start": "2025-10-01", "end": "2027-10-01"},
        prices=[minutes_at("1.00")],
        commitments=[prepaid("100.00", rollover={"max": "30.00", "expires_after": "month"})],
    )
    september, october, november = through(
        contract,
        {"2026-09": [], "2026-10": [used("10")], "2026-11": [used("50", "2026-11-03T00:00:00Z")]},
    )
    assert flow(pool(september, "pool")) == ("100", "0", "0", "70", "30")
    assert flow(pool(october, "pool")) == (
        "30",
        "100",
        "10",
        "20",
        "100",
    )  # 20 of the carried 30 are gone on 1 November
    assert flow(pool(november, "pool")) == ("100", "0", "50", "0", "50")


def test_a_floor_bills_what_is_missing_where_its_own_window_ends() -> None:
    statement = rated(started(commitments=[floor("100.00")]), used("60"))
    assert by_kind(statement) == {"usage": "60.00", "shortfall": "40.00"}
    assert flow(pool(statement, "floor")) == ("0", "100", "60", "0", "40")
    assert of_kind(statement, LineKind.SHORTFALL)[0].grant == "floor"


def test_a_floor_that_is_reached_bills_nothing_more() -> None:
    assert by_kind(rated(started(commitments=[floor("100.00")]), used("100"))) == {"usage": "100.00"}


def test_a_quarterly_floor_is_trued_up_only_when_the_quarter_ends() -> None:
    october, november, december = through(
        started(commitments=[floor("100.00", "quarter")]),
        {
            "2026-10": [used("30")],
            "2026-11": [used("30", "2026-11-03T00:00:00Z")],
            "2026-12": [used("15", "2026-12-03T00:00:00Z")],
        },
    )
    assert [one.total for one in (october, november)] == [D("30.00"), D("30.00")]
    assert by_kind(december) == {"usage": "15.00", "shortfall": "25.00"}  # 100 - 30 - 30 - 15
    assert flow(pool(december, "floor")) == ("40", "0", "15", "0", "25")


def test_a_floor_that_forfeits_bills_no_shortfall_and_its_rest_expires() -> None:
    statement = rated(started(commitments=[floor("100.00", shortfall="forfeit")]), used("60"))
    assert by_kind(statement) == {"usage": "60.00"}
    assert flow(pool(statement, "floor")) == ("0", "100", "60", "40", "0")


def test_a_floor_with_overage_terms_is_an_overage_threshold() -> None:
    contract = started(commitments=[floor("100.00", overage={"multiplier": "2"})])
    assert by_kind(rated(contract, used("130"))) == {"usage": "100.00", "overage": "60.00"}  # 30 x 2


def test_units_are_promised_with_a_price_for_each_that_is_missing() -> None:
    units = {
        "id": "minutes-q",
        "units": "150",
        "meter": MINUTES,
        "every": "month",
        "billing": "arrears",
        "shortfall": {"unit_amount": "0.03"},
        "overage": {"prices": [price(MINUTES, kind="unit", amount="0.06")]},
    }
    assert by_kind(rated(started(commitments=[units]), used("50")))["shortfall"] == "3.00"  # 100 x 0.03
    assert by_kind(rated(started(commitments=[units]), used("160"))) == {"usage": "150.00", "overage": "0.60"}
    assert pool(rated(started(commitments=[units]), used("50")), "minutes-q").unit == MINUTES


def test_included_units_count_towards_a_commitment_in_units() -> None:
    units = {
        "id": "m",
        "units": "150",
        "meter": MINUTES,
        "every": "month",
        "billing": "arrears",
        "shortfall": {"unit_amount": "1"},
    }
    contract = started(commitments=[units], entitlements=[{"id": "free", "meter": MINUTES, "included": "100"}])
    assert by_kind(rated(contract, used("120"))) == {"included": "0.00", "usage": "20.00", "shortfall": "30.00"}


def test_a_commitment_counts_base_amounts_before_any_multiplier() -> None:
    contract = started(commitments=[prepaid("100.00", overage={"multiplier": "3"}), floor("150.00")])
    # 100 paid by the pool and 30 of overage, at base: 130 count towards the floor, not 100 + 90
    assert by_kind(rated(contract, used("130")))["shortfall"] == "20.00"


def test_usage_drawn_from_a_pool_counts_towards_a_floor_unless_it_says_no() -> None:
    def short(**more: Any) -> dict[str, str]:
        return by_kind(rated(started(commitments=[prepaid("60.00"), floor("100.00", **more)]), used("80")))

    assert short()["shortfall"] == "20.00"
    assert short(counts_prepaid=False)["shortfall"] == "80.00"  # only the 20 past the pool count


def test_usage_paid_by_promotional_credit_counts_only_when_the_clause_says_so() -> None:
    credit = {"id": "gift", "kind": "promotional", "amount": "30.00", "effective": "2026-10-01"}

    def short(kind: str, **more: Any) -> dict[str, str]:
        one = {**credit, "kind": kind, **({"cost": "0"} if kind == "paid" else {})}
        return by_kind(rated(started(commitments=[floor("100.00", **more)], credits=[one]), used("80")))

    assert short("promotional")["shortfall"] == "50.00"  # 80 - 30 count
    assert short("promotional", counts_promotional=True)["shortfall"] == "20.00"
    assert short("paid")["shortfall"] == "20.00"


def test_promotional_credit_takes_first_from_what_was_counted_past_the_floor() -> None:
    credit = {"id": "gift", "kind": "promotional", "amount": "30.00", "effective": "2026-10-01"}
    contract = started(commitments=[floor("100.00")], credits=[credit])
    assert "shortfall" not in by_kind(rated(contract, used("130")))  # 130 - 30 = 100


def test_an_inner_true_up_counts_outward_unless_it_says_no() -> None:
    month = {"id": "month", "amount": "60.00", "every": "month", "billing": "arrears", "scope": {"meters": [MINUTES]}}
    quarter = {"id": "quarter", "amount": "100.00", "every": "quarter", "billing": "arrears"}
    contract = started(commitments=[month, quarter])
    months = {"2026-10": [used("10")], "2026-11": [], "2026-12": []}
    statements = through(contract, months)
    # each month trues up to 60: 60 + 60 already pass the quarter's 100
    assert [by_kind(one).get("shortfall") for one in statements] == ["50.00", "60.00", "60.00"]
    silent = started(commitments=[{**month, "counts_outward": False}, quarter])
    assert amounts(through(silent, months)[-1], LineKind.SHORTFALL) == ["60.00", "90.00"]  # 100 - 10 in the quarter


def test_the_narrowest_scope_is_drawn_first_then_the_earliest_end_then_the_id() -> None:
    wide = {**prepaid("100.00"), "id": "a-wide"}
    narrow = {**prepaid("100.00", scope={"meters": [MINUTES]}), "id": "z-narrow"}
    sooner = {**prepaid("100.00", "month"), "id": "b-month"}
    statement = rated(started(commitments=[wide, narrow, sooner]), used("210"))
    drawn = {one.id: one.drawn for one in statement.pools}
    assert drawn == {"z-narrow": 100, "b-month": 100, "a-wide": 10}


def test_overage_terms_apply_when_every_fitting_pool_is_empty() -> None:
    first = {**prepaid("50.00", scope={"meters": [MINUTES]}, overage={"multiplier": "2"}), "id": "first"}
    last = {**prepaid("50.00", overage={"multiplier": "3"}), "id": "last"}
    statement = rated(started(commitments=[first, last]), used("110"))
    assert amounts(statement, LineKind.OVERAGE) == ["30.00"]  # 10 x 3, the terms of the last pool
    assert of_kind(statement, LineKind.OVERAGE)[0].id.endswith("overage/last")


def test_usage_out_of_scope_is_not_drawn() -> None:
    scoped = prepaid(scope={"meters": ["llm.*"], "models": ["gpt-4o"]})
    contract = a_contract(
        term={"start": "2026-10-01", "end": "2027-10-01"},
        prices=[price("*", kind="unit", amount="1")],
        commitments=[scoped],
    )
    statement = rated(
        contract, used("5"), used("7", meter="llm.in", model="gpt-4o"), used("9", meter="llm.in", model="o3")
    )
    assert pool(statement, "pool").drawn == 7
    assert sorted(amounts(statement)) == ["5.00", "7.00", "9.00"]


def test_the_draw_is_rounded_over_the_window_and_covered_lines_cancel_with_it() -> None:
    contract = a_contract(
        term={"start": "2026-10-01", "end": "2027-10-01"}, prices=[minutes_at("0.001")], commitments=[prepaid()]
    )
    months = {"2026-10": [used("333")], "2026-11": [used("666", "2026-11-03T00:00:00Z")]}
    october, november = through(contract, months)
    # 0.333 gives 0.33; 0.999 gives 1.00, of which 0.33 are booked: 0.67. Rounded by the month it would be 0.67 too,
    # but 0.33 + 0.67 = 1.00 is the rounded whole.
    assert [amounts(one, LineKind.POOL_DRAW) for one in (october, november)] == [["-0.33"], ["-0.67"]]
    assert_covered_cancel(october)
    assert_covered_cancel(november)


def test_covered_lines_cancel_with_the_draw_after_a_discount() -> None:
    contract = started(commitments=[prepaid("33.33")], discounts=[{"id": "d", "percent": "7.5"}])
    statement = rated(contract, *(used("1.11", f"2026-10-{day:02}T00:00:00Z", tag=str(day)) for day in range(1, 30)))
    assert_covered_cancel(statement)


def test_a_pool_never_falls_below_zero_and_never_pays_more_than_it_has() -> None:
    statement = rated(started(commitments=[prepaid("0.01")]), used("5"))
    assert flow(pool(statement, "pool")) == ("0", "0.01", "0.01", "0", "0")


def test_an_amendment_replaces_the_amount_from_its_date_and_the_draws_stay() -> None:
    first = started(commitments=[prepaid("100.00")])
    more = started(commitments=[prepaid("250.00")], effective="2026-11-10")
    usage = {"2026-10": [used("90")], "2026-11": [used("60", "2026-11-20T00:00:00Z")]}
    october, november = through([first, more], usage)
    assert october.contract_version == "acme-2026@2026-10-01"
    assert flow(pool(november, "pool")) == ("10", "150", "60", "0", "100")
    assert amounts(november, LineKind.COMMITMENT) == ["150.00"]  # 250 less the 100 that were billed


def test_lowering_a_prepaid_commitment_inside_the_period_is_refused() -> None:
    less = started(commitments=[prepaid("50.00")], effective="2026-10-10")
    with pytest.raises(ClauseNotSupported, match="lowers"):
        rated([started(commitments=[prepaid("100.00")]), less], used("1"))


def test_a_commitment_that_an_amendment_turns_into_another_sort_is_refused() -> None:
    other = started(commitments=[floor("50.00") | {"id": "pool"}], effective="2026-10-10")
    with pytest.raises(ClauseNotSupported, match="changes how"):
        rated([started(commitments=[prepaid("100.00")]), other], used("1"))


def test_a_ramped_commitment_promises_more_by_the_window() -> None:
    ramp = {"id": "ramp", "ramp": ["10.00", "20.00"], "every": "month", "billing": "arrears"}
    statements = through(started(commitments=[ramp]), {"2026-10": [], "2026-11": [], "2026-12": []})
    assert [by_kind(one)["shortfall"] for one in statements] == ["10.00", "20.00", "20.00"]


def test_installments_split_a_prepaid_year_without_losing_a_cent() -> None:
    contract = a_contract(
        term={"start": "2026-10-01", "end": "2027-10-01"}, commitments=[prepaid("100.00", installments="month")]
    )
    months = [f"2026-{month}" for month in (10, 11, 12)] + [f"2027-{month:02}" for month in range(1, 10)]
    statements = through(contract, {month: [] for month in months})
    billed = [amount for one in statements for amount in amounts(one, LineKind.COMMITMENT)]
    assert len(billed) == 12
    assert total(map(D, billed)) == D("100.00")  # 4 x 8.34 + 8 x 8.33
    assert flow(pool(statements[0], "pool")) == ("0", "100", "0", "0", "100")


def test_a_partial_window_is_prorated_only_when_the_clause_says_so() -> None:
    term = {"start": "2026-10-11", "end": "2027-10-11"}
    whole = a_contract(term=term, commitments=[floor("31.00")])
    assert by_kind(rated(whole))["shortfall"] == "31.00"
    part = a_contract(term=term, commitments=[floor("31.00", prorate=True)])
    assert by_kind(rated(part))["shortfall"] == "21.00"  # 21 of 31 days


def test_a_term_commitment_runs_over_the_whole_term() -> None:
    contract = a_contract(term={"start": "2026-09-01", "end": "2026-11-01"}, commitments=[floor("50.00", "term")])
    september, october = through(contract, {"2026-09": [], "2026-10": [used("200")]})
    assert september.total == 0
    assert by_kind(october) == {"usage": "10.00", "shortfall": "40.00"}  # 200 x 0.05


def test_commitment_overage_and_true_up_are_lines_of_their_own() -> None:
    # flexprice #1252: no breakdown of commitment, overage and true-up on the invoice
    contract = started(
        commitments=[prepaid("50.00", "month", overage={"multiplier": "2"}), floor("500.00", scope={"meters": ["sms"]})]
    )
    kinds = by_kind(rated(contract, used("60")))
    assert kinds == {
        "usage": "50.00",
        "overage": "20.00",
        "pool_draw": "-50.00",
        "commitment": "100.00",  # October's at the start and November's in advance
        "shortfall": "500.00",
    }


def test_graduated_usage_is_drawn_in_time_slice_by_slice() -> None:
    clause = price(MINUTES, kind="graduated", tiers=tiers(("100", "2"), (None, "1")))
    contract = a_contract(
        term={"start": "2026-10-01", "end": "2027-10-01"}, prices=[clause], commitments=[prepaid("250.00")]
    )
    statement = rated(contract, used("200"))
    # 200 in the first tier and 50 in the second are covered; 50 units of the second are billed
    assert [(line.covered_by, f"{line.amount:f}") for line in of_kind(statement, LineKind.USAGE)] == [
        ("pool", "200.00"),
        ("pool", "50.00"),
        (None, "50.00"),
    ]


def test_volume_usage_is_drawn_at_the_periods_end() -> None:
    clause = price("sms", kind="volume", tiers=tiers(("10", "2"), (None, "1")))
    contract = a_contract(
        term={"start": "2026-10-01", "end": "2027-10-01"},
        prices=[clause, minutes_at("1")],
        commitments=[prepaid("25.00")],
    )
    statement = rated(contract, used("20", "2026-10-01T00:00:00Z", "sms"), used("20", "2026-10-30T00:00:00Z"))
    drawn = {line.meter: line.amount for line in of_kind(statement, LineKind.USAGE) if line.covered_by}
    assert drawn == {MINUTES: 20, "sms": 5}  # the minutes come first, though they were used later


def test_a_fee_is_paid_by_a_pool_only_when_its_scope_names_it() -> None:
    fee = {"id": "platform", "amount": "40.00", "timing": "arrears"}
    plain = started(commitments=[prepaid()], fees=[fee])
    assert by_kind(rated(plain)) == {"fee": "40.00", "commitment": "1000.00"}
    scoped = started(commitments=[prepaid(scope={"fees": ["platform"]})], fees=[fee])
    assert by_kind(rated(scoped)) == {"fee": "40.00", "pool_draw": "-40.00", "commitment": "1000.00"}


def test_late_usage_takes_back_of_a_shortfall_that_was_billed() -> None:
    contract = started(commitments=[floor("100.00")])
    late = used("15", "2026-10-29T00:00:00Z"), used("100", "2026-11-03T00:00:00Z")
    october, november = through(contract, {"2026-10": [used("60")], "2026-11": late})
    assert amounts(october, LineKind.SHORTFALL) == ["40.00"]
    assert amounts(november, LineKind.SHORTFALL) == ["-15.00"]  # the late 15 are billed, and 15 less are missing
    assert november.total == D("100.00")


def test_late_usage_takes_back_no_more_than_the_shortfall() -> None:
    contract = started(commitments=[floor("100.00")])
    late = used("90", "2026-10-29T00:00:00Z"), used("100", "2026-11-03T00:00:00Z")
    november = through(contract, {"2026-10": [used("60")], "2026-11": late})[1]
    assert amounts(november, LineKind.SHORTFALL) == ["-40.00"]


def test_a_commitment_taken_over_mid_year_is_billed_only_for_what_an_amendment_adds() -> None:
    first = a_contract(prices=[minutes_at("1")], commitments=[prepaid("100.00")])
    more = a_contract(prices=[minutes_at("1")], commitments=[prepaid("250.00")], effective="2026-10-10")
    assert amounts(rated([first, more], used("1")), LineKind.COMMITMENT) == ["150.00"]


def quarterly(amount: str, **more: Any) -> Contract:
    pool_ = prepaid(amount, "quarter", installments="month")
    return a_contract(term={"start": "2026-10-01", "end": "2027-10-01"}, commitments=[pool_], **more)


def test_an_amendment_spreads_its_difference_over_the_installments_to_come() -> None:
    versions = [quarterly("90.00"), quarterly("150.00", effective="2026-10-10")]
    october, november, december = through(versions, {"2026-10": [], "2026-11": [], "2026-12": []})
    # 30 for October are billed; 150 - 30 = 120 are spread over November and December
    assert amounts(october, LineKind.COMMITMENT) == ["30.00", "60.00"]
    assert amounts(november, LineKind.COMMITMENT) == ["60.00"]
    assert amounts(december, LineKind.COMMITMENT) == ["50.00"]  # the next quarter's first: 150 / 3
    assert flow(pool(october, "pool")) == ("0", "150", "0", "0", "150")


def test_an_amendment_after_the_next_installment_was_billed_charges_what_is_missing() -> None:
    first = quarterly("90.00")
    versions = [first, quarterly("150.00", effective="2026-11-01")]
    october = rated(first, period="2026-10")
    november = rated(versions, period="2026-11", prior=[october])
    # October and November were billed at 30; from November on (150 - 30) / 2 = 60: 30 more, and December's 60
    assert amounts(october, LineKind.COMMITMENT) == ["30.00", "30.00"]
    assert amounts(november, LineKind.COMMITMENT) == ["30.00", "60.00"]


def test_an_amendment_in_the_last_installment_is_billed_with_it() -> None:
    versions = [quarterly("90.00"), quarterly("150.00", effective="2026-12-10")]
    months: dict[str, list[Any]] = {"2026-10": [], "2026-11": [], "2026-12": []}
    december = through(versions, months)[-1]
    assert amounts(december, LineKind.COMMITMENT) == ["60.00", "50.00"]  # 150 - 90, and the next quarter's first


def test_installments_taken_over_are_billed_only_for_what_an_amendment_adds() -> None:
    first = a_contract(commitments=[prepaid("120.00", installments="month")])
    more = a_contract(commitments=[prepaid("150.00", installments="month")], effective="2026-10-10")
    # ten of 10.00 were billed by others; 150 - 100 = 50 remain: 25 for November, and 25 for December
    assert amounts(rated([first, more]), LineKind.COMMITMENT) == ["25.00"]


def test_changing_how_often_installments_are_billed_is_refused() -> None:
    paid = started(commitments=[prepaid("100.00", installments="month")])
    more = started(commitments=[prepaid("100.00", installments="quarter")], effective="2026-10-10")
    with pytest.raises(ClauseNotSupported, match="installments"):
        rated([paid, more])


def test_a_running_balance_over_a_stub_and_a_full_period_of_one_month_is_refused() -> None:
    contract = a_contract(
        term={"start": "2026-10-03", "end": "2027-10-03"}, invoice={"anchor": 15}, commitments=[prepaid()]
    )
    assert rated(contract, period="2026-10-03").total == D("1000.00")
    with pytest.raises(ClauseNotSupported, match="stub"):
        rated(contract, period="2026-10-15")
