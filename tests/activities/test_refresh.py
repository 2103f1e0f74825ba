"""A running month is rated so far by the close's own code; what nobody can know yet is left as it stood."""

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from temporalio.testing import ActivityEnvironment

from activities.messages import Refreshed, RefreshMonth
from activities.rate import rated
from activities.refresh import Refresh
from billing.usage_table import from_lines
from models.contract import Contract
from models.draft import Draft
from models.notice import Notice
from models.statement import Statement
from models.visitor import Alert
from tests.activities.test_collect import Source
from tests.billing.rating.builders import a_contract, used
from tests.usage_builders import a_policy, a_slice, event

AT = datetime(2026, 10, 20, 12, tzinfo=UTC)
NEWEST = datetime(2026, 10, 20, 11, tzinfo=UTC)
PRICE = {"meter": "call.minutes", "price": {"kind": "unit", "amount": "0.10"}}


class Drafts:
    """Drafts, by customer."""

    def __init__(self) -> None:
        self.kept: dict[str, Draft] = {}

    def keep(self, draft: Draft) -> None:
        self.kept[draft.statement.customer] = draft


class Notices:
    """One alert of everybody's, and the notices that were kept, by id."""

    def __init__(self) -> None:
        self.kept: dict[str, Notice] = {}

    def alerts(self, customer: str) -> tuple[Alert, ...]:
        alert = Alert(
            id=f"of-{customer}",
            customer=customer,
            kind="total",
            subject="",
            threshold=Decimal(4),
            currency="USD",
            made_by="u",
            made_at=AT,
        )
        return (alert,)

    def keep(self, notice: Notice) -> None:
        self.kept.setdefault(notice.id, notice)


def an_outside(
    folder: Path, contracts: Sequence[Contract], rows: list[dict[str, Any]], issued: Sequence[Statement] = ()
) -> Any:
    """Return the outside of a refresh: terms, one source with these rows, and what was issued."""
    source = Source(rows=rows, newest=NEWEST)
    policy = a_policy([a_slice("one", [])])
    return SimpleNamespace(
        terms=SimpleNamespace(
            population=lambda month: tuple(sorted({one.customer for one in contracts})),
            contracts=lambda customer: tuple(one for one in contracts if one.customer == customer),
            contracts_by_customer=lambda some: {
                name: tuple(one for one in contracts if one.customer == name) for name in some
            },
            rates=lambda known_at=None: (),
            opening=lambda contract: None,
            authorities=lambda: policy.authority,
        ),
        evidence=SimpleNamespace(
            issued_statements=lambda contract, before: tuple(one for one in issued if one.contract == contract),
            snapshots_before=lambda source, month: (),
        ),
        corrections=SimpleNamespace(of_customer=lambda customer: ()),
        sources={"one": source},
        policy=policy,
        clock=SimpleNamespace(now=lambda: AT),
        engine="test",
        scratch=folder,
        usage_memory_mib=256,
        drafts=Drafts(),
        notices=Notices(),
        tells=False,
    )


def refresh(outside: Any, month: str = "2026-10") -> Refreshed:
    """Run the deed."""
    return ActivityEnvironment().run(Refresh(cast(Any, outside)).refresh_month, RefreshMonth(month=month))


def october(**more: Any) -> Contract:
    """Return a contract that begins in October, at ten cents a minute."""
    return a_contract(term={"start": "2026-10-01", "end": "2027-10-01"}, prices=[PRICE], **more)


def test_a_draft_is_what_the_close_would_bill_of_the_same_usage(tmp_path: Path) -> None:
    outside = an_outside(tmp_path, [october()], [event(9, "30"), event(33, "12"), event(33.5, "3")])
    assert refresh(outside) == Refreshed(month="2026-10", rated=1)
    draft = outside.drafts.kept["acme"]
    assert draft.statement.total == Decimal("4.50")  # 45 minutes at 0.10
    assert [(one.day.day, one.quantity, one.amount) for one in draft.days] == [
        (1, Decimal(30), Decimal("3.00")),
        (2, Decimal(15), Decimal("1.50")),
    ]
    assert (draft.complete_up_to, draft.refreshed_at) == (NEWEST, AT)
    lines = [used("30", "2026-10-01T09:00:00Z"), used("15", "2026-10-02T09:00:00Z")]
    assert rated(outside, "acme", "2026-10", from_lines(lines), AT).total == draft.statement.total


def test_a_repeated_event_counts_once_as_it_will_in_the_close(tmp_path: Path) -> None:
    outside = an_outside(tmp_path, [october()], [event(9, "30"), event(9, "30")])
    refresh(outside)
    assert outside.drafts.kept["acme"].statement.total == Decimal("3.00")


def test_more_usage_overwrites_the_draft_and_leaves_no_file(tmp_path: Path) -> None:
    outside = an_outside(tmp_path, [october()], [event(9, "30")])
    refresh(outside)
    outside.sources["one"].rows.append(event(10, "1"))
    refresh(outside)
    assert outside.drafts.kept["acme"].statement.total == Decimal("3.10")
    assert list(tmp_path.iterdir()) == []


def test_an_alert_that_a_running_month_reaches_is_told_once_and_only_where_anybody_is(tmp_path: Path) -> None:
    outside = an_outside(tmp_path, [october()], [event(9, "45")])
    refresh(outside)
    assert outside.notices.kept == {}  # nobody is told anything
    outside.tells = True
    refresh(outside)
    outside.sources["one"].rows.append(event(10, "10"))
    refresh(outside)
    [notice] = outside.notices.kept.values()
    assert notice.id == "alert/of-acme/2026-10"
    assert notice.sentences[1] == "October 2026 so far: the total is 4.50 USD."


def test_a_month_whose_month_before_is_open_is_left(tmp_path: Path) -> None:
    yearly = a_contract(term={"start": "2026-01-01", "end": "2027-01-01"}, prices=[PRICE])
    outside = an_outside(tmp_path, [yearly], [event(9, "30")])
    assert refresh(outside) == Refreshed(month="2026-10", rated=0, left=("acme: BeforeIsOpen",))
    assert outside.drafts.kept == {}


def test_one_customer_whom_a_rule_refuses_does_not_hold_the_others(tmp_path: Path) -> None:
    unpriced = a_contract(
        contract="bolt-2026", customer="bolt", term={"start": "2026-10-01", "end": "2027-10-01"}, prices=[]
    )
    rows = [event(9, "30"), event(10, "5") | {"account": "bolt"}]
    outside = an_outside(tmp_path, [october(), unpriced], rows)
    told = refresh(outside)
    assert told.rated == 1
    assert [left.partition(":")[0] for left in told.left] == ["bolt"]
    assert set(outside.drafts.kept) == {"acme"}


def test_a_month_nobody_has_a_contract_in_has_nothing_to_rate(tmp_path: Path) -> None:
    outside = an_outside(tmp_path, [], [])
    assert refresh(outside, "2030-01") == Refreshed(month="2030-01", rated=0)


@pytest.mark.parametrize("fault", [OSError("gone")])
def test_a_source_that_fails_leaves_every_draft_as_it_was(tmp_path: Path, fault: Exception) -> None:
    outside = an_outside(tmp_path, [october()], [event(9, "30")])
    refresh(outside)

    def read(window: object) -> Any:
        raise fault

    outside.sources["one"].read = read
    with pytest.raises(OSError, match="gone"):
        refresh(outside)
    assert outside.drafts.kept["acme"].statement.total == Decimal("3.00")
    assert list(tmp_path.iterdir()) == []
