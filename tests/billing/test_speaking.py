"""Which source speaks when: spans as long as one rule holds, whatever the number of days."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from billing.reconciliation.speaking import spans_of
from models.authority import Authority
from models.period import local_day, midnight, month_period
from models.usage_policy import SourcePolicy, UsagePolicy

SOURCES = ("click", "post", "sheet")
OCTOBER = month_period("2026-10", "America/New_York")


def a_rule(order: tuple[str, ...], since: str, until: str | None = None, **narrow: Any) -> Authority:
    return Authority.model_validate(
        {
            "order": order,
            "tolerance": {"absolute": "0", "ratio": "0"},
            "declared_by": "rita",
            "reason": "she looked",
            "from": date.fromisoformat(since),
            "until": date.fromisoformat(until) if until else None,
            **narrow,
        }
    )


def a_policy(*rules: Authority, zone: str = "UTC") -> UsagePolicy:
    return UsagePolicy.model_validate(
        {
            "schema": "tieout/policy/v1",
            "timezone": zone,
            "sources": {name: SourcePolicy(grain="event") for name in SOURCES},
            "authority": rules,
        }
    )


def test_a_rule_begins_at_the_policys_midnight_and_ends_before_its_last_day() -> None:
    policy = a_policy(
        a_rule(("click",), "2026-01-01"), a_rule(("sheet",), "2026-10-10", "2026-10-20", meter="m"), zone="Asia/Tokyo"
    )
    spans = spans_of(policy, "acme", "m", OCTOBER, SOURCES)
    assert [(span.source, span.starts_at, span.ends_at) for span in spans] == [
        ("click", OCTOBER.starts_at, datetime(2026, 10, 9, 15, tzinfo=UTC)),
        ("sheet", datetime(2026, 10, 9, 15, tzinfo=UTC), datetime(2026, 10, 19, 15, tzinfo=UTC)),
        ("click", datetime(2026, 10, 19, 15, tzinfo=UTC), OCTOBER.ends_at),
    ]
    assert len(spans_of(policy, "acme", "other", OCTOBER, SOURCES)) == 1


days = st.dates(date(2026, 9, 25), date(2026, 11, 5))
rules = st.builds(
    lambda order, since, length, meter, customer: a_rule(
        tuple(order),
        since.isoformat(),
        (since + timedelta(days=length)).isoformat() if length else None,
        meter=meter,
        customer=customer,
    ),
    st.lists(st.sampled_from(SOURCES), min_size=1, unique=True),
    days,
    st.integers(0, 12),
    st.sampled_from([None, "m"]),
    st.sampled_from([None, "acme", "other"]),
)


@given(st.lists(rules, max_size=6), st.sampled_from(["UTC", "Asia/Tokyo", "America/New_York"]))
def test_on_every_day_the_span_is_of_the_rule_that_holds_on_that_day(some: list[Authority], zone: str) -> None:
    policy = a_policy(a_rule(SOURCES, "2020-01-01"), *some, zone=zone)
    spans = spans_of(policy, "acme", "m", OCTOBER, SOURCES)
    assert (spans[0].starts_at, spans[-1].ends_at) == (OCTOBER.starts_at, OCTOBER.ends_at)
    assert all(one.ends_at == after.starts_at for one, after in pairwise(spans))
    day = local_day(OCTOBER.starts_at, zone)
    while midnight(day, zone) < OCTOBER.ends_at:
        at = max(midnight(day, zone), OCTOBER.starts_at)
        (span,) = [one for one in spans if one.holds(at)]
        assert (span.rule, span.source) == (
            policy.authority_for("acme", "m", day),
            policy.order_for("acme", "m", day)[0],
        )
        day += timedelta(days=1)
