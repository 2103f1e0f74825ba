"""Rate changes: what moves, who may decide, which months a version reaches."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from billing import rate_change
from billing.rate_change import CatalogMoved
from models.approval import ApprovalCode, Decision, Person
from models.close import EVERYONE, DecisionKind, Role
from models.contract import Contract
from models.rate_card import RateVersion
from models.rate_change import RateProposal, Simulation
from models.refusal import Refusal
from models.usage import UsageLine

NOW = datetime(2026, 11, 24, tzinfo=UTC)
PROPOSAL = "0123456789abcdef"
CONTRACT = Contract.model_validate(
    {
        "schema": "tieout/contract/v1",
        "contract": "acme-2026",
        "customer": "acme",
        "currency": "USD",
        "timezone": "UTC",
        "term": {"start": "2026-01-01", "end": "2027-01-01"},
        "rate_card": "list",
        "prices": [{"meter": "llm.*", "price": {"kind": "pass_through", "markup": "0.08"}}],
        "fees": [{"id": "platform", "amount": "100.00", "every": "month", "timing": "arrears"}],
    }
)


def a_version(start: str, amount: str, meter: str = "llm.input_tokens") -> RateVersion:
    return RateVersion(
        rate="list",
        meter=meter,
        starts_at=datetime.fromisoformat(f"{start}Z"),
        amount=Decimal(amount),
        per=Decimal(1000),
        currency="USD",
        source="somewhere",
        checked_on=date(2026, 11, 24),
    )


def usage(at: str, quantity: str) -> UsageLine:
    starts_at = datetime.fromisoformat(f"{at}Z")
    return UsageLine(
        meter="llm.input_tokens",
        dimensions={},
        starts_at=starts_at,
        ends_at=starts_at + timedelta(hours=1),
        quantity=Decimal(quantity),
        events=1,
        source="clickhouse",
    )


JANUARY = a_version("2026-01-01T00:00:00", "2")


def test_what_moves_is_usage_from_the_instant_on_with_the_customers_own_markup() -> None:
    lines = [usage("2026-10-19T23:00:00", "50000"), usage("2026-10-20T00:00:00", "50000")]
    moved = rate_change.moved([CONTRACT], lines, [JANUARY], a_version("2026-10-20T00:00:00", "3"), "2026-10", ())
    assert moved is not None
    # 100,000 at 2 per 1,000 = 200 x 1.08 = 216, fee 100; half of it at 3: 100 + 150 = 250 x 1.08 = 270
    assert (moved.now, moved.then, moved.delta) == (Decimal("316.00"), Decimal("370.00"), Decimal("54.00"))
    assert moved.lines == 1  # the fee does not move, and one clause and meter is one thing
    assert Simulation(proposal=PROPOSAL, months=("2026-10",), rated=1, moved=(moved,)).money() == {"USD": Decimal("54")}


def test_nothing_moves_before_the_instant_or_on_another_meter() -> None:
    lines = [usage("2026-10-19T23:00:00", "50000")]
    for version in (a_version("2026-10-20T00:00:00", "3"), a_version("2026-01-01T00:00:00", "9", meter="llm.other")):
        assert rate_change.moved([CONTRACT], lines, [JANUARY], version, "2026-10", ()) is None


def test_usage_not_cut_where_the_version_begins_is_refused_not_shared_out() -> None:
    with pytest.raises(Refusal):
        rate_change.moved(
            [CONTRACT],
            [usage("2026-10-20T10:00:00", "5")],
            [JANUARY],
            a_version("2026-10-20T10:17:00", "3"),
            "2026-10",
            (),
        )


def test_a_catalog_that_moved_since_is_refused() -> None:
    proposal = RateProposal(table="file", version=a_version("2026-10-20T00:00:00", "3"), known=JANUARY)
    rate_change.refuse_if_moved(proposal, [JANUARY])
    for meanwhile in ([], [JANUARY, a_version("2026-06-01T00:00:00", "4")]):
        with pytest.raises(CatalogMoved):
            rate_change.refuse_if_moved(proposal, meanwhile)
    assert rate_change.correcting(proposal) == ()
    correction = RateProposal(table="file", version=a_version("2026-01-01T00:00:00", "3"), known=JANUARY)
    assert rate_change.correcting(correction) == (JANUARY.fingerprint(),)


@pytest.mark.parametrize(
    ("start", "later", "reached"),
    [
        ("2026-09-15T00:00:00", None, ("2026-09", "2026-10", "2026-11")),
        ("2026-09-15T00:00:00", "2026-10-05T00:00:00", ("2026-09", "2026-10")),
        ("2026-11-01T00:00:00", None, ("2026-10", "2026-11")),  # October runs on for four hours in New York
        ("2026-11-01T12:00:00", None, ("2026-11",)),
        ("2026-12-01T00:00:00", None, ()),
    ],
)
def test_a_version_reaches_the_months_it_prices(start: str, later: str | None, reached: tuple[str, ...]) -> None:
    catalog = [JANUARY, *([a_version(later, "5")] if later else [])]
    assert rate_change.months_reached(a_version(start, "3"), catalog, NOW) == reached


def test_only_a_month_of_a_zone_further_west_is_not_surely_reached() -> None:
    version = a_version("2026-11-01T00:00:00", "3")
    assert not rate_change.surely_in("2026-10", version)
    assert rate_change.surely_in("2026-11", version)


@pytest.mark.parametrize(
    ("person", "more", "code"),
    [
        ("bob", {}, ApprovalCode.TAKEN),
        ("ann", {}, ApprovalCode.PREPARER),
        ("ann", {"kind": DecisionKind.REJECT_RATE}, ApprovalCode.TAKEN),  # he may withdraw his own
        ("bob", {"kind": DecisionKind.REJECT_RATE, "reason": " "}, ApprovalCode.NO_REASON),
        ("bob", {"subject": "another"}, ApprovalCode.WRONG_CLOSE),
        ("bob", {"customer": "acme"}, ApprovalCode.WRONG_CLOSE),
        ("bob", {"kind": DecisionKind.APPROVE}, ApprovalCode.NOT_WAITING),
        ("eve", {}, ApprovalCode.WRONG_ROLE),
    ],
)
def test_who_may_decide(person: str, more: dict[str, object], code: ApprovalCode) -> None:
    roles = (Role.ENGINEER,) if person == "eve" else (Role.PREPARER, Role.APPROVER)
    decision = Decision.model_validate(
        {
            "id": "d",
            "kind": DecisionKind.APPROVE_RATE,
            "period": "2026-10",
            "revision": 1,
            "customer": EVERYONE,
            "subject": PROPOSAL,
            "person": Person(id=person, name=person, roles=roles),
            "reason": "as the page says",
            "recorded_at": NOW,
            **more,
        }
    )
    verdict = rate_change.judge(decision, PROPOSAL, "ann", rate_change.DECIDING)
    assert (verdict.code, verdict.taken) == (code, code is ApprovalCode.TAKEN)
