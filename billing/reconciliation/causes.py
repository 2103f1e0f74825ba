"""Causes: why two series of one meter differ, by name, with the evidence said."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal

from billing.reconciliation.cells import Cell, Event, Series
from models.reconciliation import Cause
from models.value import decimal_text

ZERO = Decimal(0)
Bounds = tuple[datetime, datetime]

HOLE_BUCKETS = 2
"""A hole is at least this many buckets in a row with nothing, where the other source has something."""

FACTORS = tuple(Decimal(n) for n in ("60", "1000", "3600", "100", "1000000"))
"""Unit mistakes that happen: seconds for minutes, milliseconds, seconds for hours, cents, millions."""

FACTOR_TOLERANCE = Decimal("0.005")
LAG_TOLERANCE = Decimal("0.01")
MOST_LAG_HOURS = 14
"""Zones lie at most 14 hours from UTC."""


@dataclass(frozen=True)
class Named:
    """A cause found in a pair of series: where, at whose side (True: theirs), and the evidence in words."""

    cause: Cause
    starts_at: datetime
    ends_at: datetime
    at_theirs: bool
    evidence: str
    explains: frozenset[datetime] = frozenset()  # the buckets whose difference it accounts for


def holes(ours: Series, theirs: Series, buckets: Sequence[Bounds]) -> tuple[Named, ...]:
    """Return the runs of buckets in which one side has nothing and the other something: dropped batches.

    A run that starts at a bucket and lasts to the last bucket either side has is a truncation.
    """
    return (*_holes(ours, theirs, buckets, at_theirs=True), *_holes(theirs, ours, buckets, at_theirs=False))


def _holes(full: Series, thin: Series, buckets: Sequence[Bounds], at_theirs: bool) -> list[Named]:
    if not thin:
        return []
    found: list[Named] = []
    run: list[Bounds] = []
    last_full = max(full, default=None)

    def end_run() -> None:
        if len(run) >= HOLE_BUCKETS:
            missing = sum((full[start] for start, _ in run), ZERO)
            truncated = run[-1][0] == last_full
            found.append(
                Named(
                    Cause.TRUNCATED if truncated else Cause.DROPPED_BATCH,
                    run[0][0],
                    run[-1][1],
                    at_theirs,
                    f"{len(run)} buckets in a row are empty from {run[0][0].isoformat()} to {run[-1][1].isoformat()};"
                    f" the other source has {decimal_text(missing)} there",
                )
            )
        run.clear()

    for bounds in buckets:
        start = bounds[0]
        if full.get(start, ZERO) != 0 and thin.get(start, ZERO) == 0:
            run.append(bounds)
        elif thin.get(start, ZERO) != 0:
            end_run()
    end_run()
    return found


def factor(ours: Series, theirs: Series, buckets: Sequence[Bounds]) -> Named | None:
    """Return a unit mistake where the differing buckets all have one known ratio, or None."""
    ends = dict(buckets)
    differing = [
        start for start in ours if theirs.get(start, ZERO) != ours[start] and ours[start] and theirs.get(start)
    ]
    if not differing:
        return None
    for one in FACTORS:
        for ratio, text in ((one, f"x{one}"), (1 / one, f"/{one}")):
            fits = [
                start
                for start in differing
                if abs(theirs[start] - ours[start] * ratio) <= FACTOR_TOLERANCE * ours[start] * ratio
            ]
            if len(fits) * 10 >= len(differing) * 9:
                share = len(fits) * 100 // len(differing)
                return Named(
                    Cause.UNIT,
                    min(fits),
                    ends[max(fits)],
                    True,
                    f"{len(fits)} of {len(differing)} differing buckets ({share} %) are {text} of the other source",
                    frozenset(fits),
                )
    return None


def lag(hourly: Series, theirs: Series, buckets: Sequence[Bounds], grain_hours: int) -> tuple[Named, Series] | None:
    """Return a zone shift, `theirs` being our hourly series moved by whole hours, and the series so moved; or None.

    For hours the shifted series must match hour by hour; for days each day's sum over shifted bounds.
    The first and last buckets, whose neighbours lie outside the month, are not compared.
    """
    inner = list(buckets[1:-1]) if grain_hours > 1 else list(buckets)
    whole = sum((abs(theirs.get(start, ZERO)) for start, _ in inner), ZERO)
    if whole == 0:
        return None

    def moved_by(hours: int) -> Series:
        shift = timedelta(hours=hours)
        if grain_hours > 1:
            return _sums(hourly, inner, shift)
        return {start: hourly.get(start - shift, ZERO) for start, _ in inner}

    def off(hours: int) -> Decimal:
        """Return how much is left unmatched; a bucket in which they have nothing is a hole, not a shift."""
        moved = moved_by(hours)
        return sum((abs(moved[start] - theirs[start]) for start, _ in inner if theirs.get(start)), ZERO)

    lags = [hours for hours in range(-MOST_LAG_HOURS, MOST_LAG_HOURS + 1) if hours]
    best = min(lags, key=lambda hours: (off(hours), abs(hours)))
    if off(best) > LAG_TOLERANCE * whole or off(0) <= 2 * off(best):
        return None
    named = Named(
        Cause.ZONE_SHIFT,
        buckets[0][0],
        buckets[-1][1],
        True,
        f"moved by {best:+d} hours it matches to {decimal_text(off(best))} of {decimal_text(whole)};"
        f" unmoved it is {decimal_text(off(0))} off",
    )
    return named, moved_by(best)


def mapping(differing: Sequence[Cell]) -> Named | None:
    """Return a dimension mapping: every bucket adds up the same, under other dimensions; or None."""
    by_start: dict[datetime, Decimal] = {}
    by_dims: dict[str, Decimal] = {}
    for cell in differing:
        by_start[cell.starts_at] = by_start.get(cell.starts_at, ZERO) + cell.theirs - cell.ours
        by_dims[cell.dims] = by_dims.get(cell.dims, ZERO) + cell.theirs - cell.ours
    if len(by_dims) < 2 or any(by_start.values()):
        return None
    less = ", ".join(sorted(dims for dims, off in by_dims.items() if off < 0))
    more = ", ".join(sorted(dims for dims, off in by_dims.items() if off > 0))
    return Named(
        Cause.DIMENSION_MAPPING,
        min(cell.starts_at for cell in differing),
        max(cell.ends_at for cell in differing),
        True,
        f"{len(by_start)} buckets add up the same under other dimensions: what is {less} here is {more} there",
        frozenset(by_start),
    )


ROUNDED_TO = tuple(Decimal(1).scaleb(-digits) for digits in range(4))
ROUNDED_EVENTS = 2
"""Fewer events than this that are the others' rounded may be so by chance."""

