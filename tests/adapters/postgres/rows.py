"""Small values for the books' tests, each with one thing that may be said of it."""

from datetime import UTC, date, datetime
from decimal import Decimal

from models.approval import Decision, Person
from models.close import DecisionKind, Role
from models.contract import Contract
from models.journal import Account, JournalEntry, Posting, Rule
from models.period import first_day
from models.rate_card import RateVersion

AT = datetime(2026, 11, 2, 10, tzinfo=UTC)
ANN = Person(id="ann", name="Ann", roles=(Role.CONTROLLER,))


def an_entry(key: str = "k1", amount: str = "1.50", customer: str = "acme", month: str = "2026-10") -> JournalEntry:
    """Return a balanced entry of usage."""
    return JournalEntry(
        key=key,
        rule=Rule.B2,
        customer=customer,
        contract=f"{customer}-2026",
        period=month,
        posted_on=first_day(month),
        currency="USD",
        description="usage",
        postings=(
            Posting(account=Account.UNBILLED, amount=Decimal(amount), obligation="usage"),
            Posting(
                account=Account.USAGE,
                amount=-Decimal(amount),
                obligation="usage",
                meter="call.minutes",
                model="nova-3",
                rated_line="u1",
                service_from=date(2026, 10, 1),
                service_until=date(2026, 11, 1),
            ),
        ),
        statement="f" * 64,
    )


def a_rate(start: str, amount: str = "1", meter: str = "call.minutes") -> RateVersion:
    """Return a rate version of the list from a day on."""
    return RateVersion.model_validate(
        {
            "rate": "list",
            "meter": meter,
            "from": f"{start}T00:00:00Z",
            "amount": amount,
            "per": "1",
            "currency": "USD",
            "source": "https://example.com/prices",
            "checked_on": "2026-01-01",
        }
    )


def a_contract(
    customer: str = "acme", effective: str | None = None, end: str = "2027-01-01", **more: object
) -> Contract:
    """Return a contract version in dollars from 2026-01-01 on."""
    return Contract.model_validate(
        {
            "schema": "tieout/contract/v1",
            "contract": f"{customer}-2026",
            "customer": customer,
            "currency": "USD",
            "timezone": "UTC",
            "term": {"start": "2026-01-01", "end": end},
            "effective": effective,
            **more,
        }
    )


def a_decision(
    decision_id: str, kind: DecisionKind = DecisionKind.APPROVE, person: Person = ANN, **more: object
) -> Decision:
    """Return a decision on acme's October."""
    content: dict[str, object] = {
        "id": decision_id,
        "kind": kind,
        "period": "2026-10",
        "revision": 1,
        "customer": "acme",
        "subject": "s" * 64,
        "person": person,
        "reason": "because",
        "recorded_at": AT,
        **more,
    }
    return Decision.model_validate(content)
