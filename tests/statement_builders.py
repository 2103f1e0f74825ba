"""Builders of statements, by hand: a line says what matters of it, the rest has one sensible value."""

from datetime import UTC, date, datetime
from decimal import Decimal

from billing.alerting import AlertKind
from models.invoice import Invoice, InvoiceLine
from models.money import total
from models.period import days_period, first_day, next_month
from models.statement import Applied, BillTo, Explanation, LineKind, Pool, RatedLine, Statement
from models.visitor import Alert

ZONE = "UTC"
D = Decimal


def a_line(
    line_id: str,
    kind: LineKind,
    amount: str,
    *,
    month: str = "2026-10",
    since: str | None = None,
    until: str | None = None,
    obligation: str = "usage",
    grant: str | None = None,
    meter: str | None = None,
    model: str | None = None,
    covered_by: str | None = None,
    promotional: bool = False,
    applied: dict[str, str] | None = None,
) -> RatedLine:
    """Return a rated line of a month (or of the days since..until, the last excluded)."""
    first = date.fromisoformat(since) if since else first_day(month)
    end = date.fromisoformat(until) if until else first_day(next_month(month))
    return RatedLine(
        id=line_id,
        kind=kind,
        description=f"{kind.value} {line_id}",
        meter=meter,
        dimensions={"model": model} if model else {},
        clause=obligation,
        service=days_period(first, end, ZONE),
        service_from=first,
        service_until=end,
        quantity=D(0),
        billed_quantity=D(0),
        amount=D(amount),
        precise_amount=D(amount),
        covered_by=covered_by,
        obligation=obligation,
        grant=grant,
        promotional=promotional,
        applied=tuple(Applied(line=line, amount=D(part)) for line, part in (applied or {}).items()),
        explanation=Explanation(
            sentence="by hand", clause=obligation, contract_version="acme@1", rounding_residue=D(0)
        ),
    )


def usage(line_id: str, amount: str, **more: str) -> RatedLine:
    """Return a usage line of call minutes."""
    return a_line(line_id, LineKind.USAGE, amount, **{"meter": "call.minutes", **more})  # type: ignore[arg-type]


def fee(line_id: str, amount: str, since: str, until: str) -> RatedLine:
    """Return a platform fee for the days since..until, the last excluded."""
    return a_line(line_id, LineKind.FEE, amount, since=since, until=until, obligation="platform")


def draw(
    line_id: str, grant: str, applied: dict[str, str], *, promotional: bool = False, pool: bool = False
) -> RatedLine:
    """Return a draw on a grant: its amount is what it paid, taken off."""
    kind = LineKind.POOL_DRAW if pool else LineKind.CREDIT_DRAW
    amount = -total(D(part) for part in applied.values())
    return a_line(line_id, kind, str(amount), grant=grant, obligation=grant, promotional=promotional, applied=applied)


def bought(line_id: str, grant: str, amount: str, *, commitment: bool = False) -> RatedLine:
    """Return the purchase of a credit, or of a prepaid commitment."""
    kind = LineKind.COMMITMENT if commitment else LineKind.CREDIT_PURCHASE
    return a_line(line_id, kind, amount, grant=grant, obligation=grant)


def a_pool(
    pool_id: str,
    kind: str,
    *,
    opening: str = "0",
    granted: str = "0",
    drawn: str = "0",
    expired: str = "0",
    cost: str | None = None,
    window: tuple[str, str] = ("2026-10-01", "2027-10-01"),
    unit: str = "USD",
    in_force: bool = True,
) -> Pool:
    """Return a pool that rolls forward."""
    return Pool(
        id=pool_id,
        kind=kind,
        unit=unit,
        window=days_period(date.fromisoformat(window[0]), date.fromisoformat(window[1]), ZONE),
        in_force=in_force,
        opening=D(opening),
        granted=D(granted),
        drawn=D(drawn),
        expired=D(expired),
        closing=D(opening) + D(granted) - D(drawn) - D(expired),
        booked_drawn=D(drawn),
        cost=D(cost) if cost is not None else None,
    )


def a_statement(
    *lines: RatedLine,
    month: str = "2026-10",
    pools: tuple[Pool, ...] = (),
    contract: str = "acme-2026",
    customer: str = "acme",
    currency: str = "USD",
) -> Statement:
    """Return a statement of these lines, with its totals."""
    tax = total(line.amount for line in lines if line.kind is LineKind.TAX)
    whole = total(line.amount for line in lines)
    return Statement(
        customer=customer,
        contract=contract,
        contract_version=f"{contract}@2026-01-01",
        period=month,
        timezone=ZONE,
        currency=currency,
        bill_to=BillTo(net_days=30),
        lines=lines,
        pools=pools,
        engine="test",
        subtotal=whole - tax,
        tax=tax,
        total=whole,
    )


def an_invoice(statement: Statement, revision: int = 1) -> Invoice:
    """Return the invoice of a statement in one line."""
    return Invoice(
        reference=f"{statement.period}@{revision}/{statement.customer}/{statement.currency}",
        customer=statement.customer,
        contract=statement.contract,
        period=statement.period,
        currency=statement.currency,
        statement=statement.fingerprint(),
        net_days=30,
        lines=(
            InvoiceLine(
                position=1,
                description="everything",
                amount=statement.total,
                rated_lines=tuple(line.id for line in statement.lines) or ("none",),
            ),
        ),
        total=statement.total,
    )


AT = datetime(2026, 11, 2, 10, tzinfo=UTC)


def an_alert(kind: AlertKind, threshold: str, subject: str = "p", currency: str | None = None) -> Alert:
    """Return an alert; a month's total is watched in USD unless a currency is named."""
    return Alert(
        id="a1",
        customer="acme",
        kind=kind.value,
        subject=subject,
        threshold=D(threshold),
        currency=currency or ("USD" if kind is AlertKind.TOTAL else None),
        made_by="u",
        made_at=AT,
    )
