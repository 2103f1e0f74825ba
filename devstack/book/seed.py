"""Seed: terms, people and the months behind October into the books, through the same doors the product uses."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

from activities.deeds import Outside
from adapters.files import read_contract, read_policy, read_prices
from adapters.genai import rate_versions
from adapters.postgres.desk import seed_people
from adapters.postgres.terms import PostgresTerms
from billing import invoicing, posting, recognition
from billing.rating import statement as rating
from devstack.book import people
from devstack.book.calls import HABITS, Usage, true_usage
from devstack.book.traces import Client
from models.contract import Contract
from models.invoice import Invoice, IssuedInvoice
from models.period import hour_of, month_period, months_between
from models.rate_card import RateVersion
from models.statement import Statement
from models.usage import UsageLine

BOOK = Path(__file__).resolve().parent
CARD = "list-2026"
CARD_SINCE = date(2026, 1, 1)
CHECKED_ON = date(2026, 11, 24)
SIGNED_AT = datetime(2026, 1, 1, tzinfo=UTC)
PREPARER, PRICING, CONTROLLER = "pia", "rita", "cora"


def contracts(folder: Path = BOOK / "terms") -> tuple[Contract, ...]:
    """Return the book's contracts, by customer."""
    return tuple(read_contract(path) for path in sorted(folder.glob("*.yaml")))


def rates() -> tuple[RateVersion, ...]:
    """Return the book's rates: models from the installed genai-prices, the rest from the file of dated facts."""
    models = sorted({model for habit in HABITS.values() for model in habit.models})
    return (*rate_versions(CARD, models, CARD_SINCE, CHECKED_ON), *read_prices(BOOK / "rates.yaml"))


def seed_terms(terms: PostgresTerms, book: Iterable[Contract], versions: Sequence[RateVersion]) -> None:
    """Append contracts, rates and authorities, each proposed by one person and approved by another."""
    terms.add_rates(versions, PRICING, CONTROLLER, SIGNED_AT)
    for contract in book:
        terms.add_contract(contract, PREPARER, CONTROLLER, SIGNED_AT)
    for authority in read_policy(BOOK / "policy.yaml").authority:
        terms.declare(authority, SIGNED_AT)


def seed_demo_people(owner_url: str, state: Path) -> dict[str, str]:
    """Give the demo people their place at the desk and return their tokens."""
    held = people.tokens(state)
    seed_people(owner_url, [(person, name, roles, held[person]) for person, name, roles in people.PEOPLE])
    return held


def issue_history(
    outside: Outside, contract: Contract, first: str, last: str, traffic: Sequence[Client] = ()
) -> tuple[Statement, ...]:
    """Put the months behind October into the books: statement, invoice and entries, by the product's own rules.

    These months were invoiced before Tieout: their invoices carry numbers of the former system and are paid.
    """
    versions = outside.terms.rates()
    prior: list[Statement] = []
    for month in months_between(first, last):
        usage = hourly(true_usage(month, only=[contract.customer], traffic=traffic), contract, month)
        statement = rating.statement_for([contract], usage, versions, month, prior, engine=outside.engine)
        outside.evidence.keep_statement(statement, 1, _issued_at(month))
        invoice = invoicing.invoice_for(statement, 1)
        outside.invoices.reserve(invoice, _issued_at(month))
        outside.invoices.issued(_issued(invoice, month), _issued_at(month))
        entries = posting.entries_for(
            statement,
            invoice,
            recognition.schedule_for(statement, prior, [contract]),
            post_to=month,
            prior_accruals=(),
            close_run=f"{month}@1",
        )
        outside.journal.post(entries, preparer="history", at=_issued_at(month))
        prior.append(statement)
    return tuple(prior)


def hourly(usage: Iterable[Usage], contract: Contract, month: str) -> tuple[UsageLine, ...]:
    """Return true usage of a month as usage lines by UTC hour."""
    period = month_period(month, contract.timezone)
    sums: dict[tuple[str, tuple[tuple[str, str], ...], datetime], tuple[Decimal, int]] = defaultdict(
        lambda: (Decimal(0), 0)
    )
    for one in usage:
        if one.at in period:
            key = (one.meter, tuple(sorted(one.dimensions.items())), max(hour_of(one.at), period.starts_at))
            quantity, events = sums[key]
            sums[key] = (quantity + one.quantity, events + 1)
    return tuple(
        UsageLine(
            meter=meter,
            dimensions=dict(dimensions),
            starts_at=start,
            ends_at=min(hour_of(start) + timedelta(hours=1), period.ends_at),
            quantity=quantity,
            events=events,
            source="history",
        )
        for (meter, dimensions, start), (quantity, events) in sorted(sums.items())
    )


def _issued_at(month: str) -> datetime:
    return month_period(month, "UTC").ends_at + timedelta(hours=12)


def _issued(invoice: Invoice, month: str) -> IssuedInvoice:
    at = _issued_at(month)
    return IssuedInvoice(
        reference=invoice.reference,
        stripe_id=f"former:{invoice.reference}",
        number=f"FORMER-{month}-{invoice.customer.upper()}",
        status="paid",
        currency=invoice.currency,
        total=invoice.total,
        lines=len(invoice.lines),
        issued_at=at,
        due_on=(at + timedelta(days=invoice.net_days)).date(),
    )
