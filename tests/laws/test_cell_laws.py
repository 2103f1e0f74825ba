"""Laws of cells and columns: rating in the coarsest cells is rating hour by hour; a table is its lines."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import strategies as st

from billing.rating import statement as rule
from billing.rating.columns import UsageColumns
from billing.rating.statement import NegativeStatement
from billing.rating.usage import BucketStraddlesCut, UsageOutsidePeriod, each_hour, finer
from billing.usage_table import from_lines
from models.contract import Contract
from models.statement import Statement
from models.usage import UsageLine
from tests.billing.rating.builders import MINUTES, a_contract, price, rated, used
from tests.laws.drawn import RATES, cases, contracts, holds, usages

OCTOBER, NOVEMBER = datetime(2026, 10, 1, tzinfo=UTC), datetime(2026, 11, 1, tzinfo=UTC)


def hour_by_hour(contract: Contract, usage: list[UsageLine]) -> Statement:
    """Return the statement with every hour a cell of its own."""

    def each(month: Any, cells: Any, _work: Any) -> Any:
        return each_hour(cells, (month.timeline.span.ends_at,))

    with patch.object(rule._Month, "_finer", each):
        return rated(contract, *usage, rates=RATES)


def money(statement: Statement) -> dict[str, Any]:
    """Return all that is owed and paid, by what decides it; usage that costs nothing may stand beside either line."""
    found: dict[str, Any] = {"pools": [pool.model_dump() for pool in statement.pools], "total": statement.total}
    for line in statement.lines:
        if line.amount or line.precise_amount:
            key = f"{line.kind.value} {line.clause} {line.meter} {line.service_from} {line.covered_by} {line.id}"
            found[key] = line.amount, line.precise_amount
    return found


def by_lines(contract: Contract, usage: list[UsageLine]) -> Statement:
    """Return the statement of the lines."""
    return rated(contract, *usage, rates=RATES)


def by_columns(contract: Contract, usage: list[UsageLine]) -> Statement:
    """Return the statement of the lines as a table."""
    with patch.object(rule, "_held", lambda lines: UsageColumns(from_lines(lines))):
        return by_lines(contract, usage)


def outcome(rate: Callable[[Contract, list[UsageLine]], Statement], contract: Contract, usage: list[UsageLine]) -> Any:
    """Return what is owed, or the refusal of a statement below zero."""
    try:
        return money(rate(contract, usage))
    except NegativeStatement as refusal:
        return refusal.what


@cases
def test_coarse_cells_change_nothing(cases: int) -> None:
    def law(contract: Contract, usage: list[UsageLine]) -> None:
        assert outcome(by_lines, contract, usage) == outcome(hour_by_hour, contract, usage)

    holds(cases, law, contracts(), usages())


@cases
def test_a_table_is_its_lines(cases: int) -> None:
    def law(contract: Contract, usage: list[UsageLine], corrections: list[tuple[int, str]]) -> None:
        for position, quantity in corrections:
            if position < len(usage) and usage[position].quantity >= 9:  # three corrections of 3
                usage = [*usage, usage[position].model_copy(update={"quantity": used(quantity).quantity})]
        assert outcome(by_columns, contract, usage) == outcome(by_lines, contract, usage)

    corrections = st.lists(st.tuples(st.integers(0, 11), st.sampled_from(["-0.5", "-3"])), max_size=3)
    holds(cases, law, contracts(), usages(), corrections)


def test_a_cell_is_split_into_days_then_hours_then_stays() -> None:
    days = finer((OCTOBER,), OCTOBER, NOVEMBER)
    assert days == tuple(OCTOBER + timedelta(days=day) for day in range(31))
    hours = finer(days, datetime(2026, 10, 9, 7, tzinfo=UTC), NOVEMBER)
    assert set(hours) - set(days) == {datetime(2026, 10, 9, hour, tzinfo=UTC) for hour in range(1, 24)}
    assert finer(hours, datetime(2026, 10, 9, 7, tzinfo=UTC), NOVEMBER) == hours


def test_a_month_is_rated_in_as_many_cells_as_its_crossing_needs() -> None:
    """A pool of 20.00 at 0.10 a minute is 200 minutes; 10 an hour from the 3rd on: gone after 20 hours of the 3rd."""
    contract = a_contract(
        prices=[price(MINUTES, kind="unit", amount="0.10")],
        commitments=[
            {"id": "pool", "amount": "20.00", "every": "month", "billing": "advance", "overage": {"multiplier": "2"}}
        ],
    )
    usage = [used("10", f"2026-10-{day:02}T{hour:02}:00:00Z") for day in range(3, 13) for hour in range(24)]
    asked: list[int] = []
    whole = rule._Month.rated

    def counted(month: Any, cells: Any) -> Any:
        asked.append(len(cells))
        return whole(month, cells)

    with patch.object(rule._Month, "rated", counted):
        statement = by_columns(contract, usage)
    since = 35  # days of backdating before October
    assert asked == [1, 31 + since, 31 + since + 23]
    assert {line.kind.value: line.quantity for line in statement.lines if line.meter == MINUTES and line.quantity} == {
        "usage": 200,
        "overage": 2200,
    }


def test_a_bucket_over_a_cut_and_one_outside_are_named_from_columns() -> None:
    contract = a_contract(
        prices=[price(MINUTES, kind="unit", amount="1"), price(MINUTES, None, "2026-10-20", kind="unit", amount="2")]
    )
    with pytest.raises(BucketStraddlesCut, match="straddles"):
        by_columns(contract, [used("1", "2026-10-19T23:30:00Z")])
    with pytest.raises(UsageOutsidePeriod, match="outside"):
        by_columns(contract, [used("1", "2026-11-01T00:00:00Z")])
