"""Findings: two sources compared meter by meter, each difference beyond tolerance named and laid at a side."""

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa

from billing.reconciliation import causes
from billing.reconciliation.causes import Named
from billing.reconciliation.cells import HOURS, Cell, Cells, Event, Series
from billing.reconciliation.speaking import spans_of
from models.authority import Authority
from models.reconciliation import Cause, Finding, Severity
from models.usage_policy import UsagePolicy
from models.value import decimal_text, fingerprint_of

ZERO = Decimal(0)

EVENTS_SHOWN = 3
"""Events that a finding's evidence names one by one."""

SUGGESTIONS = {
    Cause.DROPPED_BATCH: "accept {good}: {bad} lost a batch",
    Cause.TRUNCATED: "accept {good}: {bad} ends too early",
    Cause.UNIT: "accept {good}: {bad} reports another unit; correct its mapping",
    Cause.ZONE_SHIFT: "accept {good}: {bad} is in another time zone; correct its mapping",
    Cause.ALIAS: "accept {good}, and add the account to {bad}'s aliases",
    Cause.LATE: "accept {good}: the events reached it after a day and more, and {bad} not at all",
    Cause.COPY: "accept {good}: {bad} has the same event under two ids",
    Cause.ROUNDING: "accept {good}: {bad} rounds; raise the tolerance if it always does",
    Cause.DIMENSION_MAPPING: "accept {good}, and correct {bad}'s mapping of dimensions",
    Cause.DUPLICATE: "nothing to do: the copies were removed",
    Cause.RETRY_OVER_BOUNDARY: "nothing to do: they were billed in their own month, and were removed here",
    Cause.ALTERED: "look at the named events; one source changed them",
}


def find(cells: Cells, policy: UsagePolicy, customer: str, month: str) -> tuple[Finding, ...]:
    """Return every finding of a customer's month, holding ones first, then by source, meter and time."""
    found: list[Finding] = []
    meters = sorted({meter for source in cells.slices for meter in cells.meters(source)})
    for meter in meters:
        found += _of_meter(cells, policy, customer, month, meter)
    for source in sorted(cells.slices):
        found += _duplicates(cells, customer, month, source)
    return tuple(sorted(found, key=lambda f: (f.severity is not Severity.HOLDS, f.source, f.meter, f.starts_at, f.id)))


def _of_meter(cells: Cells, policy: UsagePolicy, customer: str, month: str, meter: str) -> list[Finding]:
    """Compare each source that carries a meter with whoever speaks for it, event-level sources first."""
    found: list[Finding] = []
    carrying = [name for name in sorted(cells.slices) if cells.slices[name].policy.carries_meter(meter)]
    for span in spans_of(policy, customer, meter, cells.period, cells.slices):
        others = [name for name in carrying if name != span.source]
        others.sort(key=lambda name: cells.slices[name].policy.grain != "event")
        for theirs in others:
            inside = [cell for cell in cells.differing(span.source, theirs) if span.holds(cell.starts_at)]
            differing = _beyond(inside, meter, span.rule)
            named = _name(cells, customer, month, meter, span.source, theirs, differing, others) if differing else []
            found += named
            unlike = [
                one
                for one in cells.unlike(span.source, theirs)
                if one.meter == meter
                and span.holds(one.starts_at)
                and not any(other.starts_at <= one.starts_at < other.ends_at for other in named)
            ]
            if unlike:
                found += _unlike(cells, customer, month, meter, span.source, theirs, unlike)
    return _once(found)


def _beyond(cells: Iterable[Cell], meter: str, rule: Authority) -> list[Cell]:
    """Return the cells whose difference is beyond max(absolute, ratio x authority); at the bound it passes."""
    tolerance = rule.tolerance
    return [
        cell
        for cell in cells
        if cell.meter == meter
        and abs(cell.ours - cell.theirs) > max(tolerance.absolute, tolerance.ratio * abs(cell.ours))
    ]


