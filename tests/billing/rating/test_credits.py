"""Credits: windows, the total order, refills, rounding; worked out by hand."""

from typing import Any

import pytest

from billing.rating.supported import ClauseNotSupported
from models.contract import Contract
from models.statement import LineKind
from tests.billing.rating.builders import (
    D,
    a_contract,
    amounts,
    by_kind,
    flow,
    minutes_at,
    of_kind,
    pool,
    rated,
    through,
    used,
)


def gift(name: str = "gift", amount: str = "100.00", **more: Any) -> dict[str, Any]:
    return {"id": name, "kind": "promotional", "amount": amount, "effective": "2026-10-01", **more}


def topup(name: str = "topup", amount: str = "100.00", **more: Any) -> dict[str, Any]:
    return {"id": name, "kind": "paid", "amount": amount, "effective": "2026-10-01", **more}


def at_one(**clauses: Any) -> Contract:
    return a_contract(prices=[minutes_at("1.00")], **clauses)


def paid(contract: Contract, *usage: Any) -> dict[str, str]:
    return {str(line.grant): f"{-line.amount:f}" for line in of_kind(rated(contract, *usage), LineKind.CREDIT_DRAW)}


def test_a_promotional_credit_pays_what_is_due_and_is_marked() -> None:
    statement = rated(at_one(credits=[gift()]), used("30"))
    (draw,) = of_kind(statement, LineKind.CREDIT_DRAW)
    assert (draw.amount, draw.promotional, statement.total) == (D("-30.00"), True, D(0))
    assert [part.line for part in draw.applied] == [statement.lines[0].id]
    assert flow(pool(statement, "gift")) == ("0", "100", "30", "0", "70")


def test_a_paid_credit_is_billed_at_its_cost_once() -> None:
    # lago-api #5870: a top-up sent twice was paid twice
    october, november = through(at_one(credits=[topup(cost="90.00")]), {"2026-10": [used("30")], "2026-11": []})
    assert by_kind(october) == {"usage": "30.00", "credit_draw": "-30.00", "credit_purchase": "90.00"}
    assert november.lines == ()
    assert pool(november, "topup").cost == 90


def test_a_credit_never_pays_more_than_is_due() -> None:
    # lago-api PR 4273: credits rounded up past the total, the invoice was negative
    contract = a_contract(prices=[minutes_at("0.004")], credits=[gift()], invoice={"group_by": ["meter", "model"]})
    statement = rated(contract, *(used("1", model=f"m{index}") for index in range(2)))
    assert (statement.total, by_kind(statement)) == (D(0), {"usage": "0.00"})  # two lines of 0.00, not a draw of 0.01


def test_what_rounds_to_nothing_pays_nothing_and_stays_in_the_balance() -> None:
    statement = rated(at_one(credits=[gift(amount="5.005")]), used("30"))
    assert amounts(statement, LineKind.CREDIT_DRAW) == ["-5.00"]
    assert pool(statement, "gift").closing == D("0.005")


def test_a_credit_pays_only_usage_inside_its_window_and_is_gone_at_the_expiry_instant() -> None:
    contract = at_one(credits=[gift(effective="2026-10-10", expires="2026-10-20")])
    usage = (
        used("1", "2026-10-09T23:00:00Z"),
        used("2", "2026-10-10T00:00:00Z"),
        used("4", "2026-10-19T23:00:00Z"),
        used("8", "2026-10-20T00:00:00Z"),
    )
    statement = rated(contract, *usage)
    assert amounts(statement, LineKind.CREDIT_DRAW) == ["-6.00"]
    assert flow(pool(statement, "gift")) == ("0", "100", "6", "94", "0")


def test_a_credit_funded_after_the_usage_never_pays_it() -> None:
    # openmeter PR 4920: credits funded after the cut-off paid earlier charges
    contract = at_one(credits=[topup(effective="2026-10-20T09:00:00Z", cost="0")])
    assert paid(contract, used("5", "2026-10-20T08:00:00Z")) == {}


def test_a_credit_pays_earlier_overage_only_when_it_says_so() -> None:
    late = {"effective": "2026-10-20", "cost": "0"}
    assert paid(at_one(credits=[topup(**late)]), used("5", "2026-10-02T00:00:00Z")) == {}
    willing = at_one(credits=[topup(**late, pays_earlier_overage=True)])
    assert paid(willing, used("5", "2026-10-02T00:00:00Z")) == {"topup": "5.00"}


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (topup("b", priority=1, cost="0"), gift("a", priority=2)),
        (topup("b", expires="2026-11-01", cost="0"), gift("a", expires="2026-12-01")),
        (topup("b", expires="2026-12-01", cost="0"), gift("a")),  # none expires last
        (gift("b"), topup("a", cost="0")),  # promotional before paid
        (gift("b", effective="2026-09-01"), gift("a")),
        (gift("b", created="2026-08-01"), gift("a", created="2026-09-01")),
        (gift("b"), gift("a")),  # the order of the file
    ],
)
def test_credits_are_used_by_priority_expiry_kind_effective_created_then_file(
    first: dict[str, Any], second: dict[str, Any]
) -> None:
    order = [first, second] if "created" not in first else [second, first]
    assert paid(at_one(credits=order), used("120")) == {"b": "100.00", "a": "20.00"}


