"""The example company of docs/example_company.md: twelve months of one customer, by the product's own rules."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache
from typing import Any

from billing import invoicing
from billing.rating.statement import statement_for
from billing.recognition import schedule_for
from billing.reports.facts import Facts
from cli.recognize import recognized
from models.close import Stage, Standing, State
from models.contract import Contract
from models.event import Event, Payment
from models.facts import Billed, LineFacts, ScheduleFacts, StatementFacts
from models.invoice import IssuedInvoice
from models.journal import JournalEntry
from models.period import first_day, months_between, next_month
from models.statement import Statement
from tests.billing.test_recognition_of_rated_months import minutes

FIRST, LAST = "2026-01", "2026-12"
CALLS = {"2026-09": "60"}
"""Calls by month; every other month has 80."""

CONTRACT = Contract.model_validate(
    {
        "schema": "tieout/contract/v1",
        "contract": "vela-2026",
        "customer": "vela",
        "currency": "USD",
        "timezone": "UTC",
        "term": {"start": "2026-01-01", "end": "2027-01-01"},
        "prices": (
            {"meter": "call.minutes", "price": {"kind": "unit", "amount": "1.00"}},
            {"meter": "sms.segments", "price": {"kind": "unit", "amount": "0.02"}},
        ),
        "fees": ({"id": "platform", "amount": "600.00", "every": "year"},),
        "commitments": (
            {"id": "year", "amount": "1200.00", "every": "year", "billing": "advance", "shortfall": "forfeit",
             "scope": {"meters": ("call.*",)}},
        ),
    }
)  # fmt: skip


@cache
def months() -> tuple[Statement, ...]:
    """Return the twelve statements."""
    made: list[Statement] = []
    for month in months_between(FIRST, LAST):
        calls = minutes(month, CALLS.get(month, "80"))
        events = (calls, calls.model_copy(update={"meter": "sms.segments", "quantity": Decimal(500)}))
        made.append(statement_for([CONTRACT], events, [], month, made, engine="example"))
    return tuple(made)


def payments(through: str) -> list[Event]:
    """Return the payment of every invoice but the last, on the 20th of the next month."""
    return [
        Payment(
            id=f"p-{one.period}",
            contract="vela-2026",
            on=first_day(next_month(one.period)) + timedelta(days=19),
            invoice=invoicing.invoice_for(one, 1).reference,
            amount=one.total,
        )
        for one in months()
        if next_month(one.period) <= through
    ]


@cache
def journal(through: str) -> tuple[JournalEntry, ...]:
    """Return the journal up to a month."""
    statements = [one for one in months() if one.period <= through]
    return recognized([CONTRACT], statements, through, None, payments(through))[1]


def issued_at(month: str) -> datetime:
    """Return when a month's invoice was issued: five hours after its end."""
    return datetime.combine(first_day(next_month(month)), datetime.min.time(), UTC) + timedelta(hours=5)


def told(statements: Sequence[Statement]) -> dict[str, Any]:
    """Return what reports need of statements."""
    return {
        "statements": [StatementFacts.of(one, one.fingerprint()) for one in statements],
        "lines": {one.fingerprint(): LineFacts.of(one) for one in statements},
    }


def facts(month: str, entries: Sequence[JournalEntry] | None = None) -> Facts:
    """Return the facts of a month of the company."""
    statements = [one for one in months() if one.period <= month]
    invoices = []
    for one in statements:
        asked = invoicing.invoice_for(one, 1)
        invoices.append(
            Billed.of(
                asked,
                IssuedInvoice(
                    reference=asked.reference, stripe_id=f"in_{one.period}", number=f"V-{one.period}", status="open",
                    currency="USD", total=asked.total, lines=len(asked.lines), issued_at=issued_at(one.period),
                    due_on=issued_at(one.period).date() + timedelta(days=30),
                ),
            )
        )  # fmt: skip
    standing = Standing(
        month=month, revision=1, customer="vela", stage=Stage.PUBLISH, state=State.DONE,
        references={"total": f"{statements[-1].total:f}", "statement": statements[-1].fingerprint()},
        at=issued_at(month),
    )  # fmt: skip
    return Facts(
        month=month,
        entries=[one for one in (entries or journal(month)) if one.period <= month],
        **told(statements),
        schedules=[ScheduleFacts.of(schedule_for(statements[-1], statements[:-1], [CONTRACT]))],
        invoices=invoices,
        contracts=[CONTRACT],
        standings=[standing],
        locked_at=issued_at(month) + timedelta(days=2),
    )
