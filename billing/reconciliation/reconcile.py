"""Reconcile: a customer's month from all sources to one set of usage lines, with every difference named."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

import pyarrow as pa
import pyarrow.compute as pc

from billing import usage_table
from billing.reconciliation import findings
from billing.reconciliation.cells import Cells, Slice
from billing.reconciliation.speaking import Span, spans_of
from billing.usage_table import LINES
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
    """What stage two found: totals by source, findings, who spoke for each meter, and the usage lines.

    `instead` gives the usage as it would be with the other source in a finding's span; None where there is no other.
    """

    totals: tuple[SourceTotal, ...]
    findings: tuple[Finding, ...]
    authority: dict[str, str]
    usage: pa.Table  # billing/usage_table.py, in meter, dimension and time order
    instead: Callable[[Finding], pa.Table | None] = field(repr=False, compare=False)

    @property
    def lines(self) -> tuple[UsageLine, ...]:
        """The usage as values."""
        return usage_table.to_lines(self.usage)

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
    cells = Cells(slices, period, cuts)
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

    def of_meter(meter: str, answers: dict[str, Resolution]) -> list[pa.Table]:
        about = [one for one in found if one.meter == meter]
        return [part for span in speaking[meter] for part in _usage(cells, meter, span, about, answers)]

    usage = _in_order([part for meter in speaking for part in of_meter(meter, answered)])
    _refuse_negative(usage)

    def instead(finding: Finding) -> pa.Table | None:
        other = _other(finding, speaking.get(finding.meter, ()))
        if other is None:
            return None
        answers = answered | {finding.id: _taken_instead(finding, other)}
        rest = usage.filter(pc.not_equal(usage["meter"], finding.meter))
        return _in_order([rest, *of_meter(finding.meter, answers)])

    return Reconciled(
        totals=totals,
        findings=found,
        authority={meter: _told(spans) for meter, spans in speaking.items()},
        usage=usage,
        instead=instead,
    )


def _in_order(parts: Sequence[pa.Table]) -> pa.Table:
    return pa.concat_tables([LINES.empty_table(), *parts]).sort_by(
        [("meter", "ascending"), ("dims", "ascending"), ("starts_at", "ascending"), ("source", "ascending")]
    )


def _other(finding: Finding, spans: Sequence[Span]) -> str | None:
    """Return the side of a finding that does not speak where it begins, or None where both sides are one source."""
    if finding.source == finding.against:
        return None
    speaks = next((span.source for span in spans if span.holds(finding.starts_at)), None)
    return finding.against if speaks == finding.source else finding.source


def _taken_instead(finding: Finding, source: str) -> Resolution:
    return Resolution(
        finding=finding.id, answer=Answer.ACCEPT, source=source, reason="as if", person="nobody", decision=""
    )


def _told(spans: Sequence[Span]) -> str:
    """Return who speaks in words: clickhouse, or clickhouse, then posthog from an instant on."""
    first, *more = spans
    return ", ".join([first.source, *(f"then {span.source} from {instant_text(span.starts_at)}" for span in more)])


def _usage(
    cells: Cells, meter: str, span: Span, about: Sequence[Finding], answered: dict[str, Resolution]
) -> list[pa.Table]:
    """Return a meter's usage over a span: whoever speaks, each answered finding's part as the answer says."""
    parts: list[tuple[datetime, datetime, Finding, Resolution]] = []
    for finding in about:
        resolution = answered.get(finding.id)
        if resolution and not _stands(finding, resolution, span.source):
            starts_at, ends_at = max(finding.starts_at, span.starts_at), min(finding.ends_at, span.ends_at)
            parts.append((starts_at, ends_at, finding, resolution))
    parts.sort(key=lambda part: (part[0], part[1], part[2].id))
    found: list[pa.Table] = []
    at = span.starts_at
    for starts_at, ends_at, finding, resolution in parts:
        begin = max(at, starts_at)
        if begin >= ends_at:
            continue
        found.append(cells.usage(span.source, meter, at, begin))
        found += _answered(cells, span.source, meter, begin, ends_at, finding, resolution)
        at = ends_at
    found.append(cells.usage(span.source, meter, at, span.ends_at))
    return found


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
) -> list[pa.Table]:
    match resolution.answer:
        case Answer.ACCEPT:
            accepted = resolution.source or finding.against
            if accepted not in cells.slices:
                raise ResolutionIncomplete(f"{accepted} is no source of this close", finding=finding.id)
            return [cells.usage(accepted, meter, starts_at, ends_at)]
        case Answer.EXCLUDE:
            return []
        case Answer.CORRECT:
            if resolution.quantity is None:
                raise ResolutionIncomplete("a correction needs its quantity", finding=finding.id)
            counted = cells.usage(source, meter, starts_at, ends_at)
            return [counted, _correction(counted, meter, starts_at, ends_at, finding, resolution)]
        case Answer.DEFER:
            return [cells.usage(source, meter, starts_at, ends_at)]


def _correction(
    counted: pa.Table, meter: str, starts_at: datetime, ends_at: datetime, finding: Finding, resolution: Resolution
) -> pa.Table:
    """Return the line that makes what was counted the quantity a person gave, in the first bucket of the span."""
    lines = usage_table.to_lines(counted.slice(0, 1))
    assert resolution.quantity is not None, "a correction without a quantity was refused"
    return usage_table.from_lines(
        [
            UsageLine(
                meter=meter,
                dimensions=lines[0].dimensions if lines else finding.dimensions,
                starts_at=lines[0].starts_at if lines else starts_at,
                ends_at=lines[0].ends_at if lines else ends_at,
                quantity=resolution.quantity - (pc.sum(counted["quantity"]).as_py() or ZERO),
                events=0,
                source=f"correction:{resolution.person}",
            )
        ]
    )


def _refuse_negative(usage: pa.Table) -> None:
    totals = usage.group_by("meter").aggregate([("quantity", "sum")])
    for meter, quantity in sorted(zip(totals["meter"].to_pylist(), totals["quantity_sum"].to_pylist(), strict=True)):
        if quantity < 0:
            raise NegativeMeter("a metered total is below zero", meter=meter, quantity=quantity)
