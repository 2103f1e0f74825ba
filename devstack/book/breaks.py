"""Breaks: what `make demo BREAK=…` breaks on purpose; each must end the demo and be named by customer and stage."""

from collections.abc import Sequence
from decimal import Decimal

import httpx
import psycopg

from devstack.book.calls import Usage
from models.rate_card import RateVersion
from runtime.settings import Settings

KINDS = ("rate", "usage", "stripe", "journal")
BROKEN_CUSTOMER = "cirrus"


def rates(versions: Sequence[RateVersion]) -> tuple[RateVersion, ...]:
    """Return the rates with one wrong: Mistral's output tokens since 20 October at the price of a quarter of it."""
    return tuple(
        one.model_copy(update={"amount": one.amount / 4})
        if (one.meter, one.where.get("model"), one.amount) == ("llm.output_tokens", "mistral-large-4", Decimal("4.18"))
        else one
        for one in versions
    )


def usage(true: Sequence[Usage]) -> list[Usage]:
    """Return the usage with a customer's calls of a day lost before any source saw them: the sources agree, and lie."""
    return [one for one in true if not (one.customer == BROKEN_CUSTOMER and one.at.day == 17 and one.at.month == 10)]


def stripe(config: Settings) -> None:
    """Let the platform hold another amount than the one it was sent, on the next invoice."""
    fault = {"fault": "wrong_total", "method": "GET", "path": "/v1/invoices/*", "times": 1_000}
    httpx.post(f"{config.stripe_url}/_faults", json=fault).raise_for_status()


def journal(owner_url: str, month: str) -> None:
    """Change a posted amount as a superuser with the triggers off: nothing refuses that, so it must be detected."""
    with psycopg.connect(owner_url) as db:
        db.execute("ALTER TABLE tieout.journal_postings DISABLE TRIGGER ALL")
        db.execute(
            "UPDATE tieout.journal_postings SET amount = amount + 1 WHERE (entry, line) = ("
            " SELECT p.entry, p.line FROM tieout.journal_postings p JOIN tieout.journal_entries e ON e.key = p.entry"
            " WHERE e.customer = %s AND e.period = %s ORDER BY e.position, p.line LIMIT 1)",
            (BROKEN_CUSTOMER, month),
        )
        db.execute("ALTER TABLE tieout.journal_postings ENABLE TRIGGER ALL")


def customer_of(entry: str) -> str:
    """Return the customer an entry's key names, or the key."""
    return next((name for name in (part.split("-")[0] for part in entry.split("/")) if name == BROKEN_CUSTOMER), entry)
