"""Faults: what the demo's sources get wrong in October, planted by name so that finding them can be counted."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from devstack.book.calls import Usage
from models.reconciliation import Cause


@dataclass(frozen=True)
class Reported:
    """A metered fact as one source reports it: under which account, and how often it was delivered."""

    usage: Usage
    account: str
    deliveries: int = 1


@dataclass(frozen=True)
class Planted:
    """A planted fault: what should be found, at which source, for whom."""

    customer: str
    source: str
    cause: Cause
    what: str


def _at(day: int, hour: int) -> datetime:
    return datetime(2026, 10, day, hour, tzinfo=UTC)


PLANTED: tuple[Planted, ...] = (
    Planted("acme", "clickhouse", Cause.DUPLICATE, "25 calls inserted again"),
    Planted("delta", "posthog", Cause.DUPLICATE, "the run of 7 October delivered twice"),
    Planted("bolt", "posthog", Cause.DROPPED_BATCH, "12 October, 14:00 to 19:00 UTC never exported"),
    Planted("delta", "clickhouse", Cause.DROPPED_BATCH, "21 October, 15:00 to 18:00 UTC never inserted"),
    Planted("gale", "sheet", Cause.UNIT, "minutes kept in seconds"),
    Planted("halo", "posthog", Cause.UNIT, "transcriber minutes in seconds since the release of 10 October"),
    Planted("fjord", "posthog", Cause.ZONE_SHIFT, "Berlin's local time written as UTC"),
    Planted("iris", "sheet", Cause.ZONE_SHIFT, "days counted in UTC, the sheet says Los Angeles"),
    Planted("kite", "posthog", Cause.ALIAS, "15 to 18 October under the account KITE-EU"),
)

SINCE_RELEASE = _at(10, 0)
RUN_TWICE = (_at(7, 0), _at(8, 0))
BOLT_HOLE = (_at(12, 14), _at(12, 19))
DELTA_HOLE = (_at(21, 15), _at(21, 18))
KITE_EU = (_at(15, 0), _at(18, 0))
BERLIN = timedelta(hours=2)


def as_clickhouse(usage: Iterable[Usage]) -> Iterator[Reported]:
    """Yield what the ClickHouse table holds."""
    again = 0
    for one in usage:
        if one.customer == "delta" and DELTA_HOLE[0] <= one.at < DELTA_HOLE[1]:
            continue
        twice = one.customer == "acme" and one.meter == "call.minutes" and again < 25 and one.at >= _at(9, 0)
        again += twice
        alias = one.customer == "acme" and one.at >= _at(20, 0)
        yield Reported(one, "ACME-EU" if alias else one.customer, 2 if twice else 1)


def as_posthog(usage: Iterable[Usage]) -> Iterator[Reported]:
    """Yield what the PostHog export holds."""
    for one in usage:
        if one.meter == "sms.segments":
            continue
        if one.customer == "bolt" and BOLT_HOLE[0] <= one.at < BOLT_HOLE[1]:
            continue
        if one.customer == "halo" and one.meter == "stt.minutes" and one.at >= SINCE_RELEASE:
            yield Reported(replace(one, quantity=one.quantity * 60), one.customer)
        elif one.customer == "fjord":
            yield Reported(replace(one, at=one.at + BERLIN), one.customer)
        elif one.customer == "kite" and KITE_EU[0] <= one.at < KITE_EU[1]:
            yield Reported(one, "KITE-EU")
        elif one.customer == "delta" and RUN_TWICE[0] <= one.at < RUN_TWICE[1]:
            yield Reported(one, one.customer, 2)
        else:
            yield Reported(one, one.customer)


def sheet_zone(customer: str, declared: str) -> str:
    """Return the zone in which a customer's sheet really counts its days."""
    return "UTC" if customer == "iris" else declared


def sheet_quantity(customer: str, meter: str, quantity: Decimal) -> Decimal:
    """Return what the sheet says for a day's quantity."""
    return quantity * 60 if customer == "gale" and meter == "call.minutes" else quantity
