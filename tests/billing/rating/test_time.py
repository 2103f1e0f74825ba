"""Time: zones, daylight saving, amendments, late and negative usage, earlier statements."""

from datetime import UTC, datetime
from typing import Any

import pytest

from billing.rating.cuts import cuts_of
from billing.rating.history import PriorMissing
from billing.rating.timeline import AmbiguousPeriod, ContractGap, MixedContracts, NoContract
from billing.rating.usage import NegativeUsage, UsageOutsidePeriod
from models.contract import Contract
from models.statement import LineKind
from tests.billing.rating.builders import (
    MINUTES,
    D,
    a_contract,
    a_rate,
    amounts,
    minutes_at,
    of_kind,
    price,
    rated,
    through,
    tiers,
    used,
)


def at_one(**clauses: Any) -> Contract:
    return a_contract(prices=[minutes_at("1.00")], **clauses)


@pytest.mark.parametrize(
    ("zone", "first", "last"),
    [
        ("UTC", "2026-10-01T00:00:00Z", "2026-10-31T23:00:00Z"),
        ("America/Los_Angeles", "2026-10-01T07:00:00Z", "2026-11-01T06:00:00Z"),
        ("Asia/Kolkata", "2026-09-30T18:30:00Z", "2026-10-31T17:30:00Z"),
        ("Asia/Kathmandu", "2026-09-30T18:15:00Z", "2026-10-31T17:15:00Z"),
        ("Europe/Berlin", "2026-09-30T22:00:00Z", "2026-10-31T22:00:00Z"),  # 745 hours
    ],
)
def test_the_period_is_the_contracts_own_month_each_bound_with_its_own_offset(zone: str, first: str, last: str) -> None:
    contract = at_one(timezone=zone)
    assert rated(contract, used("1", first), used("1", last)).total == 2
    with pytest.raises(UsageOutsidePeriod):
        rated(contract, used("1", last), used("1", first), period="2026-09")


def test_equal_usage_over_daylight_saving_costs_the_same_everywhere() -> None:
    # killbill #1934: a fixed offset gave two customers different invoices for equal usage over DST
    def bill(zone: str, at: str) -> list[str]:
        return amounts(rated(at_one(timezone=zone), used("10", at), period="2026-11"))

    assert bill("America/New_York", "2026-11-30T23:00:00-05:00") == bill("Africa/Cairo", "2026-11-30T23:00:00+02:00")


def test_a_month_before_or_after_the_contract_is_refused() -> None:
    with pytest.raises(NoContract):
        rated(at_one(), period="2027-01")
    with pytest.raises(NoContract):
        rated([])


def test_usage_no_version_speaks_of_is_refused() -> None:
    early = at_one(term={"start": "2026-01-01", "end": "2026-10-10"})
    late = at_one(term={"start": "2026-01-01", "end": "2027-01-01"}, effective="2026-10-20")
    with pytest.raises(ContractGap):
        rated([early, late], used("1", "2026-10-15T00:00:00Z"))


def test_versions_of_two_contracts_or_of_one_day_are_refused() -> None:
    with pytest.raises(MixedContracts, match="not versions"):
        rated([at_one(), at_one(contract="other", effective="2026-10-02")])
    with pytest.raises(MixedContracts, match="one day"):
        rated([at_one(), at_one(invoice={"net_days": 3})])


def test_both_versions_speak_each_for_its_own_days() -> None:
    old, new = at_one(), a_contract(prices=[minutes_at("2.00")], effective="2026-10-16")
    usage = used("1", "2026-10-15T23:00:00Z"), used("1", "2026-10-16T00:00:00Z")
    statement = rated([new, old], *usage)
    assert amounts(statement) == ["1.00", "2.00"]
    assert [line.explanation.contract_version for line in statement.lines] == [
        "acme-2026@2026-01-01",
        "acme-2026@2026-10-16",
    ]
    assert statement.contract_version == "acme-2026@2026-10-16"


def test_an_anchored_period_begins_on_its_day_after_a_first_stub() -> None:
    contract = at_one(term={"start": "2026-10-03", "end": "2027-10-03"}, invoice={"anchor": 15})
    usage = used("1", "2026-10-14T23:00:00Z"), used("2", "2026-10-15T00:00:00Z")
    with pytest.raises(AmbiguousPeriod):
        rated(contract, *usage)
    assert rated(contract, usage[0], period="2026-10-03").total == 1
    full = rated(contract, usage[1], used("4", "2026-11-14T23:00:00Z"), period="2026-10-15")
    assert (full.period, full.total) == ("2026-10", D(6))


def test_an_anchor_of_31_is_kept_through_short_months() -> None:
    contract = at_one(term={"start": "2026-01-31", "end": "2027-01-31"}, invoice={"anchor": 31})
    assert (
        rated(contract, used("1", "2026-02-28T00:00:00Z"), used("1", "2026-03-30T23:00:00Z"), period="2026-02").total
        == 2
    )


def test_cuts_name_every_instant_at_which_buckets_must_be_cut() -> None:
    contract = a_contract(
        timezone="Asia/Kolkata",
        prices=[minutes_at("1"), minutes_at("2", since="2026-10-05")],
        credits=[{"id": "c", "kind": "promotional", "amount": "1", "effective": "2026-10-07T01:02:03Z"}],
        commitments=[{"id": "w", "amount": "1", "every": "week", "billing": "arrears"}],
        discounts=[{"id": "d", "percent": "1", "until": "2026-10-09"}],
    )
    amended = contract.model_copy(update={"effective": datetime(2026, 10, 20, tzinfo=UTC).date()})
    rates = [a_rate("x", "1", "2026-10-21T10:17:00Z"), a_rate("x", "1", "2026-10-22T00:00:00Z", card="unused")]
    found = [at.isoformat() for at in cuts_of([contract, amended], rates, "2026-10")]
    assert found == [
        "2026-10-04T18:30:00+00:00",  # the price clause, and a Monday in Kolkata
        "2026-10-07T01:02:03+00:00",
        "2026-10-08T18:30:00+00:00",
        "2026-10-11T18:30:00+00:00",
        "2026-10-18T18:30:00+00:00",
        "2026-10-19T18:30:00+00:00",
        "2026-10-21T10:17:00+00:00",
        "2026-10-25T18:30:00+00:00",
    ]


