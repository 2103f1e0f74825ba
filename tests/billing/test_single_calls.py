"""Single calls: those the month was rated from, of one day of the contract's zone, with numbers masked."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from billing.single_calls import calls_of, masked
from models.usage import UsageLine

DAY = date(2026, 10, 9)


def hour(at: int, source: str = "clickhouse", meter: str = "call.minutes") -> UsageLine:
    """Return an hour of reconciled usage, in UTC."""
    return UsageLine(
        meter=meter,
        dimensions={},
        starts_at=datetime(2026, 10, 9, at, tzinfo=UTC),
        ends_at=datetime(2026, 10, 9, at + 1, tzinfo=UTC),
        quantity=Decimal(5),
        events=1,
        source=source,
    )


def event(at: int, minute: int = 0, **more: Any) -> dict[str, Any]:
    """Return a sealed row."""
    said = {
        "id": f"e-{at}-{minute}",
        "meter": "call.minutes",
        "quantity": Decimal(5),
        "starts_at": datetime(2026, 10, 9, at, minute, tzinfo=UTC),
        "ends_at": None,
        "dims": '{"from": "+14155550134", "model": "gpt-4o"}',
    }
    return {**said, **more}


def test_calls_are_those_of_hours_this_source_spoke_for() -> None:
    usage = [hour(9), hour(10, "posthog"), hour(11, meter="llm.tokens")]
    rows = [event(9, 59), event(9), event(10), event(11), event(12)]
    assert [one.id for one in calls_of(rows, "clickhouse", usage, DAY, "UTC")] == ["e-9-0", "e-9-59"]
    assert [one.id for one in calls_of(rows, "posthog", usage, DAY, "UTC")] == ["e-10-0"]


def test_a_total_is_no_call() -> None:
    total = event(9, ends_at=datetime(2026, 10, 10, tzinfo=UTC))
    assert calls_of([total], "clickhouse", [hour(9)], DAY, "UTC") == ()


def test_the_day_is_one_of_the_contracts_zone() -> None:
    usage = [hour(at) for at in (3, 5)]
    rows = [event(3), event(5)]  # 5:00 UTC is midnight in New York: 3:00 is still the 8th there (EDT, UTC-4 makes 1:00)
    assert [one.id for one in calls_of(rows, "clickhouse", usage, DAY, "America/New_York")] == ["e-5-0"]


@pytest.mark.parametrize(
    ("word", "shown"),
    [
        ("+14155550134", "…134"),
        ("+1 (415) 555-0134", "…134"),
        ("0049 89 1234567", "…567"),
        ("415.555.0134", "…134"),
        ("gpt-4o", "gpt-4o"),
        ("2026-10", "2026-10"),
        ("123456", "123456"),
        ("line 4155550134", "line 4155550134"),
    ],
)
def test_of_a_number_its_last_digits_are_shown(word: str, shown: str) -> None:
    assert masked(word) == shown
    assert masked(masked(word)) == shown
