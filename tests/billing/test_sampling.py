"""Sampling: largest, new and most changed in turn, nobody twice, the same for everybody."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from billing.sampling import SIZE, sample
from models.reports import RatedView, SampledFor


def view(customer: str, total: str, prior: str | None = None, currency: str = "USD") -> RatedView:
    """Return a statement beside the month before's."""
    return RatedView(
        customer=customer,
        statement=f"{customer}-{currency}",
        currency=currency,
        total=Decimal(total),
        lines=3,
        prior=f"{customer}-before" if prior else None,
        prior_total=Decimal(prior) if prior else None,
        prior_currency=currency if prior else None,
    )


def test_each_reason_draws_its_next_and_nobody_is_drawn_twice() -> None:
    rated = [
        view("big", "900.00", "899.00"),
        view("fallen", "10.00", "500.00"),
        view("grown", "300.00", "100.00"),
        view("new", "50.00"),
        view("newer", "700.00"),
        view("same", "20.00", "20.00"),
    ]
    assert [(one.view.customer, one.why) for one in sample(rated, 5)] == [
        ("big", SampledFor.LARGEST),
        ("newer", SampledFor.NEW),
        ("fallen", SampledFor.CHANGED),
        ("grown", SampledFor.LARGEST),
        ("new", SampledFor.NEW),
    ]


def test_amounts_are_ranked_within_their_currency() -> None:
    rated = [view("yen", "9000", "9000", "JPY"), view("one", "2.00", "2.00"), view("two", "1.00", "1.00")]
    assert [one.view.customer for one in sample(rated, 2)] == ["yen", "one"]
    assert [one.view.customer for one in sample([*rated, view("zloty", "1.00", "1.00", "PLN")], 3)] == [
        "yen",
        "zloty",
        "one",
    ]


totals = st.lists(st.tuples(st.integers(-500, 500), st.none() | st.integers(1, 500)), max_size=25)


@given(totals, st.randoms())
def test_the_sample_is_the_same_in_whatever_order_the_statements_come(
    drawn: list[tuple[int, int | None]], chance: object
) -> None:
    rated = [
        view(f"c{number:02}", str(now), str(prior) if prior else None) for number, (now, prior) in enumerate(drawn)
    ]
    found = sample(rated)
    chance.shuffle(rated)  # type: ignore[attr-defined]
    assert sample(rated) == found
    assert len(found) == len({one.view.statement for one in found}) == min(SIZE, len(rated))
