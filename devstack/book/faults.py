"""Faults: what the demo's sources get wrong in October, planted by name so that finding them can be counted."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from devstack.book.calls import Usage
from models.period import hour_of
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


PLANTED: tuple[Planted, ...] = (
    Planted("acme", "clickhouse", Cause.DUPLICATE, "25 calls inserted again"),
    Planted("delta", "posthog", Cause.DUPLICATE, "the run of 7 October delivered twice"),
    Planted("bolt", "posthog", Cause.DROPPED_BATCH, "five hours of 12 October never captured"),
    Planted("delta", "clickhouse", Cause.DROPPED_BATCH, "three hours of 21 October never inserted"),
    Planted("gale", "sheet", Cause.UNIT, "minutes kept in seconds"),
    Planted("halo", "posthog", Cause.UNIT, "transcriber minutes in seconds since the release of 10 October"),
    Planted("fjord", "posthog", Cause.ZONE_SHIFT, "Berlin's local time written as UTC"),
    Planted("iris", "sheet", Cause.ZONE_SHIFT, "days counted in UTC, the sheet says Los Angeles"),
    Planted("kite", "posthog", Cause.ALIAS, "three days from 15 October under the account KITE-EU"),
)


@dataclass(frozen=True)
class Repriced:
    """A planted cost drift: a source that prices a model by another table than the catalog's, from a day on."""

    source: str
    provider: str
    model: str
    first_day: date
    factor: Decimal
    what: str


COST_DRIFT = Repriced(
    "posthog",
    "google",
    "gemini-2.5-flash",
    date(2026, 10, 15),
    Decimal("0.8"),
    "$ai_total_cost_usd of gemini-2.5-flash a fifth too low since 15 October: an old model table came back",
)

BERLIN = timedelta(hours=2)
HOUR = timedelta(hours=1)
Span = tuple[datetime, datetime]


class Places:
    """Where in a month the faults strike: chosen by rule from what happened, so that each has something to strike."""

    def __init__(self, usage: Sequence[Usage]) -> None:
        calls: dict[str, list[datetime]] = defaultdict(list)
        for one in usage:
            if one.meter == "call.minutes":
                calls[one.customer].append(one.at)
        self.bolt_hole = _busy(calls["bolt"], after=_at(12, 14), hours=5, busy=3)
        self.delta_hole = _busy(calls["delta"], after=_at(21, 15), hours=3, busy=2)
        self.run_twice = _busy(calls["delta"], after=_at(7, 0), hours=24, busy=1, step=24)
        self.kite_eu = _busy(calls["kite"], after=_at(15, 0), hours=72, busy=3, step=24)
        self.release = _at(10, 0)
        self.acme_twice = frozenset(sorted(at for at in calls["acme"] if at >= _at(9, 0))[:25])


def _at(day: int, hour: int) -> datetime:
    return datetime(2026, 10, day, hour, tzinfo=UTC)


def _busy(calls: Sequence[datetime], after: datetime, hours: int, busy: int, step: int = 1) -> Span:
    """Return the first span of so many hours, from an instant on, in which enough hours have calls."""
    with_calls = {hour_of(at) for at in calls}
    start = after
    while start < _at(30, 0):
        if sum(start + n * HOUR in with_calls for n in range(hours)) >= busy:
            return start, start + hours * HOUR
        start += step * HOUR
    raise ValueError(f"no {hours} hours with {busy} busy ones after {after.isoformat()}")


def as_clickhouse(usage: Sequence[Usage]) -> Iterator[Reported]:
    """Yield what the ClickHouse table holds."""
    places = Places(usage)
    for one in usage:
        if one.customer == "delta" and _inside(one, places.delta_hole):
            continue
        twice = one.customer == "acme" and one.meter == "call.minutes" and one.at in places.acme_twice
        alias = one.customer == "acme" and one.at >= _at(20, 0)
        yield Reported(one, "ACME-EU" if alias else one.customer, 2 if twice else 1)


def as_posthog(usage: Sequence[Usage]) -> Iterator[Reported]:
    """Yield what the PostHog export holds."""
    places = Places(usage)
    for one in usage:
        if one.meter == "sms.segments" or (one.customer == "bolt" and _inside(one, places.bolt_hole)):
            continue
        if one.customer == "halo" and one.meter == "stt.minutes" and one.at >= places.release:
            yield Reported(replace(one, quantity=one.quantity * 60), one.customer)
        elif one.customer == "fjord":
            yield Reported(replace(one, at=one.at + BERLIN), one.customer)
        elif one.customer == "kite" and _inside(one, places.kite_eu):
            yield Reported(one, "KITE-EU")
        elif one.customer == "delta" and _inside(one, places.run_twice):
            yield Reported(one, one.customer, 2)
        else:
            yield Reported(one, one.customer)


def _inside(one: Usage, span: Span) -> bool:
    return span[0] <= one.at < span[1]


def own_cost(provider: str, model: str, at: datetime, right: Decimal) -> Decimal:
    """Return what PostHog says a generation cost, ten decimals, where the catalog's price of it is `right`."""
    drifts = (provider, model) == (COST_DRIFT.provider, COST_DRIFT.model) and at.date() >= COST_DRIFT.first_day
    return (right * COST_DRIFT.factor if drifts else right).quantize(Decimal("1E-10"))


def sheet_zone(customer: str, declared: str) -> str:
    """Return the zone in which a customer's sheet really counts its days."""
    return "UTC" if customer == "iris" else declared


def sheet_quantity(customer: str, meter: str, quantity: Decimal) -> Decimal:
    """Return what the sheet says for a day's quantity."""
    return quantity * 60 if customer == "gale" and meter == "call.minutes" else quantity
