"""Reconciliation: each planted fault is found by its name, at its side, and answered by a person."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.reconciliation.cells import Slice
from billing.reconciliation.reconcile import NegativeMeter, Reconciled, ResolutionIncomplete, reconcile
from models.period import Period, month_period
from models.reconciliation import Answer, Cause, Finding, Resolution, Severity
from models.usage_policy import NoAuthority
from tests.laws.drawn import drawn_of
from tests.usage_builders import OCTOBER, START, a_policy, a_slice, days, event, month_of_events

DAILY = str(sum(range(1, 25)))  # month_of_events: 1 + 2 + … + 24 = 300 a day


def compare(slices: Sequence[Slice], *resolutions: Resolution, **more: Any) -> Reconciled:
    policy = more.pop("policy", None) or a_policy(slices, more.pop("order", ()))
    return reconcile("acme", "2026-10", OCTOBER, slices, policy, resolutions, more.pop("cuts", ()))


def causes(found: Reconciled) -> list[tuple[Cause, str]]:
    return [(finding.cause, finding.source) for finding in found.findings]


def answer(finding: Finding, kind: Answer, **more: Any) -> Resolution:
    return Resolution(finding=finding.id, answer=kind, reason="checked", person="pat", decision="d-1", **more)


def total(found: Reconciled) -> Decimal:
    return sum((line.quantity for line in found.lines), Decimal(0))


def test_three_equal_sources_agree() -> None:
    events = month_of_events()
    found = compare(
        [a_slice("clickhouse", events), a_slice("posthog", events), a_slice("sheet", days([DAILY] * 31), grain="day")]
    )
    assert found.findings == ()
    assert found.authority == {"call.minutes": "clickhouse"}
    assert total(found) == 9300  # 31 days x 300


def test_a_difference_at_the_tolerance_passes_and_beyond_it_holds() -> None:
    ours = a_slice("clickhouse", [event(1, "1000")])
    assert compare([ours, a_slice("posthog", [event(1, "1001")])]).findings == ()  # 1 <= 0.001 x 1000
    found = compare([ours, a_slice("posthog", [event(1, "1001.1")])])
    assert causes(found) == [(Cause.ALTERED, "posthog")]
    assert found.findings[0].severity is Severity.HOLDS


def test_missing_hours_are_a_dropped_batch() -> None:
    events = month_of_events()
    thin = [
        row for row in events if not START + timedelta(hours=100) <= row["starts_at"] < START + timedelta(hours=105)
    ]
    found = compare([a_slice("clickhouse", events), a_slice("posthog", thin)])
    assert causes(found) == [(Cause.DROPPED_BATCH, "posthog")]
    assert found.findings[0].starts_at == START + timedelta(hours=100)
    assert found.findings[0].ends_at == START + timedelta(hours=105)


def test_missing_hours_of_the_authority_are_laid_at_it_when_two_agree_and_can_be_taken_from_another() -> None:
    events = month_of_events()
    thin = [
        row for row in events if not START + timedelta(hours=100) <= row["starts_at"] < START + timedelta(hours=103)
    ]
    slices = [
        a_slice("clickhouse", thin),
        a_slice("posthog", events),
        a_slice("sheet", days([DAILY] * 31), grain="day"),
    ]
    held = compare(slices)
    (finding,) = held.holding
    assert (finding.cause, finding.source, finding.against) == (Cause.DROPPED_BATCH, "clickhouse", "posthog")
    assert total(held) == 9300 - (5 + 6 + 7)  # hours 4, 5, 6 of the fifth day
    settled = compare(slices, answer(finding, Answer.ACCEPT, source="posthog"))
    assert settled.holding == ()
    assert total(settled) == 9300


def test_a_file_that_ends_too_early_is_truncated() -> None:
    events = month_of_events()
    found = compare([a_slice("clickhouse", events), a_slice("posthog", events[:-30])])
    assert causes(found) == [(Cause.TRUNCATED, "posthog")]


def test_seconds_for_minutes_are_a_unit_error() -> None:
    events = month_of_events()
    found = compare([a_slice("clickhouse", events), a_slice("posthog", month_of_events("60"))])
    assert causes(found) == [(Cause.UNIT, "posthog")]
    assert "x60" in found.findings[0].evidence


def test_a_daily_sheet_in_seconds_is_a_unit_error() -> None:
    found = compare(
        [a_slice("clickhouse", month_of_events()), a_slice("sheet", days([str(300 * 60)] * 31), grain="day")]
    )
    assert causes(found) == [(Cause.UNIT, "sheet")]


@pytest.mark.parametrize("hours", [-7, 2, 5])
def test_events_in_another_zone_are_a_zone_shift(hours: int) -> None:
    events = [row | {"quantity": row["quantity"] + Decimal(n % 7)} for n, row in enumerate(month_of_events())]
    moved = [row | {"starts_at": row["starts_at"] + timedelta(hours=hours)} for row in events]
    found = compare([a_slice("clickhouse", events), a_slice("posthog", moved)])
    assert causes(found) == [(Cause.ZONE_SHIFT, "posthog")]
    assert f"{hours:+d} hours" in found.findings[0].evidence


def test_a_sheet_kept_in_local_days_but_declared_utc_is_a_zone_shift() -> None:
    events = [row | {"quantity": row["quantity"] + Decimal(n % 97)} for n, row in enumerate(month_of_events())]
    sums = [Decimal(0)] * 31
    for row in events:
        day = (row["starts_at"] - timedelta(hours=7) - START).days
        if 0 <= day < 31:
            sums[day] += row["quantity"]
    found = compare([a_slice("clickhouse", events), a_slice("sheet", days([str(s) for s in sums]), grain="day")])
    assert causes(found) == [(Cause.ZONE_SHIFT, "sheet")]


def test_usage_under_an_unknown_account_is_an_alias() -> None:
    events = month_of_events()
    theirs = [row | ({"account": "ACME-EU"} if 200 <= n < 230 else {}) for n, row in enumerate(events)]
    found = compare([a_slice("clickhouse", events), a_slice("posthog", theirs)])
    assert causes(found) == [(Cause.ALIAS, "posthog")]
    assert "ACME-EU" in found.findings[0].evidence


def test_two_causes_in_one_month_are_both_found() -> None:
    events = month_of_events()
    thin = [
        row for row in events if not START + timedelta(hours=300) <= row["starts_at"] < START + timedelta(hours=310)
    ]
    theirs = [row | ({"account": "ACME-EU"} if 50 <= n < 60 else {}) for n, row in enumerate(thin)]
    found = compare([a_slice("clickhouse", events), a_slice("posthog", theirs)])
    assert sorted(causes(found)) == [(Cause.ALIAS, "posthog"), (Cause.DROPPED_BATCH, "posthog")]


def test_removed_duplicates_are_recorded_and_hold_nobody() -> None:
    events = month_of_events()
    found = compare([a_slice("clickhouse", events), a_slice("posthog", [*events, *events[10:20]])])
    assert causes(found) == [(Cause.DUPLICATE, "posthog")]
    assert found.holding == ()


def test_single_events_are_named_missing_extra_or_altered() -> None:
    events = month_of_events()
    assert causes(compare([a_slice("clickhouse", events), a_slice("posthog", events[:7] + events[8:])])) == [
        (Cause.MISSING, "posthog")
    ]
    more = [*events, event(7.25, "5", id="only-there")]
    assert causes(compare([a_slice("clickhouse", events), a_slice("posthog", more)])) == [(Cause.EXTRA, "posthog")]


def test_causes_that_cancel_out_over_the_month_are_still_seen() -> None:
    ours = a_slice("clickhouse", [event(1, "10"), event(30, "10")])
    theirs = a_slice("posthog", [event(1, "8"), event(30, "12")])
    assert compare([ours, theirs]).holding != ()


def test_dimensions_a_source_does_not_have_are_summed_over() -> None:
    ours = a_slice("clickhouse", [event(1, "3", dims={"model": "a"}), event(1, "4", id="b", dims={"model": "b"})])
    theirs = a_slice("posthog", [event(1, "3"), event(1, "4", id="b")])
    assert compare([ours, theirs]).findings == ()


def test_an_hour_that_adds_up_from_other_events_is_recorded_with_their_names() -> None:
    ours = a_slice("clickhouse", [event(1, "3", id="a"), event(1, "4", id="b")])
    theirs = a_slice("posthog", [event(1, "7", id="c")])
    found = compare([ours, theirs])
    assert found.holding == ()
    (finding,) = found.findings
    assert (finding.cause, finding.severity) == (Cause.ALTERED, Severity.RECORDED)
    assert "2 events missing, 1 events extra: a (3 / 0), b (4 / 0), c (0 / 7)" in finding.evidence


def test_sources_that_share_no_ids_are_matched_by_the_dimension_they_declare() -> None:
    ours = a_slice("clickhouse", [event(1, "3", id="a", dims={"call": "k-1"})], match="call")
    theirs = a_slice("posthog", [event(1, "3", id="z", dims={"call": "k-1"})], match="call")
    assert compare([ours, theirs]).findings == ()


def test_where_nothing_differs_no_event_is_read() -> None:
    def never() -> Any:
        raise AssertionError("the events were read")

    slices = [replace(a_slice(name, month_of_events()), rows=never) for name in ("clickhouse", "posthog")]
    assert compare(slices).findings == ()


def test_a_source_that_carries_the_meter_and_has_nothing_is_not_overlooked() -> None:
    found = compare([a_slice("clickhouse", month_of_events()), a_slice("posthog", [])])
    assert [finding.source for finding in found.holding] == ["posthog"]


def test_a_source_that_does_not_carry_the_meter_is_not_asked() -> None:
    found = compare([a_slice("clickhouse", month_of_events()), a_slice("posthog", [], carries=("llm.*",))])
    assert found.findings == ()


def test_a_sheets_day_that_reaches_past_the_month_is_not_compared() -> None:
    events = month_of_events()
    local = [str(300)] * 31  # days of Los Angeles: the last one ends seven hours into November
    sheet = a_slice("sheet", days(local, shift_hours=7), grain="day", timezone="America/Los_Angeles")
    assert compare([a_slice("clickhouse", events), sheet]).findings == ()


def test_a_correction_replaces_the_span_with_its_quantity() -> None:
    slices = [
        a_slice("clickhouse", [event(1, "10"), event(2, "20")]),
        a_slice("posthog", [event(1, "10"), event(2, "50")]),
    ]
    (finding,) = compare(slices).holding
    settled = compare(slices, answer(finding, Answer.CORRECT, quantity="35"))
    assert total(settled) == 45  # 10 as it was, 35 for the corrected hour
    assert [line.source for line in settled.lines if line.events == 0] == ["correction:pat"]


def test_excluding_leaves_the_span_out_and_deferring_leaves_it_as_it_is() -> None:
    slices = [
        a_slice("clickhouse", [event(1, "10"), event(2, "20")]),
        a_slice("posthog", [event(1, "10"), event(2, "50")]),
    ]
    (finding,) = compare(slices).holding
    assert total(compare(slices, answer(finding, Answer.EXCLUDE))) == 10
    assert total(compare(slices, answer(finding, Answer.DEFER))) == 30


def test_a_correction_without_a_quantity_is_refused() -> None:
    slices = [a_slice("clickhouse", [event(2, "20")]), a_slice("posthog", [event(2, "50")])]
    (finding,) = compare(slices).holding
    with pytest.raises(ResolutionIncomplete):
        compare(slices, answer(finding, Answer.CORRECT))


def test_the_same_difference_has_the_same_id_however_often_it_is_found() -> None:
    slices = [a_slice("clickhouse", [event(2, "20")]), a_slice("posthog", [event(2, "50")])]
    assert compare(slices).findings == compare(slices).findings


def test_buckets_are_cut_at_the_instant_a_price_changes() -> None:
    cut = START + timedelta(hours=10, minutes=17)
    found = compare([a_slice("clickhouse", [event(10.1, "1"), event(10.9, "2")], cuts=(cut,))], cuts=(cut,))
    assert [(line.starts_at, line.ends_at, line.quantity) for line in found.lines] == [
        (START + timedelta(hours=10), cut, Decimal(1)),
        (cut, START + timedelta(hours=11), Decimal(2)),
    ]


def test_a_meter_below_zero_is_refused() -> None:
    with pytest.raises(NegativeMeter):
        compare([a_slice("clickhouse", [event(1, "5"), event(2, "-6")])])


def test_an_authority_that_changes_inside_the_month_speaks_from_its_day_on() -> None:
    slices = [
        a_slice("clickhouse", [event(1, "10"), event(500, "10")]),
        a_slice("posthog", [event(1, "7"), event(500, "7")]),
    ]
    policy = a_policy(slices)
    (first,) = policy.authority
    later = first.model_copy(update={"order": ("posthog",), "starts_on": date(2026, 10, 15)})
    found = compare(slices, policy=policy.model_copy(update={"authority": (first, later)}))
    assert found.authority == {"call.minutes": "clickhouse, then posthog from 2026-10-15T00:00:00Z"}
    told = [(line.source, int(line.quantity)) for line in found.lines]
    assert told == [("clickhouse", 10), ("posthog", 7)]
    assert [(one.source, one.against) for one in found.holding] == [
        ("clickhouse", "posthog"),
        ("posthog", "clickhouse"),
    ]


def test_a_meter_nobody_speaks_for_is_refused() -> None:
    slices = [a_slice("clickhouse", [event(1)])]
    policy = a_policy(slices)
    silent = policy.model_copy(
        update={"authority": (policy.authority[0].model_copy(update={"meter": "sms.segments"}),)}
    )
    with pytest.raises(NoAuthority):
        compare(slices, policy=silent)


@pytest.mark.parametrize("zone", ["Asia/Kathmandu", "Asia/Kolkata", "America/Los_Angeles"])
def test_a_month_in_a_zone_off_the_hour_loses_and_gains_nothing(zone: str) -> None:
    period = month_period("2026-10", zone)
    rows = [event(hour / 4, "1") for hour in range(-200, 31 * 24 * 4 + 200)]
    wide = Period(starts_at=START - timedelta(days=5), ends_at=OCTOBER.ends_at + timedelta(days=5))
    slices = [a_slice("clickhouse", rows, window=wide, cuts=(period.starts_at, period.ends_at))]
    found = reconcile("acme", "2026-10", period, slices, a_policy(slices))
    expected = sum(1 for row in rows if row["starts_at"] in period)
    assert sum(line.quantity for line in found.lines) == expected
    assert all(period.starts_at <= line.starts_at and line.ends_at <= period.ends_at for line in found.lines)


@settings(max_examples=drawn_of(20))
@given(st.lists(st.tuples(st.floats(0, 743.9), st.integers(1, 10_000)), min_size=1, max_size=40))
def test_the_usage_lines_sum_to_the_authority(pairs: list[tuple[float, int]]) -> None:
    rows = [event(hour, str(quantity), id=f"e-{n}") for n, (hour, quantity) in enumerate(pairs)]
    found = compare([a_slice("clickhouse", rows), a_slice("posthog", rows[1:])])
    assert total(found) == sum(quantity for _, quantity in pairs)
