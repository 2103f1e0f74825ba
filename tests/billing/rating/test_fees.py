"""Fees: ahead and in arrears, stubs, proration, amendments; worked out by hand."""

from itertools import pairwise
from typing import Any

import pytest

from models.contract import Contract
from models.statement import LineKind
from tests.billing.rating.builders import D, a_contract, amounts, of_kind, rated, through, used


def fee(amount: str = "310.00", **more: Any) -> dict[str, Any]:
    return {"id": "platform", "amount": amount, **more}


def since(start: str, **clauses: Any) -> Contract:
    return a_contract(term={"start": start, "end": "2027-10-01"}, **clauses)


def fees(contract: Contract | list[Contract], month: str = "2026-10") -> list[tuple[str, str]]:
    lines = of_kind(rated(contract, period=month), LineKind.FEE)
    return [(f"{line.service_from}", f"{line.amount:f}") for line in lines]


def test_the_close_bills_the_next_months_fee_in_advance() -> None:
    assert fees(since("2026-01-01", fees=[fee()])) == [("2026-11-01", "310.00")]


def test_the_first_periods_fee_is_billed_at_the_contracts_start() -> None:
    assert fees(since("2026-10-01", fees=[fee()])) == [("2026-10-01", "310.00"), ("2026-11-01", "310.00")]


def test_each_month_is_billed_once() -> None:
    months = [f"2026-{month}" for month in (10, 11, 12)]
    statements = through(since("2026-10-01", fees=[fee()]), {month: [] for month in months})
    assert [amounts(one, LineKind.FEE) for one in statements] == [["310.00", "310.00"], ["310.00"], ["310.00"]]


def test_the_last_month_of_the_term_bills_no_fee_ahead() -> None:
    contract = a_contract(term={"start": "2026-01-01", "end": "2026-11-01"}, fees=[fee()])
    assert fees(contract) == []


def test_a_fee_in_arrears_is_billed_when_its_window_ends() -> None:
    assert fees(since("2026-01-01", fees=[fee(timing="arrears")])) == [("2026-10-01", "310.00")]


def test_a_quarterly_fee_in_arrears_is_one_line_when_the_quarter_ends() -> None:
    contract = since("2026-08-01", fees=[fee(timing="arrears", every="quarter")])
    assert fees(contract) == [("2026-08-01", "310.00")]
    assert fees(contract, "2026-09") == []


def test_a_first_stub_is_prorated_by_actual_days() -> None:
    # 22 of October's 31 days: 310 x 22 / 31 = 220
    assert fees(since("2026-10-10", fees=[fee()])) == [("2026-10-10", "220.00"), ("2026-11-01", "310.00")]


def test_a_stub_is_prorated_by_months_of_thirty_days_when_it_says_so() -> None:
    # 21 of 30 days: 300 x 21 / 30 = 210
    assert fees(since("2026-10-10", fees=[fee("300.00", prorate="fixed_30")]))[0] == ("2026-10-10", "210.00")


def test_a_stub_is_owed_whole_when_nothing_is_prorated() -> None:
    assert fees(since("2026-10-10", fees=[fee(prorate="none")]))[0] == ("2026-10-10", "310.00")


def test_a_day_of_daylight_saving_counts_as_one() -> None:
    contract = a_contract(
        timezone="America/New_York", term={"start": "2026-10-25", "end": "2027-10-01"}, fees=[fee("300.00")]
    )
    # the 7 last days of October, then November whole, although its first Sunday has 25 hours
    assert fees(contract) == [("2026-10-25", "67.74"), ("2026-11-01", "300.00")]  # 300 x 7 / 31


def test_a_fee_that_begins_with_its_term_is_never_a_stub() -> None:
    assert fees(since("2026-10-10", fees=[fee(align="term")])) == [("2026-10-10", "310.00"), ("2026-11-10", "310.00")]


def test_an_amendment_inside_the_month_prorates_both_amounts() -> None:
    old = since("2026-01-01", fees=[fee("310.00", timing="arrears")])
    new = since("2026-01-01", fees=[fee("620.00", timing="arrears")], effective="2026-10-16")
    assert fees([old, new]) == [("2026-10-01", "470.00")]  # 310 x 15 / 31 + 620 x 16 / 31 = 150 + 320


def test_an_amendment_that_comes_after_the_bill_charges_the_difference() -> None:
    old = since("2026-09-01", fees=[fee("310.00")])
    new = since("2026-09-01", fees=[fee("620.00")], effective="2026-10-16")
    september = rated(old, period="2026-09")
    october = rated([old, new], prior=[september])
    # October was billed at 310; it is 470: 160 more, beside November's 620
    assert amounts(october, LineKind.FEE) == ["160.00", "620.00"]


def test_a_fee_that_an_amendment_brings_is_billed_from_its_day() -> None:
    old = since("2026-09-01")
    new = since("2026-09-01", fees=[fee("310.00")], effective="2026-10-16")
    september = rated(old, period="2026-09")
    assert amounts(rated([old, new], prior=[september]), LineKind.FEE) == ["160.00", "310.00"]  # 310 x 16 / 31


def test_a_contract_taken_over_as_it_stands_bills_no_past_fee() -> None:
    assert fees(since("2026-01-01", fees=[fee()]), "2026-05") == [("2026-06-01", "310.00")]


@pytest.mark.parametrize("every", ["week", "month", "quarter", "year", "term"])
def test_every_window_of_a_term_is_billed_once_and_the_whole_term_is_covered(every: str) -> None:
    contract = a_contract(
        term={"start": "2026-03-17", "end": "2027-03-17"}, fees=[fee("100.00", every=every, prorate="none")]
    )
    months = [f"2026-{month:02}" for month in range(3, 13)] + ["2027-01", "2027-02", "2027-03"]
    lines = [line for one in through(contract, {month: [] for month in months}) for line in of_kind(one, LineKind.FEE)]
    lines.sort(key=lambda line: line.service_from)
    assert lines[0].service_from.isoformat() == "2026-03-17"
    assert lines[-1].service_until.isoformat() == "2027-03-17"
    for one, following in pairwise(lines):
        assert one.service_until == following.service_from


def test_a_fee_line_has_its_id_as_obligation_and_shows_its_days() -> None:
    (stub, _) = of_kind(rated(since("2026-10-10", fees=[fee(name="Platform")])), LineKind.FEE)
    assert (stub.obligation, stub.description) == ("platform", "Platform")
    assert stub.explanation.steps[0].text == "days from 2026-10-10: 22 x 310.00 / 31"
    assert stub.explanation.steps[0].amount == D("220")


def test_usage_is_billed_in_arrears_beside_the_fee_ahead() -> None:
    statement = rated(since("2026-01-01", fees=[fee()]), used("100"))
    assert statement.total == D("315.00")  # 100 x 0.05 + 310


def test_a_fee_of_a_contract_taken_over_is_billed_only_for_what_an_amendment_adds() -> None:
    old = since("2026-01-01", fees=[fee("310.00")])
    new = since("2026-01-01", fees=[fee("620.00")], effective="2026-10-16")
    # October was billed at 310 by whoever billed then; 310 x 15 / 31 + 620 x 16 / 31 = 470
    assert fees([old, new]) == [("2026-10-01", "160.00"), ("2026-11-01", "620.00")]
