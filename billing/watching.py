"""Watching: up to when a month can be compared tonight, what is wrong with it, and what of that is new."""

from collections.abc import Collection, Iterable, Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal

from billing.cost_drift import Drift
from models.period import hour_of, midnight
from models.reconciliation import Cause, Exposure, Finding, Severity
from models.value import instant_text
from models.watch import Concern, ConcernKind, Watch

SILENT_AFTER = timedelta(hours=24)
"""A source that is not complete up to so long before the night's midnight is silent: it is told, and left out."""

GREW = 2
"""A concern is told again when it is more than so many times what it was when last seen."""

HOLES = frozenset({Cause.DROPPED_BATCH, Cause.TRUNCATED})
HOUR = timedelta(hours=1)


def reach(night: date, zone: str, complete: Mapping[str, datetime]) -> tuple[datetime, dict[str, datetime]]:
    """Return the whole hour up to which sources are compared on a night, and the silent ones with their watermarks.

    That is the night's midnight, or earlier where a source that is not silent is not yet complete up to it.
    """
    end = midnight(night, zone)
    silent = {name: at for name, at in complete.items() if at < end - SILENT_AFTER}
    return hour_of(min([end, *(at for name, at in complete.items() if name not in silent)])), silent


def silences(night: date, zone: str, silent: Mapping[str, datetime]) -> list[Concern]:
    """Return the concerns of silent sources: incomplete, each with how long nothing came."""
    end = midnight(night, zone)
    return [
        Concern(
            kind=ConcernKind.SILENT,
            subject=source,
            words=f"{source} is {Cause.INCOMPLETE.value}: complete up to {instant_text(at)} only; it was left out",
            size=Decimal((end - at) // HOUR),
        )
        for source, at in sorted(silent.items())
    ]


def differences(findings: Iterable[Finding], at_risk: Collection[Exposure]) -> list[Concern]:
    """Return the concerns of findings: those that hold, with the money at risk, and what changed since a seal."""
    money = {one.finding: one for one in at_risk}
    found = []
    for one in findings:
        if one.severity is not Severity.HOLDS and one.cause is not Cause.CHANGED_SINCE_SEAL:
            continue
        kind = ConcernKind.HOLE if one.cause in HOLES else ConcernKind.DIFFERENCE
        if one.cause is Cause.CHANGED_SINCE_SEAL:
            kind = ConcernKind.CHANGED
        exposure = money.get(one.id)
        found.append(
            Concern(
                kind=kind,
                subject=one.id,
                customer=one.customer,
                words=f"{one.cause.value} of {one.meter} at {one.source}: {one.evidence}; {one.suggestion}",
                size=abs(one.quantity - one.against_quantity),
                amount=exposure.amount if exposure else None,
                currency=exposure.currency if exposure else None,
            )
        )
    return found


def cost_drifts(drifts: Iterable[Drift]) -> list[Concern]:
    """Return the concerns of sources whose own cost left the catalog's, by model and first day."""
    return [
        Concern(
            kind=ConcernKind.COST_DRIFT,
            subject=f"{one.source}:{one.service}:{':'.join(one.dimensions.values())}:{one.first_day.isoformat()}",
            words=f"{one.source} says another cost of {', '.join(one.dimensions.values())} since {one.first_day}:"
            f" {one.cost:f} {one.currency}, the catalog {one.catalog:f}",
            size=abs(one.money),
            amount=one.money,
            currency=one.currency,
        )
        for one in drifts
    ]


def unknown_accounts(accounts: Mapping[str, Collection[str]]) -> list[Concern]:
    """Return the concerns of accounts that nobody knows, each with the sources that have usage of it."""
    return [
        Concern(
            kind=ConcernKind.UNKNOWN_ACCOUNT,
            subject=account,
            words=f"{', '.join(sorted(sources))} have usage of {account}, which is no customer and no alias",
            size=Decimal(len(sources)),
        )
        for account, sources in sorted(accounts.items())
    ]


def refusal(subject: str, words: str, customer: str | None = None) -> Concern:
    """Return the concern of a source or a customer that a rule refused."""
    return Concern(kind=ConcernKind.REFUSED, subject=subject, customer=customer, words=words, size=Decimal(1))


def alerts(tonight: Watch, before: Watch | None) -> tuple[Concern, ...]:
    """Return the concerns of a night that the watch before did not have, or that have grown since."""
    known = {(one.kind, one.subject): one.size for one in before.concerns} if before else {}
    return tuple(
        one
        for one in tonight.concerns
        if (one.kind, one.subject) not in known or one.size > GREW * known[one.kind, one.subject]
    )
