"""Reconcile: a customer's month from all sources to one set of usage lines, with every difference named."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from billing.reconciliation import findings
from billing.reconciliation.cells import Cells, Slice
from billing.reconciliation.speaking import Span, spans_of
from models.period import Period
from models.reconciliation import Answer, Finding, Resolution, Severity, SourceTotal
from models.refusal import Refusal
from models.usage import UsageLine
from models.usage_policy import UsagePolicy
from models.value import instant_text

ZERO = Decimal(0)


class NegativeMeter(Refusal):
    """A meter's authoritative total over the month is below zero."""

    remedy = "Correct or exclude the correction events, with a reason."


class ResolutionIncomplete(Refusal):
    """An answer to a finding lacks what it needs: a source to accept, or a quantity to correct to."""

    remedy = "Answer the finding again and name it."


@dataclass(frozen=True)
class Reconciled:
    """What stage two found: totals by source, findings, who spoke for each meter, and the usage lines."""

    totals: tuple[SourceTotal, ...]
    findings: tuple[Finding, ...]
    authority: dict[str, str]
    usage: tuple[UsageLine, ...]

    @property
    def holding(self) -> tuple[Finding, ...]:
        """The findings that hold the customer until a person answers."""
        return tuple(finding for finding in self.findings if finding.severity is Severity.HOLDS)


def reconcile(
    customer: str,
    month: str,
    period: Period,
    slices: Sequence[Slice],
    policy: UsagePolicy,
    resolutions: Sequence[Resolution] = (),
    cuts: tuple[datetime, ...] = (),
) -> Reconciled:
    """Return a customer's month reconciled.

    Each meter's quantity is its authority's, bucket by bucket; an answered finding replaces its own span. A
    finding that was answered no longer holds. While held, the authority's quantity stands, marked so by the
    finding.

    Raises:
        NoAuthority, NegativeMeter, ResolutionIncomplete: a person decides.
    """
    answered = {resolution.finding: resolution for resolution in resolutions}
    with Cells(slices, period, cuts) as cells:
        found = tuple(
            finding.model_copy(update={"severity": Severity.RECORDED}) if finding.id in answered else finding
            for finding in findings.find(cells, policy, customer, month)
        )
        totals = tuple(
            SourceTotal(source=source, meter=meter, quantity=quantity, events=count)
            for source in sorted(cells.slices)
            for meter, quantity, count in cells.totals(source)
        )
        meters = sorted({meter for source in cells.slices for meter in cells.meters(source)})
        speaking = {meter: spans_of(policy, customer, meter, period, cells.slices) for meter in meters}
        usage: list[UsageLine] = []
        for meter, spans in speaking.items():
            about = [one for one in found if one.meter == meter]
            for span in spans:
                usage += _lines(cells, meter, span, about, answered)
    _refuse_negative(usage)
    return Reconciled(
        totals=totals,
        findings=found,
        authority={meter: _told(spans) for meter, spans in speaking.items()},
        usage=tuple(sorted(usage, key=lambda line: (line.meter, sorted(line.dimensions.items()), line.starts_at))),
    )


def _told(spans: Sequence[Span]) -> str:
    """Return who speaks in words: clickhouse, or clickhouse, then posthog from an instant on."""
    first, *more = spans
    return ", ".join([first.source, *(f"then {span.source} from {instant_text(span.starts_at)}" for span in more)])


def _lines(
    cells: Cells, meter: str, span: Span, about: Sequence[Finding], answered: dict[str, Resolution]
) -> list[UsageLine]:
    """Return a meter's usage lines over a span: whoever speaks, each answered finding's part as the answer says."""
    parts: list[tuple[datetime, datetime, Finding, Resolution]] = []
    for finding in about:
        resolution = answered.get(finding.id)
        if resolution and not _stands(finding, resolution, span.source):
            starts_at, ends_at = max(finding.starts_at, span.starts_at), min(finding.ends_at, span.ends_at)
            parts.append((starts_at, ends_at, finding, resolution))
    parts.sort(key=lambda part: (part[0], part[1], part[2].id))
    lines: list[UsageLine] = []
    at = span.starts_at
    for starts_at, ends_at, finding, resolution in parts:
        begin = max(at, starts_at)
        if begin >= ends_at:
            continue
        lines += _read(cells, span.source, meter, at, begin)
        lines += _answered(cells, span.source, meter, begin, ends_at, finding, resolution)
        at = ends_at
    lines += _read(cells, span.source, meter, at, span.ends_at)
    return lines


def _stands(finding: Finding, resolution: Resolution, source: str) -> bool:
    """Return whether an answer leaves the authority's quantity as it is."""
    return resolution.answer is Answer.DEFER or (
        resolution.answer is Answer.ACCEPT and (resolution.source or finding.against) == source
    )


def _answered(
    cells: Cells,
    source: str,
    meter: str,
    starts_at: datetime,
    ends_at: datetime,
    finding: Finding,
    resolution: Resolution,
) -> list[UsageLine]:
    match resolution.answer:
        case Answer.ACCEPT:
            accepted = resolution.source or finding.against
            if accepted not in cells.slices:
                raise ResolutionIncomplete(f"{accepted} is no source of this close", finding=finding.id)
            return _read(cells, accepted, meter, starts_at, ends_at)
        case Answer.EXCLUDE:
            return []
        case Answer.CORRECT:
            if resolution.quantity is None:
                raise ResolutionIncomplete("a correction needs its quantity", finding=finding.id)
            lines = _read(cells, source, meter, starts_at, ends_at)
            counted = sum((line.quantity for line in lines), ZERO)
            dimensions = lines[0].dimensions if lines else finding.dimensions
            bucket = lines[0] if lines else None
            return [
                *lines,
                UsageLine(
                    meter=meter,
                    dimensions=dimensions,
                    starts_at=bucket.starts_at if bucket else starts_at,
                    ends_at=bucket.ends_at if bucket else ends_at,
                    quantity=resolution.quantity - counted,
                    events=0,
                    source=f"correction:{resolution.person}",
                ),
            ]
        case Answer.DEFER:
            return _read(cells, source, meter, starts_at, ends_at)


def _read(cells: Cells, source: str, meter: str, starts_at: datetime, ends_at: datetime) -> list[UsageLine]:
    lines = []
    for dims, begin, end, quantity, events in cells.lines(source, meter, starts_at, ends_at):
        lines.append(
            UsageLine(
                meter=meter,
                dimensions=json.loads(dims),
                starts_at=begin,
                ends_at=end,
                quantity=quantity,
                events=events,
                source=source,
            )
        )
    return lines


def _refuse_negative(usage: Sequence[UsageLine]) -> None:
    totals: dict[str, Decimal] = {}
    for line in usage:
        totals[line.meter] = totals.get(line.meter, ZERO) + line.quantity
    for meter, quantity in sorted(totals.items()):
        if quantity < 0:
            raise NegativeMeter("a metered total is below zero", meter=meter, quantity=quantity)