def test_late_usage_is_a_line_of_its_own_at_the_price_of_its_own_day() -> None:
    contract = a_contract(prices=[minutes_at("1.00"), minutes_at("2.00", since="2026-10-01")])
    statement = rated(contract, used("3", "2026-09-29T00:00:00Z"), used("5"))
    assert sorted(amounts(statement)) == ["10.00", "3.00"]
    late = next(line for line in statement.lines if line.amount == 3)
    assert (late.service_from.month, "late" in late.description) == (9, True)


def test_late_usage_goes_on_from_the_tiers_of_its_own_period() -> None:
    clause = price(MINUTES, kind="graduated", tiers=tiers(("10", "1"), (None, "0.5")))
    september = rated(a_contract(prices=[clause]), used("8", "2026-09-03T00:00:00Z"), period="2026-09")
    october = rated(a_contract(prices=[clause]), used("4", "2026-09-29T00:00:00Z"), used("1"), prior=[september])
    assert sorted(amounts(october)) == ["1.00", "1.00", "2.00"]  # late: 2 x 1 and 2 x 0.5; October's own: 1 x 1


def test_usage_before_the_backdating_limit_is_refused() -> None:
    contract = at_one(limits={"backdating_days": 2})
    assert rated(contract, used("1", "2026-09-29T00:00:00Z")).total == 1
    with pytest.raises(UsageOutsidePeriod):
        rated(contract, used("1", "2026-09-28T23:00:00Z"))


def test_late_usage_is_not_paid_by_a_credit_that_has_expired_since() -> None:
    credit = {"id": "c", "kind": "promotional", "amount": "9.00", "effective": "2026-09-01", "expires": "2026-10-01"}
    statements = through(at_one(credits=[credit]), {"2026-09": [], "2026-10": [used("1", "2026-09-29T00:00:00Z")]})
    assert of_kind(statements[1], LineKind.CREDIT_DRAW) == []


def test_a_correction_takes_from_the_usage_before_it_the_latest_first() -> None:
    clause = price(MINUTES, kind="graduated", tiers=tiers(("10", "1"), (None, "0.5")))
    usage = used("10", "2026-10-02T00:00:00Z"), used("6", "2026-10-03T00:00:00Z"), used("-4", "2026-10-09T00:00:00Z")
    assert amounts(rated(a_contract(prices=[clause]), *usage)) == ["10.00", "1.00"]  # 12 in all: 10 x 1 + 2 x 0.5


def test_a_metered_total_below_zero_is_refused() -> None:
    with pytest.raises(NegativeUsage):
        rated(at_one(), used("1"), used("-2", "2026-10-20T00:00:00Z"))


def test_overage_falls_first_when_usage_is_corrected() -> None:
    pool = {"id": "p", "amount": "10.00", "every": "year", "billing": "advance", "overage": {"multiplier": "2"}}
    contract = at_one(commitments=[pool])
    statement = rated(contract, used("12"), used("-1", "2026-10-20T00:00:00Z"))
    assert amounts(statement, LineKind.OVERAGE) == ["2.00"]  # 11 used: 10 from the pool, 1 x 2


def test_tiers_over_a_quarter_go_on_from_month_to_month() -> None:
    clause = price(MINUTES, kind="graduated", over="quarter", tiers=tiers(("10", "1"), (None, "0.5")))
    statements = through(
        a_contract(prices=[clause]),
        {"2026-10": [used("8")], "2026-11": [used("4", "2026-11-02T00:00:00Z")], "2026-12": []},
    )
    assert [amounts(one) for one in statements] == [["8.00"], ["2.00", "1.00"], []]


def test_running_totals_are_rounded_and_what_was_booked_is_taken_off() -> None:
    clause = price(MINUTES, kind="graduated", over="year", tiers=tiers((None, "0.001")))
    months = {"2026-10": [used("333")], "2026-11": [used("333", "2026-11-02T00:00:00Z")]}
    statements = through(a_contract(prices=[clause]), months)
    assert [amounts(one) for one in statements] == [["0.33"], ["0.34"]]  # 0.333, then 0.666 is 0.67


def test_a_later_volume_tier_lowers_what_was_billed_before() -> None:
    clause = price(MINUTES, kind="volume", over="quarter", tiers=tiers(("10", "1"), (None, "0.9")))
    months = {"2026-10": [used("10")], "2026-11": [used("30", "2026-11-02T00:00:00Z")]}
    october, november = through(a_contract(prices=[clause]), months)
    assert october.total == 10
    assert sorted(amounts(november)) == ["-1.00", "27.00"]  # 30 x 0.9, and October's 10 at 0.9 instead of 1


def test_a_hole_in_the_earlier_statements_is_refused() -> None:
    one = rated(at_one(), period="2026-08")
    with pytest.raises(PriorMissing, match="no statement"):
        rated(at_one(), prior=[one])


def test_another_contracts_statement_is_refused() -> None:
    other = rated(at_one(contract="other"), period="2026-09")
    with pytest.raises(PriorMissing, match="another contract"):
        rated(at_one(), prior=[other])


def test_the_same_period_again_is_the_next_revision() -> None:
    first = rated(at_one(), used("1"))
    assert rated(at_one(), used("2"), prior=[first]).revision == 2