def _name(
    cells: Cells,
    customer: str,
    month: str,
    meter: str,
    ours: str,
    theirs: str,
    differing: Sequence[Cell],
    others: Sequence[str],
) -> list[Finding]:
    """Return the findings for one pair: each recognised cause, then what is left as missing, extra or altered."""
    buckets = cells.buckets_of(ours, theirs)
    bounds = cells.starts(buckets)
    a, b = cells.series(ours, meter, buckets), cells.series(theirs, meter, buckets)
    left = {cell.starts_at for cell in differing}
    named: list[Named] = []
    mapped = causes.mapping(differing) if buckets == HOURS else None
    if mapped:
        named.append(mapped)
        left.clear()
    if buckets == HOURS and left:
        for unknown, quantities in _aliases(cells, meter, ours, theirs):
            named.append(unknown)
            thin = b if unknown.at_theirs else a
            thin.update({start: thin.get(start, ZERO) + quantity for start, quantity in quantities.items()})
            left = {start for start in left if a.get(start, ZERO) != b.get(start, ZERO)}
    hourly = a if buckets == HOURS else cells.series(ours, meter, HOURS)
    shifted = causes.lag(hourly, b, bounds, 1 if buckets == HOURS else 24) if left else None
    if shifted:
        shift, a = shifted
        named.append(shift)
        left = {start for start in a if a[start] and not b.get(start, ZERO)}
    unit = causes.factor(a, b, bounds) if left and not shifted else None
    if unit:
        named.append(unit)
        left -= unit.explains
    if left:
        for hole in causes.holes(a, b, bounds):
            inside = {start for start in left if hole.starts_at <= start < hole.ends_at}
            if inside:
                named.append(hole)
                left -= inside
    if shifted:
        left.clear()
    findings = [_finding(cells, customer, month, meter, ours, theirs, one, others) for one in named]
    rest = [cell for cell in differing if cell.starts_at in left]
    if rest:
        plain = _by_event(cells, meter, ours, theirs, rest) if buckets == HOURS else []
        findings += [
            _finding(cells, customer, month, meter, ours, theirs, one, others) for one in plain or [_in_all(rest)]
        ]
    return findings


def _aliases(cells: Cells, meter: str, ours: str, theirs: str) -> list[tuple[Named, Series]]:
    """Return what stands under accounts that nobody knows, and how much of each bucket that is."""
    found = []
    for at_theirs, (one, other) in ((True, (ours, theirs)), (False, (theirs, ours))):
        rows = cells.under_unknown_account(meter, one, other)
        if not rows:
            continue
        accounts = sorted({account for account, _, _ in rows})
        starts = [start for start, _ in cells.starts(HOURS)]
        ends = dict(cells.starts(HOURS))
        quantities: Series = {}
        for _, at, quantity in rows:
            start = starts[bisect_right(starts, at) - 1]
            quantities[start] = quantities.get(start, ZERO) + quantity
        evidence = (
            f"{len(rows)} events ({decimal_text(sum(quantities.values(), ZERO))})"
            f" stand under the unknown account {', '.join(accounts)}"
        )
        alias = Named(Cause.ALIAS, min(quantities), ends[max(quantities)], at_theirs, evidence, frozenset(quantities))
        found.append((alias, quantities))
    return found


def _by_event(cells: Cells, meter: str, ours: str, theirs: str, rest: Sequence[Cell]) -> list[Named]:
    """Return the differences without a pattern by event: one for each cause, with the events named."""
    spans = _spans(rest)
    starts = [start for start, _ in spans]
    found = []
    for cause, events in causes.by_event(cells.events(meter, ours, theirs, spans)).items():
        held = [spans[bisect_right(starts, event.at) - 1] for event in events]
        off = sum((event.theirs - event.ours for event in events), ZERO)
        evidence = f"{len(set(held))} cells differ by {decimal_text(off)}; {_told(events)}"
        found.append(Named(cause, min(held)[0], max(held)[1], True, evidence))
    return found


