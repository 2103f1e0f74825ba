"""Recognition of what the rating engine really writes: a year of one contract, from usage to a journal that ties."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from billing import invariants, posting, recognition
from billing.rating.statement import statement_for
from models.contract import Contract
from models.journal import JournalEntry
from models.money import total
from models.period import first_day, months_between
from models.statement import Statement
from models.usage import UsageLine
from tests.statement_builders import an_invoice

D = Decimal
MONTHS = tuple(months_between("2026-01", "2026-12"))


def a_contract(effective: str | None = None, **more: object) -> Contract:
    """Return a contract for the year at 1.00 a minute."""
    return Contract.model_validate(
        {
            "schema": "tieout/contract/v1",
            "contract": "acme-2026",
            "customer": "acme",
            "currency": "USD",
            "timezone": "UTC",
            "term": {"start": "2026-01-01", "end": "2027-01-01"},
            "effective": effective,
            "prices": ({"meter": "call.minutes", "price": {"kind": "unit", "amount": "1.00"}},),
            **more,
        }
    )


def minutes(month: str, quantity: str) -> UsageLine:
    """Return a month's minutes, all in the first hour of its tenth day."""
    day = first_day(month).replace(day=10)
    at = datetime(day.year, day.month, day.day, tzinfo=UTC)
    return UsageLine(
        meter="call.minutes",
        dimensions={},
        starts_at=at,
        ends_at=at + timedelta(hours=1),
        quantity=D(quantity),
        events=1,
        source="test",
    )


def a_year(contracts: list[Contract], monthly: str) -> tuple[list[Statement], list[JournalEntry]]:
    """Return a year's statements and entries; every tie of every month holds."""
    statements: list[Statement] = []
    entries: list[JournalEntry] = []
    for month in MONTHS:
        statement = statement_for(contracts, [minutes(month, monthly)], [], month, statements, engine="test")
        schedule = recognition.schedule_for(statement, statements, contracts)
        invoice = an_invoice(statement)
        posted = posting.entries_for(statement, invoice, schedule, post_to=month)
        assert invariants.broken(invariants.checks_of(statement, invoice, schedule, posted)) == ()
        statements.append(statement)
        entries += posted
    return statements, entries


def balance(entries: list[JournalEntry], account: str, month: str | None = None) -> Decimal:
    """Return what an account holds, debits less credits (in one month's entries)."""
    return total(
        line.amount
        for entry in entries
        if month in (None, entry.period)
        for line in entry.postings
        if line.account.value == account
    )


def pool(**more: object) -> dict[str, object]:
    """Return a prepaid commitment of the year's windows."""
    return {"id": "pool", "amount": "1200", "every": "year", "billing": "advance", **more}


def test_a_yearly_pool_is_earned_as_used_and_its_rest_expires_with_the_year() -> None:
    _, entries = a_year([a_contract(commitments=(pool(),))], "90.50")
    assert balance(entries, "4025", "2026-01") == D("-90.50")
    assert balance(entries, "4025") == D("-1086.00")  # 12 x 90.50
    assert balance(entries, "4050", "2026-12") == D("-114.00")  # 1,200 - 1,086
    assert balance(entries, "2110") == 0


def test_an_amendment_inside_the_window_is_earned_too() -> None:
    amended = a_contract("2026-07-15", commitments=(pool(amount="1800"),))
    statements, entries = a_year([a_contract(commitments=(pool(),)), amended], "90.00")
    assert total(one.subtotal for one in statements) == D("1800.00")
    assert balance(entries, "4025") == D("-1080.00")  # 12 x 90
    assert balance(entries, "4050") == D("-720.00")  # 1,800 - 1,080
    assert balance(entries, "2110") == 0


def test_quarterly_pools_that_roll_over_keep_what_is_owed() -> None:
    quarterly = pool(amount="300", every="quarter", rollover={"max": "50"})
    statements, entries = a_year([a_contract(commitments=(quarterly,))], "80.00")
    # Each quarter: 300 new. 240 used. Rest 60: 50 carried, 10 expired. From the second quarter on the carried 50 are
    # used first, so 300 + 50 - 240 = 110, of which 50 are carried and 60 expire. What the last quarter carries has no
    # window to be used in: rating keeps it, so it stays owed.
    assert balance(entries, "4025") == D("-960.00")  # 12 x 80
    assert balance(entries, "4050", "2026-03") == D("-10.00")
    assert balance(entries, "4050", "2026-06") == D("-60.00")
    assert total(one.subtotal for one in statements) == D("1200.00")
    assert balance(entries, "2110") == D("-50.00")
    assert balance(entries, "4025") + balance(entries, "4050") == D("-1150.00")


def test_installments_are_drawn_ahead_as_a_contract_asset() -> None:
    _, entries = a_year([a_contract(commitments=(pool(installments="quarter"),))], "100.00")
    # 300 is billed a quarter, the first in January's close and the next in March's: by the end of each quarter as
    # much is used as was billed before the next.
    assert balance(entries, "4025") == D("-1200.00")
    assert balance(entries, "2110") == balance(entries, "1120") == 0


def test_bought_and_bonus_credits_earn_one_blended_cost() -> None:
    contract = a_contract(
        credits=(
            {"id": "topup", "kind": "paid", "amount": "1000", "cost": "900", "effective": "2026-01-01"},
            {"id": "bonus", "kind": "promotional", "amount": "100", "effective": "2026-01-01", "bundled_with": "topup",
             "priority": 10},
        )
    )  # fmt: skip
    _, entries = a_year([contract], "100.00")
    # 1,100 credits for 900: January uses the bonus' 100 for 81.82 (900 x 100/1,100 = 81.818…)
    assert balance(entries, "4025", "2026-01") == D("-81.82")
    assert balance(entries, "4025") == D("-900.00")  # eleven months use all 1,100
    assert balance(entries, "4020") == D("-100.00")  # December pays as it goes
    assert balance(entries, "2110") == 0


@pytest.mark.parametrize("timing", ["advance", "arrears"])
def test_a_monthly_fee_is_earned_in_its_month(timing: str) -> None:
    contract = a_contract(fees=({"id": "platform", "amount": "2000.00", "every": "month", "timing": timing},))
    statements, entries = a_year([contract], "1.00")
    assert {balance(entries, "4010", month) for month in MONTHS} == {D("-2000.00")}
    assert balance(entries, "2100") == 0
    assert total(one.subtotal for one in statements) == D("24012.00")  # 12 x 2,000 + 12 x 1


def test_a_floor_of_the_quarter_is_earned_at_its_end() -> None:
    floor = {"id": "floor", "amount": "500", "every": "quarter", "billing": "arrears", "shortfall": "invoice"}
    _, entries = a_year([a_contract(commitments=(floor,))], "100.00")
    assert balance(entries, "4040") == D("-800.00")  # four quarters of 500 - 300
    assert balance(entries, "4040", "2026-03") == D("-200.00")
    assert balance(entries, "4040", "2026-02") == 0
