"""Policies and estimates: each row of the entries table that needs more than a statement, worked out by hand."""

from decimal import Decimal

import pytest
from pydantic import ValidationError

from billing import invariants, posting, recognition
from billing.net_lines import NoRule
from models.contract import Contract
from models.entity import DEFAULT, Entity
from models.event import Estimate
from models.revenue import RevenueSchedule
from models.statement import LineKind, Pool, Statement
from tests.billing.test_recognition import a_contract, earned, later
from tests.statement_builders import a_line, a_pool, a_statement, an_invoice, bought, draw, fee, usage

D = Decimal
MONTHS = ("2026-10", "2026-11", "2026-12")
QUARTER = ("2026-10-01", "2027-01-01")


def estimate(on: str, subject: str, use: str | None = None, **more: object) -> Estimate:
    """Return an estimate recorded on a day."""
    content = {
        "id": f"est-{on}", "contract": "acme-2026", "on": on, "subject": subject, "expected_use": use,
        "evidence": "usage of last year", "reason": "quarterly review", "by": "pia", "approved_by": "cora",
    }  # fmt: skip
    return Estimate.model_validate({**content, **more})


def schedules(statements: list[Statement], contracts: list[Contract], *estimates: Estimate) -> list[RevenueSchedule]:
    """Return the schedule of each statement; each ties with its invoice and its entries."""
    found = []
    for place, one in enumerate(statements):
        schedule = recognition.schedule_for(one, statements[:place], contracts, None, DEFAULT, estimates)
        made = posting.entries_for(one, an_invoice(one), schedule, post_to=one.period)
        assert invariants.broken(invariants.checks_of(one, an_invoice(one), schedule, made)) == ()
        found.append(schedule)
    return found


def pooled(month: str, opening: str, granted: str, drawn: str, expired: str = "0") -> Statement:
    """Return a month that draws on a quarter's pool of 1,200 credits for 1,200.00."""
    lines = [bought("c", "pool", "1200.00", commitment=True)] if granted != "0" else []
    used = [usage("u", drawn, month=month), draw("d", "pool", {"u": drawn}, pool=True)] if D(drawn) else []
    pool = a_pool(
        "pool", "prepaid", opening=opening, granted=granted, drawn=drawn, expired=expired, cost="1200", window=QUARTER
    )
    return a_statement(*lines, *used, month=month, pools=(pool,))


def prepaid(**more: object) -> Contract:
    """Return a contract with a prepaid quarter."""
    pool = {"id": "pool", "amount": "1200", "every": "quarter", "billing": "advance", **more}
    return a_contract(commitments=(pool,))


def test_a6_expected_breakage_is_earned_with_use_and_a_new_estimate_is_caught_up() -> None:
    statements = [
        pooled("2026-10", "0", "1200", "300"),
        pooled("2026-11", "900", "0", "300"),
        pooled("2026-12", "600", "0", "200", "400"),
    ]
    first, second = estimate("2026-10-05", "pool", "900"), estimate("2026-11-20", "pool", "1000")
    october, november, december = schedules(statements, [prepaid(breakage="expected")], first, second)
    # 1,200 - 900 = 300 are not expected to be used; a third of the expected use is used: 100.00.
    assert earned(october) == {("A3", "2110", "4025"): D("300.00"), ("A6", "2110", "4050"): D("100.00")}
    # Now 200 are not expected; 600/1,000 of them is 120.00, 100.00 is booked.
    assert earned(november) == {("A3", "2110", "4025"): D("300.00"), ("A6", "2110", "4050"): D("20.00")}
    # 400 expire, 120.00 of it is earned already.
    assert earned(december) == {("A3", "2110", "4025"): D("200.00"), ("A5", "2110", "4050"): D("280.00")}
    assert sum(one.earned for one in (october, november, december)) == D("1200.00")
    assert [one.grants[0].closing for one in (october, november, december)] == [D("800.00"), D("480.00"), D(0)]


def test_both_breakage_policies_earn_the_same_in_the_end_and_use_past_the_estimate_takes_breakage_back() -> None:
    statements = [pooled("2026-10", "0", "1200", "500"), pooled("2026-11", "700", "0", "700")]
    october, november = schedules(statements, [prepaid(breakage="expected")], estimate("2026-10-05", "pool", "600"))
    assert october.earned == D("1000.00")  # 500.00 and 600 x 500/600 = 500.00
    # All is used: 700.00, and the breakage of 500.00 comes back.
    assert earned(november) == {("A3", "2110", "4025"): D("700.00"), ("A6", "2110", "4050"): D("-500.00")}
    remote = schedules(statements, [prepaid()])
    assert sum(one.earned for one in remote) == october.earned + november.earned == D("1200.00")