def _in_all(rest: Sequence[Cell]) -> Named:
    """Return the difference of cells that no events stand behind."""
    difference = sum((cell.theirs - cell.ours for cell in rest), ZERO)
    cause = Cause.MISSING if difference < 0 else Cause.EXTRA
    evidence = f"{len(rest)} cells differ by {decimal_text(difference)} in all"
    if any(all(cell.theirs in causes.roundings(cell.ours, step) for cell in rest) for step in causes.ROUNDED_TO):
        cause, evidence = (
            Cause.ROUNDING,
            f"{len(rest)} cells are the other's rounded, {decimal_text(difference)} in all",
        )
    return Named(cause, min(cell.starts_at for cell in rest), max(cell.ends_at for cell in rest), True, evidence)


def _unlike(
    cells: Cells, customer: str, month: str, meter: str, ours: str, theirs: str, unlike: Sequence[Cell]
) -> list[Finding]:
    """Return the recorded finding of hours that add up the same from different events."""
    events = cells.events(meter, ours, theirs, _spans(unlike))
    if not events:
        return []
    span = (unlike[0].starts_at, unlike[-1].ends_at)
    evidence = f"{len(unlike)} hours have the same quantity from other events; {_told(events)}"
    suggestion = SUGGESTIONS[Cause.ALTERED]
    return [
        _make(customer, month, meter, Cause.ALTERED, Severity.RECORDED, theirs, ours, span, cells, evidence, suggestion)
    ]


def _spans(cells: Iterable[Cell]) -> list[tuple[datetime, datetime]]:
    return sorted({(cell.starts_at, cell.ends_at) for cell in cells})


def _told(events: Sequence[Event]) -> str:
    """Return the events in words: how many of each sort, and the first ones by id with both quantities."""
    kinds = Counter(event.what for event in events)
    counts = ", ".join(f"{kinds[what]} events {what}" for what in ("missing", "extra", "altered") if kinds[what])
    shown = ", ".join(
        f"{event.id} ({decimal_text(event.ours)} / {decimal_text(event.theirs)})" for event in events[:EVENTS_SHOWN]
    )
    return f"{counts}: {shown}{', …' if len(events) > EVENTS_SHOWN else ''}"


def _finding(
    cells: Cells, customer: str, month: str, meter: str, ours: str, theirs: str, named: Named, others: Sequence[str]
) -> Finding:
    bad, good = (theirs, ours) if named.at_theirs else (ours, theirs)
    witness = _witness(cells, meter, ours, theirs, named.starts_at, named.ends_at, others)
    if witness:
        bad, good = (ours, theirs) if witness[1] == theirs else (theirs, ours)
    evidence = named.evidence + (f"; {witness[0]} agrees with {witness[1]}" if witness else "")
    suggestion = SUGGESTIONS.get(named.cause, "accept {good}, or correct with evidence").format(good=good, bad=bad)
    return _make(
        customer,
        month,
        meter,
        named.cause,
        Severity.HOLDS,
        bad,
        good,
        (named.starts_at, named.ends_at),
        cells,
        evidence,
        suggestion,
    )


def _witness(
    cells: Cells, meter: str, ours: str, theirs: str, starts_at: datetime, ends_at: datetime, others: Sequence[str]
) -> tuple[str, str] | None:
    """Return a third source and the one of the two it agrees with over a span, or None.

    A daily witness is asked about the whole days that hold the span.
    """
    for third in others:
        if third in (ours, theirs):
            continue
        low, high = starts_at, ends_at
        if cells.slices[third].policy.grain == "day":
            days = [day for day in cells.starts(f"{third}_days") if day[0] < ends_at and day[1] > starts_at]
            if not days:
                continue
            low, high = days[0][0], days[-1][1]
        said = cells.quantity(third, meter, low, high)
        sides = {name: abs(cells.quantity(name, meter, low, high) - said) for name in (ours, theirs)}
        nearest = min(sides, key=lambda name: sides[name])
        farthest = theirs if nearest == ours else ours
        if sides[nearest] * 10 <= sides[farthest] and sides[nearest] * 100 <= abs(said):
            return third, nearest
    return None


