"""Laws of money and periods: nothing is lost by a split, rounding has one rule, months meet."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.money import from_minor, minor_digits, rounded, split, to_minor
from models.period import bucket_starts, month_period, months_between, next_month
from models.value import canonical_json, decimal_text

CURRENCIES = st.sampled_from(["USD", "JPY", "KWD", "EUR"])
ZONES = st.sampled_from(["UTC", "America/New_York", "Europe/Berlin", "Asia/Kathmandu", "Asia/Kolkata", "Pacific/Apia"])
MONTHS = st.builds(lambda year, month: f"{year}-{month:02}", st.integers(2020, 2035), st.integers(1, 12))


@given(st.integers(-(10**9), 10**9), st.lists(st.integers(0, 10**6), min_size=1, max_size=30), CURRENCIES)
def test_split_loses_no_minor_unit(minor: int, weights: list[int], currency: str) -> None:
    parts = split(from_minor(minor, currency), [Decimal(weight) for weight in weights], currency)
    assert sum(to_minor(part, currency) for part in parts) == minor
    whole = sum(weights)
    if whole:
        for part, weight in zip(parts, weights, strict=True):
            assert abs(to_minor(part, currency) - Decimal(minor) * weight / whole) < 1


@given(st.decimals(-(10**12), 10**12, places=12), CURRENCIES)
def test_rounding_is_half_away_from_zero_and_never_off_by_more_than_half(amount: Decimal, currency: str) -> None:
    booked = rounded(amount, currency)
    unit = Decimal(1).scaleb(-minor_digits(currency))
    assert abs(booked - amount) * 2 <= unit
    assert rounded(-amount, currency) == -booked
    if abs(booked - amount) * 2 == unit:
        assert abs(booked) > abs(amount)


@pytest.mark.parametrize(("currency", "digits"), [("JPY", 0), ("USD", 2), ("KWD", 3)])
def test_minor_units_come_from_the_table(currency: str, digits: int) -> None:
    assert minor_digits(currency) == digits


def test_a_currency_nobody_knows_is_refused() -> None:
    with pytest.raises(ValueError, match="ISO 4217"):
        minor_digits("DOLLARS")


@given(MONTHS, ZONES)
def test_months_of_a_zone_meet(month: str, zone: str) -> None:
    assert month_period(month, zone).ends_at == month_period(next_month(month), zone).starts_at


@given(MONTHS, ZONES, st.lists(st.integers(0, 800), max_size=5))
def test_buckets_cover_a_month_without_gap_or_overlap(month: str, zone: str, cuts: list[int]) -> None:
    period = month_period(month, zone)
    at = tuple(period.starts_at + timedelta(hours=hours, minutes=17) for hours in cuts)
    starts = bucket_starts(period, at)
    assert starts[0] == period.starts_at
    assert list(starts) == sorted(set(starts))
    assert all(one in period for one in starts)
    assert {cut for cut in at if cut in period} <= set(starts)
    gaps = [later - earlier for earlier, later in zip(starts, (*starts[1:], period.ends_at), strict=True)]
    assert max(gaps) <= timedelta(hours=1)


def test_a_month_of_daylight_saving_has_an_hour_more_or_less() -> None:
    def hours(month: str) -> float:
        period = month_period(month, "Europe/Berlin")
        return (period.ends_at - period.starts_at).total_seconds() / 3600

    assert (hours("2026-03"), hours("2026-10"), hours("2026-05")) == (743, 745, 744)


def test_months_between_holds_both_ends() -> None:
    assert list(months_between("2026-11", "2027-02")) == ["2026-11", "2026-12", "2027-01", "2027-02"]


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**15), max_value=10**15))
def test_equal_decimals_have_one_text(number: Decimal) -> None:
    assert decimal_text(Decimal(decimal_text(number))) == decimal_text(number)
    assert Decimal(decimal_text(number)) == number


def test_a_float_has_no_canonical_text() -> None:
    with pytest.raises(TypeError, match="float"):
        canonical_json({"amount": [0.1]})


@pytest.mark.parametrize("text", ["2026-13", "26-10", "2026-1", "October"])
def test_a_month_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="month"):
        month_period(text, "UTC")


def test_a_zone_that_does_not_exist_is_refused() -> None:
    from pydantic import TypeAdapter, ValidationError

    from models.period import Zone

    with pytest.raises(ValidationError, match="time zone"):
        TypeAdapter(Zone).validate_python("Mars/Olympus")
    assert datetime(2026, 1, 1, tzinfo=UTC) in month_period("2026-01", "UTC")
