"""Recognition: every expected amount is worked out beside it."""

from decimal import Decimal

import pytest

from billing import recognition
from billing.grants import CostUnknown, StatementsMissing
from billing.net_lines import NoRule
from models.contract import Contract
from models.journal import Account, Rule
from models.money import total
from models.revenue import RevenueSchedule
from models.statement import LineKind
from tests.statement_builders import a_line, a_pool, a_statement, bought, draw, fee, usage

D = Decimal


def earned(schedule: RevenueSchedule) -> dict[tuple[str, str, str], Decimal]:
    """Return what the month earns by rule, debit and credit."""
    sums: dict[tuple[str, str, str], Decimal] = {}
    for row in schedule.now:
        key = (row.rule.value, row.debit.value, row.credit.value)
        sums[key] = sums.get(key, D(0)) + row.amount
    return sums


def later(schedule: RevenueSchedule) -> dict[str, Decimal]:
    """Return what later months earn."""
    return {row.period: row.amount for row in schedule.later}


def a_contract(**more: object) -> Contract:
    """Return a contract in dollars for the year."""
    return Contract.model_validate(
        {
            "schema": "tieout/contract/v1",
            "contract": "acme-2026",
            "customer": "acme",
            "currency": "USD",
            "timezone": "UTC",
            "term": {"start": "2026-01-01", "end": "2027-01-01"},
            **more,
        }
    )


def test_usage_in_arrears_is_earned_in_its_month() -> None:
    schedule = recognition.schedule_for(a_statement(usage("u1", "120.40"), usage("u2", "9.60", model="nova-3")))
    assert earned(schedule) == {("B2", "1110", "4020"): D("130.00")}  # 120.40 + 9.60
    assert [row.model for row in schedule.now] == [None, "nova-3"]
    assert not schedule.later


def test_a_discount_lowers_the_revenue_of_the_line_it_was_applied_to() -> None:
    discount = a_line("d1", LineKind.DISCOUNT, "-12.00", applied={"u1": "10.00", "o1": "2.00"})
    schedule = recognition.schedule_for(
        a_statement(usage("u1", "100.00"), a_line("o1", LineKind.OVERAGE, "20.00", meter="call.minutes"), discount)
    )
    # 100.00 - 10.00 usage, 20.00 - 2.00 overage
    assert earned(schedule) == {("B2", "1110", "4020"): D("90.00"), ("B5", "1110", "4030"): D("18.00")}


def test_floor_and_cap_stay_in_usage_revenue() -> None:
    schedule = recognition.schedule_for(
        a_statement(
            usage("u1", "600.00"),
            a_line("m1", LineKind.MINIMUM, "400.00"),
            usage("u2", "95000.00"),
            a_line("x1", LineKind.MAXIMUM, "-5000.00", applied={"u2": "5000.00"}),
        )
    )
    assert earned(schedule) == {("B2", "1110", "4020"): D("91000.00")}  # 600 + 400 + 95,000 - 5,000


def test_a_fee_billed_for_next_month_is_earned_there() -> None:
    october = a_statement(fee("f1", "2000.00", "2026-11-01", "2026-12-01"))
    schedule = recognition.schedule_for(october)
    assert not schedule.now
    assert later(schedule) == {"2026-11": D("2000.00")}
    assert schedule.deferred_closing == D("2000.00")
    november = recognition.schedule_for(a_statement(month="2026-11"), [october])
    assert earned(november) == {("B1-earned", "2100", "4010"): D("2000.00")}
    assert (november.deferred_opening, november.deferred_closing) == (D("2000.00"), D(0))


def test_a_fee_of_a_quarter_is_earned_by_days_and_the_last_day_takes_the_rest() -> None:
    bill = fee("f1", "1000.00", "2026-10-01", "2027-01-01")  # 31 + 30 + 31 = 92 days
    schedule = recognition.schedule_for(a_statement(bill))
    # 1,000 x 31/92 = 336.956… -> 336.96; x 61/92 = 663.043… -> 663.04, less 336.96 = 326.08; the rest 336.96
    assert earned(schedule) == {("B1-earned", "1110", "4010"): D("336.96")}
    assert later(schedule) == {"2026-11": D("326.08"), "2026-12": D("336.96")}
    november = recognition.schedule_for(a_statement(month="2026-11"), [a_statement(bill)])
    assert earned(november) == {("B1-earned", "2100", "4010"): D("326.08")}


