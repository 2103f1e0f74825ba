"""Fault matrix: each cause at each source over three seeds is found, named and laid there; clean data finds nothing.

October of one customer, one meter, some events an hour. ClickHouse speaks, PostHog has the same events, the sheet their
daily sums. Then one of the three is broken in one way, or PostHog in two.
"""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from billing.reconciliation.reconcile import Reconciled, reconcile
from billing.reconciliation.since_seal import changed
from models.reconciliation import Cause, Severity
from models.usage_policy import SourcePolicy
from tests.usage_builders import OCTOBER, START, a_policy, a_slice, days, event, sealed

pytestmark = pytest.mark.slow

Rows = list[dict[str, Any]]
SEEDS = (1, 2, 3)
EVENTS = ("clickhouse", "posthog")
HOUR = timedelta(hours=1)


def month(seed: int) -> Rows:
    """Return the month's events: one to three an hour, each with its own quantity, received a minute later."""
    chance = Random(seed)
    rows: Rows = []
    for hour in range(31 * 24):
        for number in range(chance.randint(1, 3)):
            at = START + hour * HOUR + timedelta(seconds=chance.randrange(60, 3_500))
            quantity = str(Decimal(chance.randrange(100, 9_000)) / 100)
            rows.append(
                event(0, quantity, id=f"e-{hour}-{number}")
                | {"starts_at": at, "received_at": at + timedelta(minutes=1)}
            )
    return rows


def sheet_of(rows: Rows) -> Rows:
    """Return the daily sums of events."""
    sums = [Decimal(0)] * 31
    for row in rows:
        sums[(row["starts_at"] - START).days] += row["quantity"]
    return days([str(one) for one in sums])


def compared(clickhouse: Rows, posthog: Rows, sheet: Rows) -> Reconciled:
    slices = [a_slice("clickhouse", clickhouse), a_slice("posthog", posthog), a_slice("sheet", sheet, grain="day")]
    return reconcile("acme", "2026-10", OCTOBER, slices, a_policy(slices, ratio="0"))


def without_a_batch(rows: Rows, chance: Random) -> Rows:
    first = START + chance.randrange(100, 500) * HOUR
    return [row for row in rows if not first <= row["starts_at"] < first + 6 * HOUR]


def cut_short(rows: Rows, chance: Random) -> Rows:
    end = START + chance.randrange(600, 700) * HOUR
    return [row for row in rows if row["starts_at"] < end]


def in_seconds(rows: Rows, _chance: Random) -> Rows:
    return [row | {"quantity": row["quantity"] * 60} for row in rows]


def in_another_zone(rows: Rows, chance: Random) -> Rows:
    moved = chance.choice([-7, -5, 2, 5]) * HOUR
    return [row | {"starts_at": row["starts_at"] + moved} for row in rows]


def under_another_account(rows: Rows, chance: Random) -> Rows:
    first = chance.randrange(100, 900)
    return [row | ({"account": "ACME-EU"} if first <= n < first + 40 else {}) for n, row in enumerate(rows)]


def delivered_twice(rows: Rows, chance: Random) -> Rows:
    first = chance.randrange(100, 900)
    return [*rows, *rows[first : first + 20]]


def copied(rows: Rows, chance: Random) -> Rows:
    one = chance.choice(rows)
    return [*rows, one | {"id": "a-second-id"}]


def altered(rows: Rows, chance: Random) -> Rows:
    place = chance.randrange(len(rows))
    return [row | ({"quantity": row["quantity"] + Decimal("0.37")} if n == place else {}) for n, row in enumerate(rows)]


def rounded(rows: Rows, _chance: Random) -> Rows:
    return [row | {"quantity": row["quantity"].quantize(Decimal(1))} for row in rows]


@pytest.mark.parametrize("seed", SEEDS)
def test_clean_data_finds_nothing(seed: int) -> None:
    rows = month(seed)
    assert compared(rows, rows, sheet_of(rows)).findings == ()


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("source", EVENTS)
@pytest.mark.parametrize(
    ("cause", "broken"),
    [
        (Cause.DROPPED_BATCH, without_a_batch),
        (Cause.TRUNCATED, cut_short),
        (Cause.UNIT, in_seconds),
        (Cause.ZONE_SHIFT, in_another_zone),
        (Cause.ALIAS, under_another_account),
        (Cause.DUPLICATE, delivered_twice),
        (Cause.ALTERED, altered),
    ],
)
def test_each_cause_is_found_at_its_event_source(
    cause: Cause, broken: Callable[[Rows, Random], Rows], source: str, seed: int
) -> None:
    rows = month(seed)
    sides = dict.fromkeys(EVENTS, rows) | {source: broken(rows, Random(seed))}
    found = compared(sides["clickhouse"], sides["posthog"], sheet_of(rows))
    assert {(one.cause, one.source) for one in found.findings} == {(cause, source)}


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(("cause", "broken"), [(Cause.COPY, copied), (Cause.ROUNDING, rounded)])
def test_copies_and_rounding_are_named_by_event(
    cause: Cause, broken: Callable[[Rows, Random], Rows], seed: int
) -> None:
    rows = month(seed)
    found = compared(rows, broken(rows, Random(seed)), sheet_of(rows))
    assert {(one.cause, one.source) for one in found.findings} == {(cause, "posthog")}


@pytest.mark.parametrize("seed", SEEDS)
def test_events_that_came_late_and_are_missing_elsewhere_are_late(seed: int) -> None:
    rows, place = month(seed), Random(seed).randrange(1_000)
    late = rows[place] | {"received_at": rows[place]["starts_at"] + timedelta(days=3)}
    with_it = [*rows[:place], late, *rows[place + 1 :]]
    found = compared(with_it, [*rows[:place], *rows[place + 1 :]], sheet_of(rows))
    assert {(one.cause, one.source) for one in found.findings} == {(Cause.LATE, "posthog")}
    assert rows[place]["id"] in found.findings[0].evidence


