"""Fees and what is billed ahead: what is due for each window, less what earlier statements billed of it.

The close of month M bills arrears of M, and in advance what begins in M + 1. What begins with the contract's first
period, or with an amendment inside the period, has no statement before it and is billed at once.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from billing.rating.commitments import promised, promised_by
from billing.rating.history import History
from billing.rating.proration import prorated, share_of_days
from billing.rating.timeline import Standing, Timeline
from billing.rating.windows import Window, windows_of
from models.contract import Commitment, Contract, Fee
from models.money import ZERO, rounded, split, total
from models.period import local_day
from models.statement import LineKind, Step


@dataclass(frozen=True, slots=True)
class Due:
    """What is billed of a fee or a prepaid commitment for one window: exact amount and its arithmetic."""

    id: str
    contract: Contract
    window: Window
    amount: Decimal
    steps: tuple[Step, ...]
    fee: Fee | None = None
    part: str = ""  # which installment


def fees_due(standings: Sequence[Standing[Fee]], timeline: Timeline, history: History) -> Iterator[Due]:
    """Yield every fee that this period's close bills, by clause, then by window."""
    for standing in standings:
        fee = standing.latest
        for window in windows_of(fee.every, fee.align, standing.life):
            if fee.timing == "arrears":
                if not timeline.span.starts_at < window.span.ends_at <= timeline.span.ends_at:
                    continue
            elif not _is_billed_now(standing, window, timeline, history, LineKind.FEE):
                continue
            amount, steps = _fee_amount(standing, window)
            before = history.billed(LineKind.FEE, standing.id, window.starts_on, window.ends_on)
            if _taken_over(standing, window, timeline, history) and fee.timing == "advance":
                before = rounded(_first_amount(standing, window), timeline.contract.currency)
            if before:
                steps.append(Step(text="billed before", amount=-before))
            due = amount - before
            if before and rounded(due, timeline.contract.currency) == 0:
                continue
            contract = standing.version_at(max(window.span.starts_at, standing.starts_at))
            said = standing.at(window.span.starts_at)
            if due or (amount == 0 and not before):
                yield Due(standing.id, contract, window, due, tuple(steps), said)


def commitments_due(standings: Sequence[Standing[Commitment]], timeline: Timeline, history: History) -> Iterator[Due]:
    """Yield every prepaid commitment, or installment of one, that this period's close bills."""
    for standing in standings:
        clause = standing.latest
        if not clause.prepaid:
            continue
        for window in windows_of(clause.every, clause.align, standing.life):
            for part, part_window, amount in _installments(standing, window, timeline):
                if not _is_billed_now(standing, part_window, timeline, history, LineKind.COMMITMENT):
                    continue
                before = history.billed(LineKind.COMMITMENT, standing.id, part_window.starts_on, part_window.ends_on)
                if _taken_over(standing, part_window, timeline, history):
                    before = _first_part(standing, window, part_window, timeline)
                due = amount - before
                steps = [Step(text=f"promised from {part_window.starts_on} to {part_window.ends_on}", amount=amount)]
                if before:
                    steps.append(Step(text="billed before", amount=-before))
                if due:
                    contract = standing.version_at(part_window.span.starts_at)
                    yield Due(standing.id, contract, part_window, due, tuple(steps), part=part)


def _is_billed_now(
    standing: Standing[Fee] | Standing[Commitment], window: Window, timeline: Timeline, history: History, kind: LineKind
) -> bool:
    """Return whether a window is billed ahead by this close: the next period's, or one nobody billed in time."""
    span, starts_at = timeline.span, window.span.starts_at
    if span.ends_at <= starts_at < timeline.following.ends_at:
        return True
    if window.span.ends_at <= span.starts_at or starts_at >= span.ends_at:
        return False
    begins_unbilled = starts_at >= span.starts_at and (timeline.first or starts_at > span.starts_at)
    # A clause that an amendment brought on the period's first day: the close before may not have known it.
    begins_unbilled |= (
        starts_at == span.starts_at
        and history.begun
        and not history.billed(kind, standing.id, window.starts_on, window.ends_on)
    )
    amended = any(span.starts_at <= at < span.ends_at for at, _, _ in standing.said[1:])
    return begins_unbilled or amended


