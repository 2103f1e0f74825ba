"""Cost drift: each drift is found by source, service, model and first day, with the money it would have moved."""

from datetime import date
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from billing.cost_drift import drifts
from models.columns import SEALED
from models.rate_card import RateVersion
from tests.usage_builders import event

GPT = '{"model":"gpt-4o","provider":"openai"}'


def rate(meter: str, amount: str, since: str = "2026-01-01T00:00:00Z") -> RateVersion:
    """Return a price for a million tokens of gpt-4o."""
    return RateVersion.model_validate(
        {
            "rate": "list",
            "meter": meter,
            "where": {"model": "gpt-4o"},
            "from": since,
            "amount": amount,
            "per": "1000000",
            "currency": "USD",
            "source": "notice",
            "checked_on": "2026-01-01",
        }
    )


RATES = [rate("llm.input_tokens", "2.50"), rate("llm.output_tokens", "10.00")]


def generation(hour: float, cost: str | None, **more: Any) -> list[dict[str, Any]]:
    """Return a generation of 400,000 tokens in and 100,000 out, its cost borne once: the catalog says 1.00 + 1.00."""
    rows = [
        event(hour, "400000", id=f"g-{hour}", meter="llm.input_tokens", dims={}) | {"dims": GPT},
        event(hour, "100000", id=f"g-{hour}", meter="llm.output_tokens", dims={}) | {"dims": GPT},
    ]
    for number, row in enumerate(rows):
        bears = number == 0 and cost is not None
        row |= {
            "customer": "acme",
            "cost": Decimal(cost or "0") if bears else None,
            "cost_currency": "USD" if bears else None,
        }
        row |= more
    return rows


def found(*generations: list[dict[str, Any]], rates: list[RateVersion] = RATES, zone: str = "UTC") -> Any:
    rows = pa.Table.from_pylist([row for one in generations for row in one], schema=SEALED)
    with TemporaryDirectory() as folder:
        pq.write_table(rows, path := Path(folder) / "rows.parquet")
        return drifts("posthog", path, rates, "list", zone)


def test_a_source_that_costs_what_the_catalog_says_drifts_nowhere() -> None:
    assert found(generation(1, "2.00"), generation(30, "2.009")) == ()  # 0.45 % is within half a percent


def test_a_price_four_times_too_low_is_found_on_its_first_day_with_its_money() -> None:
    """Two days right, then two generations a day at 0.50 instead of 2.00 on the 3rd and 4th of October."""
    days = [generation(hour, "2.00") for hour in (1, 25)] + [generation(hour, "0.50") for hour in (49, 50, 73, 74)]
    (drift,) = found(*days)
    assert (drift.source, drift.service, drift.dimensions["model"]) == ("posthog", "llm", "gpt-4o")
    assert (drift.first_day, drift.last_day, drift.events) == (date(2026, 10, 3), date(2026, 10, 4), 4)
    assert (drift.cost, drift.catalog, drift.money, drift.ratio) == (
        Decimal("2.00"),
        Decimal(8),
        Decimal("-6.00"),
        Decimal("0.25"),
    )


def test_a_flip_and_a_flip_back_are_two_drifts_apart() -> None:
    drift = found(*[generation(24 * day + 1, "3.00" if day in (1, 4) else "2.00") for day in range(6)])
    assert [(one.first_day.day, one.last_day.day) for one in drift] == [(2, 2), (5, 5)]


def test_the_version_in_force_at_the_instant_is_compared_and_named() -> None:
    """From the 3rd at 12:00 input costs 5.00 a million: 2.00 + 1.00 = 3.00."""
    later = rate("llm.input_tokens", "5.00", "2026-10-03T12:00:00Z")
    assert found(generation(49, "2.00"), generation(61, "3.00"), rates=[*RATES, later]) == ()
    (drift,) = found(generation(61, "2.00"), rates=[*RATES, later])
    assert later.id in drift.rate_versions
    assert drift.money == Decimal("-1.00")


def test_a_model_without_a_rate_is_all_drift_and_an_own_key_is_none() -> None:
    (drift,) = found(generation(1, "2.00"), rates=[])
    assert (drift.catalog, drift.ratio) == (0, None)
    own = '{"model":"gpt-4o","own_key":"true","provider":"openai"}'
    assert found(generation(1, "9.00", dims=own)) == ()


def test_days_are_those_of_the_zone() -> None:
    """01:00 UTC on the 1st is the evening of 30 September in New York."""
    (drift,) = found(generation(1, "1.00"), zone="America/New_York")
    assert drift.first_day == date(2026, 9, 30)


def test_customers_read_in_parts_add_up_to_the_same_drift(monkeypatch: pytest.MonkeyPatch) -> None:
    days = [generation(24 * day + n, "0.50", customer=f"c-{n}") for day in range(3) for n in range(1, 4)]
    for number, one in enumerate(days):
        for row in one:
            row["id"] = f"g-{number}"
    whole = found(*days)
    monkeypatch.setattr("billing.sealing.PART_ROWS", 1)  # each customer is a part
    assert found(*days) == whole
    assert [(one.events, one.money) for one in whole] == [(9, Decimal("-13.50"))]  # nine at 0.50, not 2.00
