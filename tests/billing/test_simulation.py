"""Simulation: what a change of rates or terms would have moved; worked out by hand."""

import pytest

from billing.simulation import NotComparable, difference, rates_with, terms_with
from models.simulation import Difference
from models.statement import LineKind
from tests.billing.rating.builders import D, a_contract, a_rate, minutes_at, price, rated, used

LLM = price("llm.*", kind="pass_through", markup="0.08")


def test_a_proposed_rate_moves_only_the_lines_it_prices() -> None:
    contract = a_contract(prices=[minutes_at("0.05"), LLM], invoice={"group_by": ["meter", "model"]})
    rates = [a_rate("llm.in", "2.50", per="1000000", model="a"), a_rate("llm.in", "1.00", per="1000000", model="b")]
    proposed = a_rate("llm.in", "2.00", "2026-10-16T00:00:00Z", per="1000000", model="a")
    usage = [
        used("100"),
        used("4000000", "2026-10-02T00:00:00Z", "llm.in", model="a"),
        used("3000000", "2026-10-20T00:00:00Z", "llm.in", model="a"),
        used("1000000", meter="llm.in", model="b"),
    ]
    found = difference(
        rated(contract, *usage, rates=rates), rated(contract, *usage, rates=rates_with(rates, [proposed]))
    )
    # before 7 x 2.50 x 1.08 = 18.90; after 4 x 2.50 x 1.08 + 3 x 2.00 x 1.08 = 10.80 + 6.48 = 17.28
    (moved,) = found.moved
    assert (moved.name, moved.dimensions) == ("llm.in", {"model": "a"})
    assert (moved.before, moved.after, moved.difference) == (D("18.90"), D("17.28"), D("-1.62"))
    assert (found.before, found.after) == (D("24.98"), D("23.36"))  # beside 100 x 0.05 and 1 x 1.00 x 1.08


def test_a_proposed_term_moves_line_and_shortfall_against_each_other() -> None:
    floor = {"id": "floor", "amount": "100.00", "every": "month", "billing": "arrears"}
    now = a_contract(prices=[minutes_at("1.00")], commitments=[floor])
    then = a_contract(prices=[minutes_at("0.50")], commitments=[floor])
    found = difference(rated(now, used("60")), rated(then, used("60")))
    # 60 + 40 missing, against 30 + 70 missing: the customer pays the floor either way
    assert [(one.kind, one.difference) for one in found.moved] == [
        (LineKind.USAGE, D("-30.00")),
        (LineKind.SHORTFALL, D("30.00")),
    ]
    assert found.difference == 0


def test_a_proposal_replaces_what_has_its_id_and_else_is_added() -> None:
    rate, again, later = a_rate("m", "1"), a_rate("m", "2"), a_rate("m", "3", "2026-10-01T00:00:00Z")
    assert rates_with([rate], [again, later]) == (again, later)
    first, amended = a_contract(), a_contract(effective="2026-10-16")
    assert terms_with([first], [amended]) == (first, amended)
    assert terms_with([first], [a_contract(prices=[])]) == (a_contract(prices=[]),)


def test_statements_of_two_periods_or_contracts_are_not_compared() -> None:
    one = rated(a_contract())
    with pytest.raises(NotComparable, match="period"):
        difference(one, rated(a_contract(), period="2026-11"))
    with pytest.raises(NotComparable, match="contract"):
        difference(one, rated(a_contract(contract="other")))


def test_a_difference_that_does_not_sum_is_refused() -> None:
    found = difference(rated(a_contract(), used("1")), rated(a_contract(), used("3")))
    with pytest.raises(ValueError, match="does not sum"):
        Difference.model_validate({**found.model_dump(), "difference": D("0.20")})