def _taken_over(
    standing: Standing[Fee] | Standing[Commitment], window: Window, timeline: Timeline, history: History
) -> bool:
    """Return whether a window that runs already was billed before any statement of ours: by whoever billed then."""
    begun = window.span.starts_at < timeline.span.starts_at or (
        window.span.starts_at == timeline.span.starts_at and standing.starts_at < timeline.span.starts_at
    )
    return not history.begun and not timeline.first and begun


def _first_part(standing: Standing[Commitment], window: Window, part: Window, timeline: Timeline) -> Decimal:
    """Return what whoever billed before us took for a window or a part of it: by the terms in force at its start."""
    parts = _parts(standing, window)
    if not parts:
        return rounded(promised(standing.at(part.span.starts_at), window), timeline.contract.currency)
    return _spread(standing, window, parts, part.span.starts_at, timeline)[parts.index(part)]


def _first_amount(standing: Standing[Fee], window: Window) -> Decimal:
    first = standing.at(window.span.starts_at)
    return prorated(first.amount, first.prorate, window, window.starts_on, window.ends_on)


def _fee_amount(standing: Standing[Fee], window: Window) -> tuple[Decimal, list[Step]]:
    """Return a window's exact amount under every version that speaks inside it."""
    first = standing.at(window.span.starts_at)
    if first.prorate == "none":
        return first.amount, [Step(text=f"for the window: 1 x {first.amount:f}", amount=first.amount)]
    amount, steps = ZERO, []
    for starts_on, ends_on, fee in _spans(standing, window):
        part = prorated(fee.amount, first.prorate, window, starts_on, ends_on)
        days, of = share_of_days(first.prorate, window, starts_on, ends_on)
        text = f"days from {starts_on}: {days} x {fee.amount:f} / {of}"
        if days == of:
            text = f"for the window: 1 x {fee.amount:f}"
        steps.append(Step(text=text, amount=part))
        amount += part
    return amount, steps


def _spans(standing: Standing[Fee], window: Window) -> list[tuple[date, date, Fee]]:
    zone = standing.life.zone
    cuts = [(at, fee) for at, _, fee in standing.said if window.span.starts_at < at < window.span.ends_at]
    starts: list[tuple[date, Fee]] = [(window.starts_on, standing.at(window.span.starts_at))]
    starts += [(local_day(at, zone), fee) for at, fee in cuts]
    ends = [day for day, _ in starts[1:]] + [window.ends_on]
    return [(day, end, fee) for (day, fee), end in zip(starts, ends, strict=True)]


def _installments(
    standing: Standing[Commitment], window: Window, timeline: Timeline
) -> list[tuple[str, Window, Decimal]]:
    """Return a window's installments, each at what it comes to as far as amendments are known at the period's end."""
    parts = _parts(standing, window)
    if not parts:
        return [("", window, rounded(promised_by(standing, window, timeline), timeline.contract.currency))]
    found = []
    for index, part in enumerate(parts):
        known = max(timeline.last_instant, part.span.starts_at)
        found.append((str(index + 1), part, _spread(standing, window, parts, known, timeline)[index]))
    return found


def _parts(standing: Standing[Commitment], window: Window) -> list[Window]:
    clause = standing.at(window.span.starts_at)
    if clause.installments is None:
        return []
    parts = windows_of(clause.installments, clause.align, standing.life)
    return [part for part in parts if window.span.starts_at <= part.span.starts_at < window.span.ends_at]


def _spread(
    standing: Standing[Commitment], window: Window, parts: Sequence[Window], known: datetime, timeline: Timeline
) -> list[Decimal]:
    """Return the installments' amounts as far as amendments until an instant change them.

    What an amendment adds is spread over the installments that begin with it or later, else over the last.
    """
    currency = timeline.contract.currency
    promise = rounded(promised(standing.at(window.span.starts_at), window), currency)
    amounts = list(split(promise, [Decimal(1)] * len(parts), currency))
    for at, _, said in standing.said:
        if window.span.starts_at < at < window.span.ends_at and at <= known:
            first = next((place for place, part in enumerate(parts) if part.span.starts_at >= at), len(parts) - 1)
            rest = rounded(promised(said, window), currency) - total(amounts[:first])
            amounts[first:] = split(rest, [Decimal(1)] * (len(parts) - first), currency)
    return amounts
