"""A line's days sum to the line; groups sum to the subtotal; nine groups and the rest."""

from datetime import UTC, date, datetime
from decimal import Decimal

from billing.spread import COMPONENT, OTHER, days_of, view_of
from models.money import total
from models.usage import UsageLine
from tests.statement_builders import a_statement, fee, usage

D = Decimal


def used(day: int, quantity: str, meter: str = "call.minutes", hour: int = 9, **dimensions: str) -> UsageLine:
    """Return usage of an hour of October."""
    at = datetime(2026, 10, day, hour, tzinfo=UTC)
    return UsageLine(
        meter=meter,
        dimensions=dimensions,
        starts_at=at,
        ends_at=at.replace(minute=59),
        quantity=D(quantity),
        events=1,
        source="s",
    )


def test_a_line_is_split_by_the_days_share_and_nothing_is_lost() -> None:
    # 10.00 over three equal days: 3.34 + 3.33 + 3.33, the largest remainder first in time.
    days = days_of(a_statement(usage("a", "10.00")), [used(1, "5"), used(2, "5"), used(3, "2"), used(3, "3", hour=11)])
    assert [(one.day.day, one.quantity, one.events, one.amount) for one in days] == [
        (1, D(5), 1, D("3.34")),
        (2, D(5), 1, D("3.33")),
        (3, D(5), 2, D("3.33")),
    ]
    assert total(one.amount for one in days) == D("10.00")


def test_only_a_lines_own_usage_counts_and_fees_have_no_days() -> None:
    statement = a_statement(
        usage("a", "4.00", model="m1"), usage("b", "6.00", model="m2"), fee("f", "9.00", "2026-10-01", "2026-11-01")
    )
    days = days_of(statement, [used(1, "1", model="m1"), used(2, "1", model="m2"), used(3, "1", meter="other")])
    assert [(one.line, one.day.day, one.amount) for one in days] == [("a", 1, D("4.00")), ("b", 2, D("6.00"))]


def test_a_day_is_the_contracts_day() -> None:
    late = used(1, "1", hour=2)  # still the last of September in Los Angeles
    there = a_statement(usage("a", "1.00")).model_copy(update={"timezone": "America/Los_Angeles"})
    assert [one.day for one in days_of(there, [late])] == [date(2026, 9, 30)]


def test_a_line_without_usage_has_no_days() -> None:
    assert days_of(a_statement(usage("a", "1.00")), []) == ()


def test_groups_sum_to_the_subtotal_and_two_lines_of_one_usage_count_it_once() -> None:
    # The pool paid 6.00 of the calls and 4.00 went past it: two lines, one usage.
    statement = a_statement(usage("paid", "6.00"), usage("past", "4.00"), usage("speech", "3.00", meter="stt.minutes"))
    view = view_of(
        days_of(statement, [used(1, "7"), used(2, "3"), used(2, "1", meter="stt.minutes")]), COMPONENT, "USD"
    )
    assert [(group.name, group.quantity, group.amount) for group in view.groups] == [
        ("call.minutes", D(10), D("10.00")),
        ("stt.minutes", D(1), D("3.00")),
    ]
    assert view.day_totals == (D("7.00"), D("6.00"))  # 4.20 + 2.80, 1.80 + 1.20 + 3.00
    assert view.subtotal == D("13.00")


def test_past_nine_groups_the_rest_is_other() -> None:
    lines = [usage(f"l{n}", f"{n}.00", model=f"m{n:02}") for n in range(1, 13)]
    days = days_of(a_statement(*lines), [used(1, "1", model=f"m{n:02}") for n in range(1, 13)])
    view = view_of(days, "model", "USD")
    assert [group.name for group in view.groups] == [f"m{n:02}" for n in range(12, 3, -1)] + [OTHER]
    assert view.groups[-1].amount == D("6.00")  # 3 + 2 + 1
    assert view.subtotal == D("78.00")
    assert view_of(days, "model", "USD", {"model": "m05"}).subtotal == D("5.00")