def test_a_fee_in_arrears_is_earned_as_it_is_billed() -> None:
    schedule = recognition.schedule_for(a_statement(fee("f1", "300.00", "2026-10-01", "2026-11-01")))
    assert earned(schedule) == {("B1-earned", "1110", "4010"): D("300.00")}


def test_a_month_without_statement_is_caught_up_in_the_next() -> None:
    bill = a_statement(fee("f1", "900.00", "2026-10-01", "2026-12-30"))  # 31 + 30 + 29 = 90 days, 10.00 a day
    december = recognition.schedule_for(a_statement(month="2026-12"), [bill])
    assert earned(december) == {("B1-earned", "2100", "4010"): D("590.00")}  # 30 x 10 + 29 x 10


def test_a_prepaid_commitment_is_owed_until_drawn() -> None:
    schedule = recognition.schedule_for(
        a_statement(
            bought("c1", "llm-year", "120000.00", commitment=True),
            usage("u1", "5000.00", covered_by="llm-year"),
            draw("p1", "llm-year", {"u1": "5000.00"}, pool=True),
            usage("u2", "40.00"),
            pools=(a_pool("llm-year", "prepaid", granted="120000", drawn="5000", cost="120000"),),
        )
    )
    assert earned(schedule) == {("A3", "2110", "4025"): D("5000.00"), ("B2", "1110", "4020"): D("40.00")}
    [position] = schedule.grants
    assert (position.opening, position.billed, position.drawn, position.closing) == (
        D(0),
        D("120000.00"),
        D("5000.00"),
        D("115000.00"),
    )


def test_credits_bought_below_their_face_earn_what_they_cost() -> None:
    # 20,000 credits for 18,000: each earns 0.90.
    october = a_statement(
        bought("b1", "topup", "18000.00"),
        usage("u1", "333.33"),
        draw("x1", "topup", {"u1": "333.33"}),
        pools=(a_pool("topup", "paid", granted="20000", drawn="333.33", cost="18000"),),
    )
    schedule = recognition.schedule_for(october)
    assert earned(schedule) == {("A3", "2110", "4025"): D("300.00")}  # 333.33 x 0.9 = 299.997
    november = recognition.schedule_for(
        a_statement(
            usage("u1", "19666.67", month="2026-11"),
            draw("x1", "topup", {"u1": "19666.67"}),
            month="2026-11",
            pools=(a_pool("topup", "paid", opening="19666.67", drawn="19666.67", cost="18000"),),
        ),
        [october],
    )
    assert earned(november) == {("A3", "2110", "4025"): D("17700.00")}  # the last credit takes the rest
    assert november.grants[0].closing == 0


def test_bonus_credits_share_the_cost_of_their_purchase() -> None:
    contract = a_contract(
        credits=(
            {"id": "topup", "kind": "paid", "amount": "20000", "cost": "18000", "effective": "2026-10-01"},
            {
                "id": "bonus",
                "kind": "promotional",
                "amount": "2000",
                "effective": "2026-10-01",
                "bundled_with": "topup",
            },
        )
    )
    schedule = recognition.schedule_for(
        a_statement(
            bought("b1", "topup", "18000.00"),
            usage("u1", "2000.00"),
            draw("x1", "bonus", {"u1": "2000.00"}, promotional=True),
            pools=(
                a_pool("topup", "paid", granted="20000", cost="18000"),
                a_pool("bonus", "promotional", granted="2000", drawn="2000"),
            ),
        ),
        contracts=[contract],
    )
    # 18,000 over 22,000 credits: the bonus' share is 18,000 x 2,000/22,000 = 1,636.36
    assert earned(schedule) == {("A3", "2110", "4025"): D("1636.36")}
    assert {row.grant: row.closing for row in schedule.grants} == {"bonus": D(0), "topup": D("16363.64")}


