"""Backlog: of all usage that is known now, what earlier statements have not billed.

A statement carries the digest of the usage it billed. What was known at its cut-off is the usage received by then; so
the cut-off is found as the one that gives its digest, and what was received after it is late.
"""

from collections.abc import Sequence
from datetime import datetime

from billing.rating.statement import usage_digest_of
from models.contract import Contract
from models.rate_card import RateVersion
from models.refusal import Refusal
from models.statement import Statement
from models.usage import UsageEvent, UsageLine


class LateUnknown(Refusal):
    """The usage of an earlier period is not what its statement billed, and nothing says what came later."""

    remedy = "Give `received_at` for every event, or the usage as it was when the statement was made."


class Conflicting(Refusal):
    """Two events of one id and meter say different things, and no order tells which came first."""

    remedy = "Give `received_at`, or leave the wrong one out."


def deduped(events: Sequence[UsageEvent]) -> tuple[tuple[UsageEvent, ...], tuple[UsageEvent, ...]]:
    """Return each event once, and the copies that say something else than the one that is used.

    The identity is (id, meter): one call bears several meters under one id. Of differing copies the first received
    is used; equal copies are one event.

    Raises:
        Conflicting: copies differ and one of them does not say when it was received.
    """
    kept: dict[tuple[str, str], UsageEvent] = {}
    rivals: list[UsageEvent] = []
    for event in events:
        key = event.id, event.meter
        held = kept.setdefault(key, event)
        if held is event or _payload(held) == _payload(event):
            continue
        if held.received_at is None or event.received_at is None or held.received_at == event.received_at:
            raise Conflicting("copies of one event differ", id=event.id, meter=event.meter)
        if event.received_at < held.received_at:
            kept[key], event = event, held
        rivals.append(event)
    return tuple(kept.values()), tuple(rivals)


def unbilled(
    contracts: Sequence[Contract],
    events: Sequence[UsageEvent],
    rates: Sequence[RateVersion],
    until: datetime,
    prior: Sequence[Statement],
    ends: Sequence[datetime],
) -> tuple[UsageLine, ...]:
    """Return the usage before `until` that no earlier statement billed, event by event.

    `prior` are the earlier statements, oldest first, and `ends` where each one's period ended.

    Raises:
        LateUnknown: a statement's digest is that of no cut-off.
    """
    waiting = sorted(events, key=lambda event: (event.timestamp, event.meter, event.id))
    for statement, end in zip(prior, ends, strict=True):
        billed = _billed(contracts, waiting, rates, statement, end)
        waiting = [event for event in waiting if id(event) not in billed]
    return tuple(line_of(event) for event in waiting if event.timestamp < until)


def line_of(event: UsageEvent) -> UsageLine:
    """Return an event as a usage line of no length: it straddles nothing."""
    return UsageLine(
        meter=event.meter,
        dimensions=event.dimensions,
        starts_at=event.timestamp,
        ends_at=event.timestamp,
        quantity=event.quantity,
        events=1,
        source="file",
    )


def _billed(
    contracts: Sequence[Contract],
    events: Sequence[UsageEvent],
    rates: Sequence[RateVersion],
    statement: Statement,
    end: datetime,
) -> set[int]:
    candidates = [event for event in events if event.timestamp < end]
    received = {event.received_at for event in candidates if event.received_at is not None and event.received_at > end}
    for cut in [None, *sorted(received, reverse=True)]:
        known = [event for event in candidates if cut is None or _known_before(event, cut)]
        digest = usage_digest_of(contracts, [line_of(event) for event in known], rates, statement.period)
        if digest == statement.usage_digest:
            return {id(event) for event in known}
    raise LateUnknown("the usage is not what was billed", contract=statement.contract, period=statement.period)


def _known_before(event: UsageEvent, cut: datetime) -> bool:
    return event.received_at is None or event.received_at < cut


def _payload(event: UsageEvent) -> tuple[object, ...]:
    return event.customer, event.quantity, event.timestamp, tuple(sorted(event.dimensions.items()))