@pytest.mark.parametrize("seed", SEEDS)
def test_usage_under_other_dimensions_is_a_mapping(seed: int) -> None:
    rows = [row | {"dims": '{"model":"gpt-4o"}'} for row in month(seed)]
    theirs = [row | ({"dims": '{"model":"gpt-4o-mini"}'} if n % 3 == 0 else {}) for n, row in enumerate(rows)]
    found = compared(rows, theirs, sheet_of(rows))
    assert {(one.cause, one.source) for one in found.findings} == {(Cause.DIMENSION_MAPPING, "posthog")}


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(("cause", "factor"), [(Cause.UNIT, 60), (Cause.UNIT, 1000)])
def test_a_sheet_in_another_unit_is_found_at_the_sheet(cause: Cause, factor: int, seed: int) -> None:
    rows = month(seed)
    sheet = [row | {"quantity": row["quantity"] * factor} for row in sheet_of(rows)]
    found = compared(rows, rows, sheet)
    assert {(one.cause, one.source) for one in found.findings} == {(cause, "sheet")}


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(("cause", "lost"), [(Cause.DROPPED_BATCH, slice(10, 14)), (Cause.TRUNCATED, slice(25, 31))])
def test_days_that_a_sheet_lacks_are_found_at_the_sheet(cause: Cause, lost: slice, seed: int) -> None:
    rows = month(seed)
    whole = sheet_of(rows)
    gone = {row["id"] for row in whole[lost]}
    found = compared(rows, rows, [row for row in whole if row["id"] not in gone])
    assert {(one.cause, one.source) for one in found.findings} == {(cause, "sheet")}


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("source", EVENTS)
def test_what_september_billed_and_october_delivers_again_is_a_retry_over_the_boundary(source: str, seed: int) -> None:
    rows, place = month(seed), Random(seed).randrange(900)
    again = [row | {"id": f"sep-{n}", "quantity": Decimal(7)} for n, row in enumerate(rows[place : place + 5])]
    billed = pa.table({"id": [row["id"] for row in again], "meter": ["call.minutes"] * 5})
    sides = {name: a_slice(name, rows) for name in EVENTS}
    sides[source] = a_slice(source, [*rows, *again, again[0]], earlier=billed)
    slices = [*sides.values(), a_slice("sheet", sheet_of(rows), grain="day")]
    found = reconcile("acme", "2026-10", OCTOBER, slices, a_policy(slices, ratio="0"))
    (finding,) = found.findings
    assert (finding.cause, finding.source, finding.severity) == (Cause.RETRY_OVER_BOUNDARY, source, Severity.RECORDED)
    assert finding.quantity == 42  # five of 7, and one of them a second time
    assert finding.evidence == "6 events that were billed in an earlier month came again, e.g. sep-0"
    assert sum(line.quantity for line in found.lines) == sum(row["quantity"] for row in rows)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("source", [*EVENTS, "sheet"])
def test_what_a_source_says_otherwise_since_the_seal_is_named_by_customer_and_meter(
    source: str, seed: int, tmp_path: Path
) -> None:
    rows, chance = month(seed), Random(seed)
    if source == "sheet":
        before, policy = sheet_of(rows), SourcePolicy(grain="day")
        place = chance.randrange(31)
    else:
        before, policy = rows, SourcePolicy(grain="event")
        place = chance.randrange(len(rows))
    other = before[place] | {"quantity": before[place]["quantity"] + Decimal("0.5")}
    files = [tmp_path / "sealed.parquet", tmp_path / "live.parquet"]
    for path, said in zip(files, (before, [*before[:place], other, *before[place + 1 :]]), strict=True):
        pq.write_table(sealed(said, policy).buckets, path)
    assert changed(source, "2026-10", files[0], files[0], START) == ()
    (finding,) = changed(source, "2026-10", files[0], files[1], START)
    assert (finding.cause, finding.source, finding.customer) == (Cause.CHANGED_SINCE_SEAL, source, "acme")
    assert finding.quantity - finding.against_quantity == Decimal("0.5")
    assert finding.starts_at <= before[place]["starts_at"] < finding.ends_at


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(
    ("first", "second", "causes"),
    [
        (in_seconds, without_a_batch, {Cause.UNIT, Cause.DROPPED_BATCH}),
        (under_another_account, without_a_batch, {Cause.ALIAS, Cause.DROPPED_BATCH}),
        (in_another_zone, without_a_batch, {Cause.ZONE_SHIFT, Cause.DROPPED_BATCH}),
        (delivered_twice, without_a_batch, {Cause.DUPLICATE, Cause.DROPPED_BATCH}),
        (altered, without_a_batch, {Cause.ALTERED, Cause.DROPPED_BATCH}),
        (in_seconds, cut_short, {Cause.UNIT, Cause.TRUNCATED}),
        (delivered_twice, in_seconds, {Cause.DUPLICATE, Cause.UNIT}),
    ],
)
def test_two_causes_in_one_month_are_both_found(
    first: Callable[[Rows, Random], Rows], second: Callable[[Rows, Random], Rows], causes: set[Cause], seed: int
) -> None:
    rows = month(seed)
    theirs = second(first(rows, Random(seed)), Random(seed + 100))
    found = compared(rows, theirs, sheet_of(rows))
    assert {(one.cause, one.source) for one in found.findings} == {(cause, "posthog") for cause in causes}