def test_a_promotional_credit_earns_nothing_and_shows_its_usage_gross() -> None:
    schedule = recognition.schedule_for(
        a_statement(
            usage("u1", "80.00"),
            draw("x1", "launch", {"u1": "50.00"}, promotional=True),
            pools=(a_pool("launch", "promotional", granted="5000", drawn="50"),),
        )
    )
    assert earned(schedule) == {("B2", "1110", "4020"): D("30.00")}  # 80 - 50
    [gross] = schedule.moved
    assert (gross.rule, gross.debit, gross.credit, gross.amount) == (
        Rule.D2,
        Account.PROMOTIONAL,
        Account.USAGE,
        D("50.00"),
    )


def test_expiry_is_breakage_and_an_expired_promotion_is_nothing() -> None:
    window = ("2026-10-01", "2026-11-01")
    schedule = recognition.schedule_for(
        a_statement(
            bought("b1", "topup", "90.00"),
            usage("u1", "25.00"),
            draw("x1", "topup", {"u1": "25.00"}),
            pools=(
                a_pool("topup", "paid", granted="100", drawn="25", expired="75", cost="90", window=window),
                a_pool("launch", "promotional", granted="50", expired="50", window=window),
            ),
        )
    )
    # 25 x 0.9 = 22.50 drawn; 75 x 0.9 = 67.50 expired
    assert earned(schedule) == {("A3", "2110", "4025"): D("22.50"), ("A5", "2110", "4050"): D("67.50")}


def test_a_shortfall_of_a_month_and_of_a_longer_period() -> None:
    schedule = recognition.schedule_for(
        a_statement(
            a_line("s1", LineKind.SHORTFALL, "800.00", obligation="floor-month", grant="floor-month"),
            a_line("s2", LineKind.SHORTFALL, "4000.00", since="2026-08-01", until="2026-11-01", obligation="minutes-q"),
        )
    )
    assert earned(schedule) == {("C1", "1110", "4040"): D("800.00"), ("C2", "1110", "4040"): D("4000.00")}


def test_a_credit_that_pays_a_fee_ahead_stays_owed_until_the_fee_is_earned() -> None:
    october = a_statement(
        bought("b1", "topup", "900.00"),
        fee("f1", "300.00", "2026-11-01", "2026-12-01"),
        draw("x1", "topup", {"f1": "100.00"}),
        pools=(a_pool("topup", "paid", granted="1000", drawn="100", cost="900"),),
    )
    schedule = recognition.schedule_for(october)
    # 200.00 of the fee is billed; 100 credits at 0.90 pay the rest: 90.00 moves from 2110 to 2100.
    assert [(row.rule, row.debit, row.credit, row.amount) for row in schedule.moved] == [
        (Rule.A3_DEFERRED, Account.PREPAID, Account.DEFERRED_TIME, D("90.00"))
    ]
    assert total(row.amount for row in schedule.later) == D("290.00")
    november = recognition.schedule_for(
        a_statement(month="2026-11", pools=(a_pool("topup", "paid", opening="900", cost="900"),)), [october]
    )
    assert earned(november) == {("B1-earned", "2100", "4010"): D("290.00")}


def test_a_commitment_in_installments_is_a_contract_asset_where_it_is_drawn_ahead() -> None:
    def month_of(name: str, opening: str, granted: str, drawn: str, bill: str) -> object:
        return a_statement(
            bought("i1", "year", bill, commitment=True),
            usage("u1", drawn, month=name, covered_by="year"),
            draw("p1", "year", {"u1": drawn}, pool=True),
            month=name,
            pools=(a_pool("year", "prepaid", opening=opening, granted=granted, drawn=drawn, cost="1200"),),
        )

    october = month_of("2026-10", "0", "1200", "150.00", "100.00")
    schedule = recognition.schedule_for(october)  # type: ignore[arg-type]
    # 100 billed, 150 drawn: 100 from what is owed, 50 ahead of the next installment.
    assert earned(schedule) == {("A3", "2110", "4025"): D("100.00"), ("C6", "1120", "4025"): D("50.00")}
    november = recognition.schedule_for(month_of("2026-11", "1050", "0", "30.00", "100.00"), [october])  # type: ignore
    # The installment clears 50 first, 50 is owed; of it 30 is drawn.
    assert {(row.credit, row.amount) for row in november.billed if row.rule is Rule.A1} == {
        (Account.CONTRACT_ASSET, D("50.00")),
        (Account.PREPAID, D("50.00")),
    }
    assert earned(november) == {("A3", "2110", "4025"): D("30.00")}
    assert november.grants[0].closing == D("20.00")  # 200 billed - 180 drawn


