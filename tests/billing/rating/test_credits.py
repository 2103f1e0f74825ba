"""Credits: windows, the total order, refills, rounding; worked out by hand."""

from decimal import Decimal
from typing import Any

import pytest

from billing.rating.rates import NoRate
from billing.rating.supported import ClauseNotSupported
from billing.recognition import schedule_for
from models.contract import Contract
from models.statement import LineKind
from tests.billing.rating.builders import (
    D,
    a_contract,
    a_rate,
    amounts,
    by_kind,
    flow,
    minutes_at,
    of_kind,
    pool,
    price,
    rated,
    through,
    tiers,
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
        (topup(currency="EUR"), "no fx source"),
        (topup(resets=[{"at": "2026-10-15"}]), "is reset"),
        (gift(rollover={"max": "1"}), "neither refilled nor reset"),
        (gift(every="month", rollover={"max": "1", "expires_after": "year"}), "outlives"),
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


POINTS = {"code": "points", "digits": 1, "unit_amount": "0.03"}


def test_a_credit_bank_of_its_own_counts_in_its_own_unit_and_pays_whole_cents() -> None:
    statement = rated(at_one(credits=[gift(currency=POINTS)]), used("2.00"))
    # 2.00 / 0.03 = 66.66… points, at one digit 66.7
    assert amounts(statement, LineKind.CREDIT_DRAW) == ["-2.00"]
    bank = pool(statement, "gift")
    assert (bank.unit, flow(bank), bank.booked_drawn) == ("points", ("0", "100", "66.7", "0", "33.3"), D("2.00"))
    assert "33.3 points are left" in of_kind(statement, LineKind.CREDIT_DRAW)[0].explanation.sentence


def test_a_credit_bank_runs_on_and_never_pays_more_than_it_is_worth() -> None:
    statements = through(
        at_one(credits=[gift(currency=POINTS)]),
        {"2026-10": [used("2.00")], "2026-11": [used("9.00", "2026-11-03T00:00:00Z")]},
    )
    # 33.3 points are worth 0.999: 0.99 is paid, 33.0 points are taken
    assert amounts(statements[1], LineKind.CREDIT_DRAW) == ["-0.99"]
    assert flow(pool(statements[1], "gift")) == ("33.3", "0", "33", "0", "0.3")
    assert pool(statements[1], "gift").booked_drawn == D("2.99")


def test_the_points_a_period_takes_are_rounded_over_the_period_not_by_line() -> None:
    contract = at_one(credits=[gift(currency={**POINTS, "digits": 0})], invoice={"group_by": ["meter", "model"]})
    statement = rated(contract, *(used("0.01", model=f"m{index}") for index in range(3)))
    assert pool(statement, "gift").drawn == 1  # 0.03 / 0.03; line by line 0.33 would be 0 + 0 + 0


def test_a_bought_credit_bank_costs_what_it_is_worth_unless_it_says_so() -> None:
    assert amounts(rated(at_one(credits=[topup(currency=POINTS)])), LineKind.CREDIT_PURCHASE) == ["3.00"]  # 100 x 0.03
    cheaper = at_one(credits=[topup(currency=POINTS, cost="2.50")])
    assert amounts(rated(cheaper), LineKind.CREDIT_PURCHASE) == ["2.50"]


def test_a_credit_in_another_currency_is_worth_its_exchange_rate_at_the_periods_end() -> None:
    contract = at_one(credits=[gift(currency="EUR")], fx={"source": "ecb", "invoice_currency": "USD"})
    rates = [a_rate("fx.EUR", "1.25", card="ecb")]
    statement = rated(contract, used("50"), rates=rates)
    assert amounts(statement, LineKind.CREDIT_DRAW) == ["-50.00"]
    assert flow(pool(statement, "gift")) == ("0", "100", "40", "0", "60")  # 50 USD / 1.25
    with pytest.raises(NoRate):
        rated(contract, used("50"))


def test_a_reset_that_preserves_overage_pays_first_what_the_balance_before_could_not() -> None:
    usage = used("15", "2026-10-02T00:00:00Z"), used("8", "2026-10-21T00:00:00Z")

    def bill(preserve: bool) -> tuple[Decimal, tuple[str, ...]]:
        credit = gift(amount="10.00", resets=[{"at": "2026-10-15", "preserve_overage": preserve}])
        statement = rated(at_one(credits=[credit]), *usage)
        return statement.total, flow(pool(statement, "gift"))

    # 10 pay of the first 15; after the reset, 10: 5 for what was left and 5 of the 8, or 8 of the 8
    assert bill(True) == (D("3.00"), ("0", "10", "10", "0", "0"))
    assert bill(False) == (D("5.00"), ("0", "10", "8", "0", "2"))


def test_what_a_reset_preserves_ends_with_the_statement() -> None:
    credit = gift(amount="10.00", resets=[{"at": "2026-11-01", "preserve_overage": True}])
    statements = through(
        at_one(credits=[credit]), {"2026-10": [used("15")], "2026-11": [used("8", "2026-11-03T00:00:00Z")]}
    )
    assert [one.total for one in statements] == [5, 0]  # October's 5 are billed: an issued invoice is not paid again


def test_a_reset_carries_what_the_rollover_allows() -> None:
    credit = gift(amount="10.00", resets=[{"at": "2026-10-15"}], rollover={"max": "4.00"})
    usage = used("3", "2026-10-02T00:00:00Z"), used("12", "2026-10-21T00:00:00Z")
    statement = rated(at_one(credits=[credit]), *usage)
    assert flow(pool(statement, "gift", 0)) == ("0", "10", "3", "3", "4")
    assert flow(pool(statement, "gift", 1)) == ("4", "10", "12", "0", "2")


def test_an_anchored_refill_carries_over_the_months_bound() -> None:
    contract = at_one(credits=[gift("m", "10.00", every="month", anchor=15, rollover={"max": "4.00"})])
    october, november = through(
        contract, {"2026-10": [used("2", "2026-10-20T00:00:00Z")], "2026-11": [used("13", "2026-11-20T00:00:00Z")]}
    )
    # from 1 October 10, of which 4 are carried into the 15th: 4 + 10 - 2 = 12 at the month's end
    assert flow(pool(october, "m", 1)) == ("4", "10", "2", "0", "12")
    # on 15 November: of the carried 4, 2 were used and 2 are stale; of its own 10, 4 are carried
    assert flow(pool(november, "m", 0)) == ("12", "0", "0", "8", "4")
    assert flow(pool(november, "m", 1)) == ("4", "10", "13", "0", "1")


def test_what_is_carried_into_a_refill_may_expire_before_the_refill_does() -> None:
    monthly = gift("m", "10.00", every="month", rollover={"max": "4.00", "expires_after": "week"})
    october, november = through(
        at_one(credits=[monthly]),
        {"2026-10": [], "2026-11": [used("1", "2026-11-07T00:00:00Z"), used("12", "2026-11-08T00:00:00Z")]},
    )
    assert pool(october, "m").closing == 4
    # 1 of the carried 4 is used in the first week, 3 expire on the 8th; 10 of the 12 are paid
    assert flow(pool(november, "m")) == ("4", "10", "11", "3", "0")
    assert november.total == D("2.00")


def test_a_credit_may_be_refilled_and_reset() -> None:
    credit = gift("m", "10.00", every="month", resets=[{"at": "2026-10-10"}])
    usage = used("9", "2026-10-02T00:00:00Z"), used("9", "2026-10-21T00:00:00Z")
    assert rated(at_one(credits=[credit]), *usage).total == 0


def test_a_paid_credit_that_is_refilled_is_bought_anew_by_each_refill() -> None:
    october, november = through(
        at_one(credits=[topup("m", "10.00", cost="9.00", every="month")]),
        {"2026-10": [used("4")], "2026-11": [used("12", "2026-11-03T00:00:00Z")]},
    )
    assert by_kind(october) == {"usage": "4.00", "credit_draw": "-4.00", "credit_purchase": "9.00"}
    assert by_kind(november) == {"usage": "12.00", "credit_draw": "-10.00", "credit_purchase": "9.00"}
    # October earns the whole 9.00: 4 of the 10 were used, the other 6 expired with the month
    assert [sum(row.amount for row in schedule_for(october).now)] == [D("9.00")]
    assert sum(row.amount for row in schedule_for(november, [october]).now) == D("11.00")  # 9.00, and 2 billed


def test_a_bank_that_pays_nothing_in_a_month_keeps_what_it_paid_before() -> None:
    _, november = through(at_one(credits=[gift(currency=POINTS)]), {"2026-10": [used("2.00")], "2026-11": []})
    assert (pool(november, "gift").drawn, pool(november, "gift").booked_drawn) == (D(0), D("2.00"))


def test_credits_stop_at_what_is_due_after_a_later_tier_lowered_earlier_bills() -> None:
    clause = price("call.minutes", kind="volume", over="quarter", tiers=tiers(("10", "1"), (None, "0.9")))
    contract = a_contract(prices=[clause], credits=[gift(amount="100.00", effective="2026-11-01")])
    _, november = through(contract, {"2026-10": [used("10")], "2026-11": [used("30", "2026-11-02T00:00:00Z")]})
    # 30 x 0.9 = 27.00, and October's 10 at 0.9 instead of 1: -1.00. 26.00 are due, not 27.00
    assert (amounts(november, LineKind.CREDIT_DRAW), november.total) == (["-26.00"], D(0))