def test_expected_breakage_without_an_estimate_is_refused() -> None:
    with pytest.raises(NoRule, match="estimate"):
        schedules([pooled("2026-10", "0", "1200", "500")], [prepaid(breakage="expected")])
    with pytest.raises(NoRule, match="estimate"):  # one that is recorded after the month is not known in it
        schedules(
            [pooled("2026-10", "0", "1200", "5")], [prepaid(breakage="expected")], estimate("2026-11-01", "pool", "9")
        )


@pytest.mark.parametrize(
    ("terms", "rule", "account"),
    [
        ({}, "A5", "4050"),
        ({"rollover": {"max": "0"}}, "A7", "4050"),
        ({"refundable": True}, "A5", "2130"),
        ({"unclaimed_property": True}, "A8", "2300"),
    ],
)
def test_what_expires_is_earned_or_owed_to_whom_the_terms_say(
    terms: dict[str, object], rule: str, account: str
) -> None:
    statements = [pooled("2026-10", "0", "1200", "300"), pooled("2026-11", "900", "0", "0", "900")]
    november = schedules(statements, [prepaid(**terms)])[1]
    [row] = [*november.now, *november.moved]
    assert (row.rule.value, row.debit.value, row.credit.value, row.amount) == (rule, "2110", account, D("900.00"))
    assert november.earned == (D("900.00") if account == "4050" else 0)  # what is owed is never revenue


def floor(month: str, opening: str, drawn: str, shortfall: str | None = None) -> Statement:
    """Return a month that counts towards a quarter's floor of 900."""
    lines = [usage("u", drawn, month=month)]
    if shortfall:
        lines.append(
            a_line(
                "s",
                LineKind.SHORTFALL,
                shortfall,
                since=QUARTER[0],
                until=QUARTER[1],
                grant="floor",
                obligation="floor",
            )
        )
    pool: Pool = a_pool("floor", "postpaid", opening=opening, drawn=drawn, window=QUARTER)
    return a_statement(*lines, month=month, pools=(pool,))


def arrears(**more: object) -> Contract:
    """Return a contract with a quarter's floor."""
    return a_contract(
        commitments=(
            {"id": "floor", "amount": "900", "every": "quarter", "billing": "arrears", "shortfall": "invoice", **more},
        )
    )


FLOOR = [floor("2026-10", "900", "200"), floor("2026-11", "700", "200"), floor("2026-12", "500", "100", "400.00")]


def test_c3_an_expected_shortfall_is_a_contract_asset_until_it_is_billed() -> None:
    october, november, december = schedules(
        FLOOR, [arrears(breakage="expected")], estimate("2026-10-01", "floor", "600")
    )
    # 900 - 600 = 300 expected short; a third of the expected use: 100.00, then two thirds: 200.00.
    assert earned(october) == {("B2", "1110", "4020"): D("200.00"), ("C3", "1120", "4040"): D("100.00")}
    assert earned(november)["C3", "1120", "4040"] == D("100.00")
    # Billed: 400.00; 200.00 of it is earned already.
    assert earned(december) == {
        ("B2", "1110", "4020"): D("100.00"),
        ("C2", "1110", "4040"): D("400.00"),
        ("C3", "1120", "4040"): D("-200.00"),
    }
    assert sum(one.earned for one in (october, november, december)) == D("900.00")


def test_c2_the_remote_policy_earns_a_quarters_shortfall_at_its_end() -> None:
    october, november, december = schedules(FLOOR, [arrears()])
    assert [one.earned for one in (october, november, december)] == [D("200.00"), D("200.00"), D("500.00")]


def test_c7_a_shortfall_that_may_be_used_later_is_owed() -> None:
    december = schedules(FLOOR, [arrears(carries_forward=True)])[2]
    assert earned(december) == {("B2", "1110", "4020"): D("100.00")}
    assert [(row.rule.value, row.debit.value, row.credit.value, row.amount) for row in december.moved] == [
        ("C7", "1110", "2110", D("400.00"))
    ]


def test_d3_a_retroactive_tier_is_earned_at_its_expected_price() -> None:
    def month_of(month: str, units: str, amount: str) -> Statement:
        line = usage("u", amount, month=month).model_copy(update={"billed_quantity": D(units)})
        return a_statement(line, month=month)

    # List 10.00 a unit; from 100 units in the quarter all of them cost 8.00, which December gives back.
    statements = [
        month_of("2026-10", "40", "400.00"),
        month_of("2026-11", "40", "400.00"),
        month_of("2026-12", "40", "160.00"),
    ]
    window = {"from": "2026-10-01", "until": "2027-01-01"}
    first = estimate("2026-10-01", "call.minutes", expected_price="9.00", **window)
    second = estimate("2026-11-30", "call.minutes", expected_price="8.00", **window)
    october, november, december = schedules(statements, [a_contract()], first, second)
    # 40 x 9 = 360.00 earned, 40.00 owed back; then 80 x 8 = 640.00 earned to date: 160.00 owed, 120.00 more.
    assert earned(october) == {("B2", "1110", "4020"): D("400.00"), ("D3", "2130", "4020"): D("-40.00")}
    assert earned(november) == {("B2", "1110", "4020"): D("400.00"), ("D3", "2130", "4020"): D("-120.00")}
    assert earned(december) == {("B2", "1110", "4020"): D("160.00"), ("D3", "2130", "4020"): D("160.00")}
    assert sum(one.earned for one in (october, november, december)) == D("960.00")  # 120 x 8


