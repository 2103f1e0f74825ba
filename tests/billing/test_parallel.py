"""The parallel run: what was billed elsewhere beside what we rate, every cent of difference on a line with a name."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.parallel import TwoStatements, compared
from models.money import total
from models.parallel import BilledLine, ComparedLine, Comparison
from tests.billing.rating.builders import a_contract, minutes_at, price, rated, used

SMS = "sms.segments"
CONTRACT = a_contract(
    prices=[minutes_at("0.05"), price(SMS, kind="unit", amount="0.01")],
    fees=[{"id": "platform", "amount": "100.00", "every": "month", "timing": "arrears", "name": "Platform fee"}],
)
OURS = rated(CONTRACT, used("1000"), used("500", meter=SMS))  # 50.00 + 5.00 + 100.00


def billed(line: str, amount: str, customer: str = "acme", currency: str = "USD") -> BilledLine:
    return BilledLine(customer=customer, line=line, amount=Decimal(amount), currency=currency)


def said(lines: tuple[ComparedLine, ...]) -> dict[str, tuple[str, str]]:
    return {one.line: (f"{one.difference:.2f}", one.why) for one in lines}


def test_what_is_equal_has_no_difference_whatever_the_case_and_however_it_is_split() -> None:
    theirs = [billed("Call.Minutes", "20.00"), billed("call.minutes", "30.00"), billed(SMS, "5.00")]
    found = compared([OURS], [*theirs, billed(" platform  FEE", "100.00")])
    assert found.differing == ()
    assert found.difference == {"USD": Decimal(0)}


def test_every_cent_of_difference_is_named_by_customer_and_line() -> None:
    theirs = [
        billed("call.minutes", "49.98"),  # 2 cents less than ours
        billed("platform", "100.00"),
        billed("setup", "7.50"),  # nothing of ours
        billed("call.minutes", "12.00", customer="bolt"),  # a customer we have not rated
    ]
    found = compared([OURS], theirs)
    acme = tuple(one for one in found.lines if one.customer == "acme")
    assert said(acme) == {
        "call.minutes": ("0.02", "differs"),
        SMS: ("5.00", "only rated"),
        "platform": ("0.00", "equal"),
        "setup": ("-7.50", "only billed"),
    }
    assert said(tuple(one for one in found.lines if one.customer == "bolt")) == {
        "call.minutes": ("-12.00", "only billed")
    }
    # 155.00 rated, 169.48 billed: 0.02 + 5.00 - 7.50 - 12.00 = -14.48
    assert (found.rated, found.billed, found.difference) == (
        {"USD": Decimal("155.00")},
        {"USD": Decimal("169.48")},
        {"USD": Decimal("-14.48")},
    )


POOLED = rated(
    a_contract(
        commitments=[{"id": "year", "amount": "30.00", "every": "year", "billing": "advance"}],
        discounts=[{"id": "tenth", "percent": "10"}],
    ),
    used("1000"),
    prior=[],
)


def test_a_line_is_compared_net_of_what_pools_and_discounts_took() -> None:
    assert POOLED.total == Decimal("15.00")  # 50 less 10 %, of which the pool (as it stands: full) pays 30
    assert compared([POOLED], [billed("call.minutes", "15.00")]).differing == ()


def test_a_reduction_that_was_billed_as_a_line_is_compared_as_one() -> None:
    theirs = [billed("call.minutes", "50.00"), billed("tenth", "-5.00"), billed("year", "-30.00")]
    assert compared([POOLED], theirs).differing == ()
    one_off = [billed("call.minutes", "50.00"), billed("tenth", "-5.00"), billed("year", "-29.00")]
    assert said(compared([POOLED], one_off).differing) == {"year": ("-1.00", "differs")}


def test_currencies_are_never_added() -> None:
    found = compared([OURS], [billed("call.minutes", "155.00", currency="EUR")])
    assert found.difference == {"EUR": Decimal("-155.00"), "USD": Decimal("155.00")}
    assert {one.why for one in found.lines} == {"only rated", "only billed"}


def test_two_statements_of_one_customer_are_not_one_month() -> None:
    with pytest.raises(TwoStatements):
        compared([OURS, OURS], [])


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["call.minutes", SMS, "platform", "Platform fee", "tenth", "year", "other"]),
            st.integers(-10_000, 10_000),
            st.sampled_from(["acme", "bolt"]),
            st.sampled_from(["USD", "EUR"]),
        ),
        max_size=8,
    ),
    st.sampled_from([OURS, POOLED]),
)
def test_the_named_differences_sum_to_the_whole_one(rows: list[tuple[str, int, str, str]], ours: object) -> None:
    theirs = [billed(line, f"{cents / 100:.2f}", customer, currency) for line, cents, customer, currency in rows]
    found: Comparison = compared([ours], theirs)  # type: ignore[list-item]
    for currency, difference in found.difference.items():
        assert difference == total(one.difference for one in found.lines if one.currency == currency)
    assert total(one.billed for one in found.lines) == total(one.amount for one in theirs)
