"""The functional book: euros in a dollar company, each rate and difference worked out by hand."""

from decimal import Decimal

import pytest

from billing import posting, recognition
from billing.events import entry_for
from billing.functional import functional_book
from billing.rating.rates import NoRate
from models.entity import DEFAULT
from models.journal import JournalEntry
from models.money import total
from models.rate_card import RateVersion
from tests.billing.test_events import event
from tests.statement_builders import a_pool, a_statement, an_invoice, bought, draw, usage

D = Decimal


def fx(day: str, amount: str) -> RateVersion:
    """Return what a euro is worth from a day on."""
    content = {
        "rate": "fx", "meter": "fx.EUR", "from": f"{day}T00:00:00Z", "amount": amount, "per": "1", "currency": "USD",
        "source": "reference rates", "checked_on": day,
    }  # fmt: skip
    return RateVersion.model_validate(content)


RATES = [fx("2026-10-01", "1.10"), fx("2026-11-15", "1.20")]


def euro_months() -> list[JournalEntry]:
    """Return October: credit for 1,000.00 EUR bought, 100.00 of usage; November: 400 of the credit drawn, then paid."""
    pools = [
        a_pool("topup", "paid", granted="1000", cost="1000"),
        a_pool("topup", "paid", opening="1000", drawn="400", cost="1000"),
    ]
    october = a_statement(bought("b", "topup", "1000.00"), usage("u", "100.00"), pools=(pools[0],), currency="EUR")
    november = a_statement(
        usage("u", "400.00", month="2026-11"), draw("d", "topup", {"u": "400.00"}),
        month="2026-11", pools=(pools[1],), currency="EUR",
    )  # fmt: skip
    entries: list[JournalEntry] = []
    for one, prior in ((october, []), (november, [october])):
        schedule = recognition.schedule_for(one, prior)
        entries += posting.entries_for(one, an_invoice(one), schedule, post_to=one.period)
    paid = entry_for(event("payment", "2026-11-20", invoice=an_invoice(october).reference, amount="1100.00"), entries)
    assert paid is not None
    return [*entries, paid]


def by_account(entries: tuple[JournalEntry, ...], month: str) -> dict[str, Decimal]:
    """Return what a month moves by account."""
    sums: dict[str, Decimal] = {}
    for entry in entries:
        for one in entry.postings if entry.period == month else ():
            sums[one.account.value] = sums.get(one.account.value, D(0)) + one.amount
    return {account: amount for account, amount in sums.items() if amount}


def test_draws_keep_the_grants_rate_and_the_payments_difference_is_realized() -> None:
    book = functional_book(euro_months(), DEFAULT, RATES)
    # October at 1.10: 1,100.00 EUR receivable, 1,000.00 owed, 100.00 earned. The closing rate is the same.
    assert by_account(book, "2026-10") == {"1100": D("1210.00"), "2110": D("-1100.00"), "4020": D("-110.00")}
    november = by_account(book, "2026-11")
    assert november["4025"] == D("-440.00")  # I3: 400 EUR at the grant's 1.10, though the rate is 1.20
    assert november["2110"] == D("440.00")
    # I1: 1,100.00 EUR at 1.20 is 1,320.00; the invoice is carried at 1,210.00: a gain of 110.00.
    assert (november["1010"], november["1100"], november["7100"]) == (D("1320.00"), D("-1210.00"), D("-110.00"))
    assert total(one.amount for entry in book for one in entry.postings) == 0
    assert {entry.currency for entry in book} == {"USD"}


def test_an_open_receivable_is_at_the_closing_rate_and_a_contract_liability_is_not() -> None:
    book = functional_book(euro_months()[:-1], DEFAULT, RATES)
    november = by_account(book, "2026-11")
    # I2: 1,100.00 EUR at 1.20 - 1.10.
    assert (november["1100"], november["7110"]) == (D("110.00"), D("-110.00"))
    [remeasured] = [entry for entry in book if entry.rule.value == "I2"]
    assert str(remeasured.posted_on) == "2026-11-30"


def test_a_missing_exchange_rate_refuses_the_book() -> None:
    with pytest.raises(NoRate, match="no rate version"):
        functional_book(euro_months(), DEFAULT, [fx("2026-11-15", "1.20")])


def test_entries_of_the_functional_currency_are_the_same_in_both_books() -> None:
    one = a_statement(usage("u", "12.34"))
    entries = posting.entries_for(one, an_invoice(one), recognition.schedule_for(one), post_to="2026-10")
    assert [entry.postings for entry in functional_book(entries, DEFAULT, [])] == [entry.postings for entry in entries]