def test_a_grant_in_force_from_next_month_is_billed_and_not_drawn() -> None:
    window = ("2026-11-01", "2027-11-01")
    october = a_statement(
        bought("c1", "year", "1200.00", commitment=True),
        pools=(a_pool("year", "prepaid", granted="1200", cost="1200", window=window, in_force=False),),
    )
    november = a_statement(
        usage("u1", "10.00", month="2026-11", covered_by="year"),
        draw("p1", "year", {"u1": "10.00"}, pool=True),
        month="2026-11",
        pools=(a_pool("year", "prepaid", granted="1200", drawn="10", cost="1200", window=window),),
    )
    assert recognition.schedule_for(october).grants[0].closing == D("1200.00")
    schedule = recognition.schedule_for(november, [october])
    assert schedule.grants[0].closing == D("1190.00")


def test_a_carried_remainder_keeps_its_cost() -> None:
    first = ("2026-10-01", "2026-11-01")
    october = a_statement(
        bought("c1", "month", "90.00", commitment=True),
        usage("u1", "60.00", covered_by="month"),
        draw("p1", "month", {"u1": "60.00"}, pool=True),
        pools=(a_pool("month", "prepaid", granted="100", drawn="60", expired="30", cost="90", window=first),),
    )
    november = a_statement(
        bought("c1", "month", "100.00", commitment=True),
        usage("u1", "55.00", month="2026-11", covered_by="month"),
        draw("p1", "month", {"u1": "55.00"}, pool=True),
        month="2026-11",
        pools=(
            a_pool(
                "month",
                "prepaid",
                opening="10",
                granted="100",
                drawn="55",
                cost="100",
                window=("2026-11-01", "2026-12-01"),
            ),
        ),
    )
    # 10 credits carried at 0.90 = 9.00, with 100 at 1.00: 110 credits for 109.00; 55 of them earn 54.50.
    assert earned(recognition.schedule_for(november, [october])) == {("A3", "2110", "4025"): D("54.50")}


@pytest.mark.parametrize(
    ("broken", "refusal"),
    [
        (a_statement(a_line("x", LineKind.INCLUDED, "1.00")), NoRule),
        (a_statement(a_line("d", LineKind.DISCOUNT, "-1.00")), NoRule),
        (a_statement(usage("u", "1.00"), a_line("d", LineKind.DISCOUNT, "-1.00", applied={"gone": "1.00"})), NoRule),
        (a_statement(usage("u", "1.00", until="2026-11-02")), NoRule),
        (a_statement(usage("u", "1.00"), draw("x", "ghost", {"u": "1.00"})), NoRule),
        (
            a_statement(
                usage("u", "1.00"),
                draw("x", "topup", {"u": "1.00"}),
                pools=(a_pool("topup", "paid", granted="5", drawn="1"),),
            ),
            CostUnknown,
        ),
        (
            a_statement(bought("b", "topup", "4.00"), pools=(a_pool("topup", "paid", granted="5", cost="5"),)),
            CostUnknown,
        ),
        (
            a_statement(pools=(a_pool("topup", "paid", opening="5", cost="5", window=("2026-09-01", "2027-09-01")),)),
            StatementsMissing,
        ),
    ],
)
def test_what_has_no_rule_is_refused(broken: object, refusal: type[Exception]) -> None:
    with pytest.raises(refusal):
        recognition.schedule_for(broken)  # type: ignore[arg-type]


def test_earlier_statements_are_of_the_contract_and_in_order() -> None:
    august, september = a_statement(month="2026-08"), a_statement(month="2026-09")
    recognition.schedule_for(a_statement(), [august, september])
    for prior in ([september, august], [a_statement()], [a_statement(month="2026-09", contract="other")]):
        with pytest.raises(StatementsMissing):
            recognition.schedule_for(a_statement(), prior)


def test_terms_that_need_more_than_statements_are_refused_by_name() -> None:
    with pytest.raises(NoRule, match="calendar month"):
        recognition.schedule_for(a_statement(), contracts=[a_contract(invoice={"anchor": 15})])