def _once(found: list[Finding]) -> list[Finding]:
    """Drop what another finding of the same meter says already: a fault of the authority seen by a second source."""
    kept: list[Finding] = []
    for one in found:
        told = any(
            other.source == one.source
            and (other.cause is one.cause or one.cause in (Cause.MISSING, Cause.EXTRA))
            and other.starts_at < one.ends_at
            and one.starts_at < other.ends_at
            for other in kept
        )
        if not told:
            kept.append(one)
    return kept


def _duplicates(cells: Cells, customer: str, month: str, source: str) -> list[Finding]:
    """Return what sealing removed or could not decide, by meter: recorded; what came with another payload holds."""
    table = cells.slices[source].duplicates
    if table.num_rows == 0:
        return []
    found = []
    for meter, before, count, quantity, first, last, altered, example in _removed(cells, source, table):
        cause = Cause.RETRY_OVER_BOUNDARY if before else Cause.ALTERED if altered else Cause.DUPLICATE
        what = "that were billed in an earlier month came again" if before else "delivered again under the same id"
        found.append(
            Finding(
                id=finding_id(customer, month, source, meter, cause, first),
                customer=customer,
                period=month,
                cause=cause,
                severity=Severity.HOLDS if altered else Severity.RECORDED,
                source=source,
                against=source,
                meter=meter,
                starts_at=first,
                ends_at=last + timedelta(microseconds=1),
                quantity=Decimal(quantity),
                against_quantity=ZERO,
                evidence=f"{count} events {what}, e.g. {example}"
                + (f"; {altered} of them with another payload: the first received was used" if altered else ""),
                suggestion=SUGGESTIONS[cause],
            )
        )
    return found


def _removed(
    cells: Cells, source: str, table: pa.Table
) -> list[tuple[str, bool, int, Decimal, datetime, datetime, int, str]]:
    """Return meter, whether billed before, number, quantity, first, last, how many with another payload, and an id.

    Of what was billed in an earlier month nothing is kept here; of what came twice here, one is.
    """
    by_meter: dict[str, list[dict[str, Any]]] = {}
    for row in table.to_pylist():
        if row["starts_at"] in cells.period:
            by_meter.setdefault(row["meter"], []).append(row)
    found = []
    for meter, removed in sorted(by_meter.items()):
        kept = cells.kept(source, meter, {row["id"] for row in removed})
        for before in (False, True):
            rows = [row for row in removed if (row["id"] not in kept) is before]
            if rows:
                altered = sum((row["quantity"], row["starts_at"], row["dims"]) != kept.get(row["id"]) for row in rows)
                at = [row["starts_at"] for row in rows]
                quantity = sum((row["quantity"] for row in rows), ZERO)
                name = min(row["id"] for row in rows)
                found.append((meter, before, len(rows), quantity, min(at), max(at), 0 if before else altered, name))
    return found


def _make(
    customer: str,
    month: str,
    meter: str,
    cause: Cause,
    severity: Severity,
    bad: str,
    good: str,
    span: tuple[datetime, datetime],
    cells: Cells,
    evidence: str,
    suggestion: str,
) -> Finding:
    return Finding(
        id=finding_id(customer, month, bad, meter, cause, span[0]),
        customer=customer,
        period=month,
        cause=cause,
        severity=severity,
        source=bad,
        against=good,
        meter=meter,
        starts_at=span[0],
        ends_at=span[1],
        quantity=cells.quantity(bad, meter, *span),
        against_quantity=cells.quantity(good, meter, *span),
        evidence=evidence,
        suggestion=suggestion,
    )


def finding_id(customer: str, month: str, source: str, meter: str, cause: Cause, at: datetime) -> str:
    """Return a finding's business key: the same difference has the same id however often it is found."""
    digest = fingerprint_of(f"{customer}|{month}|{source}|{meter}|{cause.value}|{at.isoformat()}")[:8]
    return f"{customer}:{cause.value}:{source}:{meter}:{digest}"
