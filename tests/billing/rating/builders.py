"""Builders of contracts, usage and rates: say only what matters of each."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from billing.rating.statement import statement_for
from models.contract import Contract
from models.rate_card import RateVersion
from models.statement import LineKind, Pool, RatedLine, Statement
from models.usage import UsageLine

D = Decimal
MINUTES = "call.minutes"
OCTOBER = "2026-10"


def a_contract(**clauses: Any) -> Contract:
    """Return a contract of the year 2026 in US dollars, UTC, whose minutes cost 0.05 unless it says otherwise."""
    content: dict[str, Any] = {
        "schema": "tieout/contract/v1",
        "contract": "acme-2026",
        "customer": "acme",
        "currency": "USD",
        "timezone": "UTC",
        "term": {"start": "2026-01-01", "end": "2027-01-01"},
        "prices": [minutes_at("0.05")],
    }
    return Contract.model_validate({**content, **clauses})


def price(
    meter: str, /, where: Mapping[str, str] | None = None, since: str | None = None, **terms: Any
) -> dict[str, Any]:
    """Return a price clause."""
    clause: dict[str, Any] = {"meter": meter, "where": dict(where or {}), "price": terms}
    return {**clause, "from": since} if since else clause


def minutes_at(amount: str, **more: Any) -> dict[str, Any]:
    """Return a unit price of minutes."""
    return price(MINUTES, kind="unit", amount=amount, **more)


def tiers(*steps: tuple[str | None, str], **more: str) -> list[dict[str, str | None]]:
    """Return tiers of (up_to, amount)."""
    return [{"up_to": up_to, "amount": amount, **more} for up_to, amount in steps]


def used(
    quantity: str,
    at: str = "2026-10-15T12:00:00Z",
    meter: str = MINUTES,
    *,
    events: int = 1,
    hours: float = 1,
    source: str = "clickhouse",
    **dimensions: str,
) -> UsageLine:
    """Return a usage line of the hour (or so) that begins at an instant."""
    starts_at = datetime.fromisoformat(at).astimezone(UTC)
    return UsageLine(
        meter=meter,
        dimensions=dimensions,
        starts_at=starts_at,
        ends_at=starts_at + timedelta(hours=hours),
        quantity=D(quantity),
        events=events,
        source=source,
    )


def a_rate(
    meter: str,
    amount: str,
    since: str = "2026-01-01T00:00:00Z",
    *,
    per: str = "1",
    card: str = "list",
    currency: str = "USD",
    **where: str,
) -> RateVersion:
    """Return a rate version."""
    return RateVersion.model_validate(
        {
            "rate": card,
            "meter": meter,
            "where": where,
            "from": since,
            "amount": amount,
            "per": per,
            "currency": currency,
            "source": f"notice of {since[:10]}",
            "checked_on": date(2026, 1, 2),
        }
    )


def rated(
    contract: Contract | Sequence[Contract],
    *usage: UsageLine,
    rates: Sequence[RateVersion] = (),
    period: str = OCTOBER,
    prior: Sequence[Statement] = (),
) -> Statement:
    """Return the statement of a contract (or its versions) and usage."""
    versions = [contract] if isinstance(contract, Contract) else list(contract)
    return statement_for(versions, usage, rates, period, prior, engine="test")


def through(
    contract: Contract | Sequence[Contract],
    months: Mapping[str, Sequence[UsageLine]],
    rates: Sequence[RateVersion] = (),
) -> list[Statement]:
    """Return the statements of following months, each with those before it as its prior."""
    found: list[Statement] = []
    for month, usage in months.items():
        found.append(rated(contract, *usage, rates=rates, period=month, prior=found))
    return found


def of_kind(statement: Statement, kind: LineKind) -> list[RatedLine]:
    """Return the lines of a kind."""
    return [line for line in statement.lines if line.kind is kind]


def amounts(statement: Statement, kind: LineKind = LineKind.USAGE) -> list[str]:
    """Return the amounts of the lines of a kind, as text, in the statement's order."""
    return [f"{line.amount:f}" for line in of_kind(statement, kind)]


def by_kind(statement: Statement) -> dict[str, str]:
    """Return the sum of every kind of line, as text."""
    sums: dict[str, Decimal] = {}
    for line in statement.lines:
        sums[line.kind.value] = sums.get(line.kind.value, D(0)) + line.amount
    return {kind: f"{amount:f}" for kind, amount in sums.items()}


def pool(statement: Statement, name: str, index: int = -1) -> Pool:
    """Return a pool (its latest window, unless an index says otherwise)."""
    return [one for one in statement.pools if one.id == name][index]


def flow(one: Pool) -> tuple[str, ...]:
    """Return opening, granted, drawn, expired and closing of a pool, as plain text."""
    return tuple(
        f"{D(number).normalize():f}" for number in (one.opening, one.granted, one.drawn, one.expired, one.closing)
    )