LATE_AFTER = timedelta(hours=24)
"""An event that was received later than this after it happened is late."""


def roundings(quantity: Decimal, step: Decimal) -> set[Decimal]:
    """Return what a quantity may be rounded to: halves away from zero or to even, as systems do."""
    return {quantity.quantize(step, how) for how in (ROUND_HALF_UP, ROUND_HALF_EVEN)}


def by_event(events: Sequence[Event]) -> dict[Cause, list[Event]]:
    """Return the differing events by cause: late, copy, rounding, and what is plainly missing, extra or altered."""
    found: dict[Cause, list[Event]] = {}
    altered = [event for event in events if event.what == "altered"]
    rounded = len(altered) >= ROUNDED_EVENTS and any(
        all(event.theirs in roundings(event.ours, step) for event in altered) for step in ROUNDED_TO
    )
    for event in events:
        cause = Cause(event.what)
        if cause is Cause.ALTERED and rounded:
            cause = Cause.ROUNDING
        elif cause is Cause.MISSING and event.received_at and event.received_at - event.at > LATE_AFTER:
            cause = Cause.LATE
        elif cause is Cause.EXTRA and event.copied:
            cause = Cause.COPY
        found.setdefault(cause, []).append(event)
    return found


def _sums(hourly: Series, buckets: Sequence[Bounds], shift: timedelta) -> Series:
    """Return our hourly series summed over each bucket moved by `shift`, one walk over both."""
    hours = sorted(hourly.items())
    sums: Series = {}
    index = 0
    for start, end in buckets:
        low, high = start + shift, end + shift
        while index and hours[index - 1][0] >= low:
            index -= 1
        while index < len(hours) and hours[index][0] < low:
            index += 1
        whole = ZERO
        while index < len(hours) and hours[index][0] < high:
            whole += hours[index][1]
            index += 1
        sums[start] = whole
    return sums