def test_f2_late_usage_is_earned_where_it_is_received_with_its_old_dates() -> None:
    late = usage("old", "12.00", since="2026-09-03", until="2026-09-04")
    schedule = recognition.schedule_for(a_statement(usage("u", "5.00"), late))
    assert earned(schedule) == {("B2", "1110", "4020"): D("5.00"), ("F2", "1110", "4020"): D("12.00")}
    [row] = [row for row in schedule.now if row.rule.value == "F2"]
    assert (str(row.service_from), "late_usage" in row.why) == ("2026-09-03", True)


def test_a_fee_is_earned_by_equal_months_where_the_contract_says_so() -> None:
    contract = a_contract(fees=({"id": "platform", "amount": "1000", "every": "quarter", "ratable": "monthly"},))
    schedule = recognition.schedule_for(a_statement(fee("f", "1000.00", *QUARTER)), contracts=[contract])
    # A third is 333.33, two thirds 666.67, so November earns 333.34.
    assert schedule.earned == D("333.33")
    assert later(schedule) == {"2026-11": D("333.34"), "2026-12": D("333.33")}
    half = recognition.schedule_for(a_statement(fee("f", "300.00", "2026-10-17", "2026-12-01")), contracts=[contract])
    assert half.earned == D("97.83")  # 15/31 of 1 + 15/31 months: 300 x 15/46 = 97.826


def test_an_entity_signs_a_policy_before_it_holds_and_a_contract_wins_over_it() -> None:
    with pytest.raises(ValidationError, match="controller signs it"):
        Entity.model_validate({"policies": {"breakage": "expected"}})
    with pytest.raises(ValidationError, match="is no policy"):
        Entity.model_validate({"signed": {"brekage": {"by": "cora", "on": "2026-01-01"}}})
    signed = Entity.model_validate(
        {"policies": {"breakage": "expected"}, "signed": {"breakage": {"by": "cora", "on": "2026-01-01"}}}
    )
    assert ("breakage", "expected", "cora, 2026-01-01") in signed.standing()
    assert ("ratable", "daily", "default, unsigned") in signed.standing()
    one = pooled("2026-10", "0", "1200", "300")
    with pytest.raises(NoRule, match="estimate"):
        recognition.schedule_for(one, (), [prepaid()], None, signed)
    own = recognition.schedule_for(one, (), [prepaid(breakage="remote")], None, signed)
    assert own.earned == D("300.00")


def test_bonus_credits_are_free_where_the_entity_signs_that() -> None:
    signed = Entity.model_validate(
        {"policies": {"bundled_credits": "free"}, "signed": {"bundled_credits": {"by": "cora", "on": "2026-01-01"}}}
    )
    contract = a_contract(
        credits=(
            {"id": "topup", "kind": "paid", "amount": "100", "effective": "2026-10-01"},
            {"id": "bonus", "kind": "promotional", "amount": "50", "effective": "2026-10-01", "bundled_with": "topup"},
        )
    )
    pools = (
        a_pool("topup", "paid", granted="100", cost="100"),
        a_pool("bonus", "promotional", granted="50", drawn="50"),
    )
    one = a_statement(
        bought("b", "topup", "100.00"),
        usage("u", "50.00"),
        draw("x", "bonus", {"u": "50.00"}, promotional=True),
        pools=pools,
    )
    assert recognition.schedule_for(one, (), [contract]).earned == D("33.33")  # 100 x 50/150
    assert recognition.schedule_for(one, (), [contract], None, signed).earned == 0


@pytest.mark.parametrize(
    "terms",
    [
        {"breakage": "expected", "refundable": True},
        {"breakage": "expected", "rollover": {"max": "10"}},
        {"refundable": True, "unclaimed_property": True},
    ],
)
def test_terms_that_contradict_each_other_are_refused(terms: dict[str, object]) -> None:
    with pytest.raises(NoRule):
        schedules([pooled("2026-10", "0", "1200", "300")], [prepaid(**terms)], estimate("2026-10-01", "pool", "900"))


def test_nobody_approves_an_estimate_of_their_own() -> None:
    with pytest.raises(ValidationError, match="of their own"):
        estimate("2026-10-01", "pool", "900", approved_by="pia")