def test_scope_keeps_a_credit_to_its_meters() -> None:
    contract = a_contract(
        prices=[minutes_at("1"), minutes_at("1") | {"meter": "sms"}], credits=[gift(scope={"meters": ["sms"]})]
    )
    statement = rated(contract, used("3"), used("4", meter="sms"))
    assert amounts(statement, LineKind.CREDIT_DRAW) == ["-4.00"]


def test_fees_are_paid_by_a_credit_only_when_its_scope_names_them() -> None:
    fee = {"id": "platform", "amount": "40.00", "timing": "arrears"}
    assert paid(at_one(credits=[gift()], fees=[fee])) == {}
    assert paid(at_one(credits=[gift(scope={"meters": [], "fees": "all"})], fees=[fee]), used("5")) == {"gift": "40.00"}


def test_covered_usage_is_not_paid_a_second_time() -> None:
    pool_ = {"id": "pool", "amount": "50.00", "every": "year", "billing": "advance"}
    statement = rated(at_one(commitments=[pool_], credits=[gift()]), used("70"))
    assert by_kind(statement) == {"usage": "70.00", "pool_draw": "-50.00", "credit_draw": "-20.00"}


def test_a_grant_not_yet_in_force_is_listed_at_its_amount() -> None:
    statement = rated(at_one(credits=[gift(effective="2026-11-15")]))
    later = pool(statement, "gift")
    assert (later.in_force, later.closing) == (False, D(100))


def test_a_recurring_credit_refills_in_its_own_windows_only() -> None:
    # openmeter PR 4252: a recurring credit refilled whenever another grant started
    contract = at_one(
        credits=[gift("monthly", "10.00", every="month"), gift("other", "1.00", effective="2026-10-20", priority=99)]
    )
    statement = rated(contract, used("9", "2026-10-02T00:00:00Z"), used("9", "2026-10-21T00:00:00Z"))
    assert paid(contract, used("9", "2026-10-02T00:00:00Z"), used("9", "2026-10-21T00:00:00Z")) == {
        "monthly": "10.00",
        "other": "1.00",
    }
    assert flow(pool(statement, "monthly")) == ("0", "10", "10", "0", "0")


def test_a_refill_on_an_anchor_day_begins_anew_and_the_rest_expires() -> None:
    contract = at_one(credits=[gift("m", "10.00", every="month", anchor=15)])
    statement = rated(contract, used("4", "2026-10-02T00:00:00Z"), used("9", "2026-10-21T00:00:00Z"))
    assert flow(pool(statement, "m", 0)) == ("0", "10", "4", "6", "0")
    assert flow(pool(statement, "m", 1)) == ("0", "10", "9", "0", "1")


def test_a_refilled_credit_carries_what_its_rollover_allows() -> None:
    contract = at_one(credits=[gift("m", "10.00", every="month", rollover={"max": "3.00"})])
    october, november = through(contract, {"2026-10": [used("5")], "2026-11": []})
    assert flow(pool(october, "m")) == ("0", "10", "5", "2", "3")
    assert flow(pool(november, "m"))[:2] == ("3", "10")


def test_a_reset_sets_the_balance_back_to_its_amount() -> None:
    contract = at_one(credits=[gift(amount="10.00", resets=[{"at": "2026-10-15"}])])
    usage = used("8", "2026-10-02T00:00:00Z"), used("8", "2026-10-21T00:00:00Z")
    assert sum(map(D, amounts(rated(contract, *usage), LineKind.CREDIT_DRAW))) == D("-16.00")


def test_a_voided_credit_pays_until_it_is_voided() -> None:
    contract = at_one(credits=[gift(voided="2026-10-15")])
    assert paid(contract, used("3", "2026-10-02T00:00:00Z"), used("4", "2026-10-21T00:00:00Z")) == {"gift": "3.00"}


@pytest.mark.parametrize(
    ("credit", "words"),
    [
        (gift(currency="EUR"), "another currency"),
        (gift(currency={"code": "points", "unit_amount": "0.01"}), "another currency"),
        (gift(resets=[{"at": "2026-10-15", "preserve_overage": True}]), "preserve_overage"),
        (topup(every="month"), "refills"),
    ],
)
def test_what_a_credit_says_that_rating_cannot_apply_is_refused_by_name(credit: dict[str, Any], words: str) -> None:
    with pytest.raises(ClauseNotSupported, match=words):
        rated(at_one(credits=[credit]), used("1"))


def test_credit_left_over_is_what_the_next_month_opens_with() -> None:
    statements = through(
        at_one(credits=[gift()]), {"2026-10": [used("30")], "2026-11": [used("90", "2026-11-03T00:00:00Z")]}
    )
    assert flow(pool(statements[1], "gift")) == ("70", "0", "70", "0", "0")
    assert statements[1].total == D("20.00")
