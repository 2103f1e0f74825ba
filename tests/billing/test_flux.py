"""Flux: the parts are worked by hand, and always sum to the change."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.flux import MonthsMixed, flux
from models.flux import Flux, FluxRow, FluxThreshold
from models.money import ZERO
from models.statement import LineKind, RatedLine, Statement
from tests.statement_builders import a_line, a_statement, bought, draw, fee, usage

D = Decimal
BEFORE, NOW = "2026-09", "2026-10"


def used(line_id: str, units: str, amount: str, model: str = "nova", month: str = NOW) -> RatedLine:
    """Return usage of a model: so many units for so much."""
    return usage(line_id, amount, model=model, month=month).model_copy(
        update={"quantity": D(units), "billed_quantity": D(units)}
    )


def before(*lines: RatedLine) -> Statement:
    return a_statement(*lines, month=BEFORE)


def only(found: Flux) -> FluxRow:
    (row,) = found.rows
    return row


def test_more_units_at_the_same_price_are_volume() -> None:
    row = only(flux([before(used("a", "100", "10.00", month=BEFORE))], [a_statement(used("a", "150", "15.00"))], NOW))
    assert (row.change, row.volume, row.mix, row.price) == (D(5), D("5.00"), ZERO, ZERO)  # 50 more x 0.10


def test_the_same_units_at_another_price_are_price() -> None:
    row = only(flux([before(used("a", "100", "10.00", month=BEFORE))], [a_statement(used("a", "100", "12.00"))], NOW))
    assert (row.change, row.volume, row.mix, row.price) == (D(2), ZERO, ZERO, D(2))


def test_volume_mix_and_price_together_worked_by_hand() -> None:
    prior = before(used("a", "100", "10.00", "nova", BEFORE), used("b", "100", "30.00", "opus", BEFORE))
    this = a_statement(used("a", "100", "10.00", "nova"), used("b", "200", "80.00", "opus"))
    row = only(flux([prior], [this], NOW))
    assert row.change == D(50)  # 90 - 40
    assert row.volume == D(20)  # 300 - 200 units at the average of 40 / 200 = 0.20
    assert row.mix == D(10)  # 100 x 0.10 + 200 x 0.30 = 70, less 300 x 0.20 = 60
    assert row.price == D(20)  # 200 x (0.40 - 0.30)


def test_a_customer_and_a_model_that_came_or_went_are_new_and_lost() -> None:
    prior = before(used("a", "100", "10.00", "nova", BEFORE), used("b", "10", "4.00", "opus", BEFORE))
    this = a_statement(used("a", "100", "10.00", "nova"), used("c", "1", "7.00", "sonic"))
    row = only(flux([prior], [this], NOW))
    assert (row.new, row.lost, row.volume, row.price) == (D(7), D(-4), ZERO, ZERO)
    assert only(flux([], [this], NOW)).new == D(17)
    assert only(flux([prior], [], NOW)).lost == D(-14)


def test_a_fee_that_rose_is_price_and_late_usage_is_late() -> None:
    prior = before(fee("f", "100.00", "2026-09-01", "2026-10-01"))
    late = used("l", "5", "0.50", month=BEFORE)
    this = a_statement(fee("f", "120.00", "2026-10-01", "2026-11-01"), used("a", "10", "1.00"), late)
    rows = {row.product: row for row in flux([prior], [this], NOW).rows}
    assert rows["platform"].price == D(20)
    assert (rows["call.minutes"].new, rows["call.minutes"].late) == (D(1), D("0.50"))


def test_what_prepaid_credit_paid_is_compared_as_what_it_is_worth_and_purchases_and_tax_are_left_out() -> None:
    prior = before(used("a", "100", "10.00", month=BEFORE))
    this = a_statement(
        used("a", "100", "10.00"),
        draw("d", "credits", {"a": "10.00"}),
        bought("p", "credits", "500.00"),
        a_line("t", LineKind.TAX, "41.25"),
        a_line("x", LineKind.DISCOUNT, "-1.00", applied={"a": "1.00"}),
    )
    row = only(flux([prior], [this], NOW))
    assert (row.this, row.price) == (D(9), D(-1))  # the discount is a lower price


def test_the_threshold_is_the_greater_of_both() -> None:
    prior, this = before(used("a", "1", "100.00", month=BEFORE)), a_statement(used("a", "1", "120.00"))

    def material(absolute: str, ratio: str) -> bool:
        return only(flux([prior], [this], NOW, FluxThreshold(absolute=D(absolute), ratio=D(ratio)))).material

    assert material("20", "0.20")  # both bounds are met exactly
    assert not material("20.01", "0.20")
    assert not material("20", "0.21")


def test_a_statement_of_another_month_is_refused() -> None:
    with pytest.raises(MonthsMixed):
        flux([a_statement(used("a", "1", "1.00"))], [], NOW)


cells = st.dictionaries(
    st.sampled_from(["nova", "opus", "sonic"]), st.tuples(st.integers(0, 10**6), st.integers(-(10**7), 10**7))
)


@given(cells, cells)
def test_the_parts_sum_to_the_change_to_the_cent(
    old: dict[str, tuple[int, int]], new: dict[str, tuple[int, int]]
) -> None:
    def lines(cells: dict[str, tuple[int, int]], month: str) -> list[RatedLine]:
        return [used(model, str(q), str(D(a) / 100), model, month) for model, (q, a) in cells.items()]

    rows = flux([before(*lines(old, BEFORE))], [a_statement(*lines(new, NOW))], NOW).rows
    parts = [row.volume + row.mix + row.price + row.new + row.lost + row.late for row in rows]
    assert (
        sum(parts, ZERO)
        == sum((D(a) for _, a in new.values()), ZERO) / 100 - sum((D(a) for _, a in old.values()), ZERO) / 100
    )
    assert all(row.volume == round(row.volume, 2) and row.mix == round(row.mix, 2) for row in rows)
