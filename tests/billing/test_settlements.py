"""Settlements: tax remitted, losses, the customer's balance, refunds; each amount worked out by hand."""

from decimal import Decimal

import pytest

from billing.events import NegativeLiability, entry_for, refuse_negative_liabilities
from billing.settlements import EventRefused
from models.event import EVENT, Event
from models.journal import Account, JournalEntry, Posting, Rule
from tests.billing.test_events import booked, sides
from tests.statement_builders import a_statement, usage

D = Decimal
BILLED = tuple(booked(a_statement(usage("u", "100.00"))))
INVOICE = next(entry.invoice for entry in BILLED if entry.invoice)


def event(kind: str, on: str = "2026-11-20", **more: object) -> Event:
    """Return an event that pia proposes and cora approves."""
    people = {"by": "pia", "approved_by": "cora", "reason": "see the file"}
    said = {"event": kind, "id": f"{kind}-1", "contract": "acme-2026", "on": on, **people, **more}
    return EVENT.validate_python(said)


def after(entries: tuple[JournalEntry, ...], *events: Event) -> tuple[JournalEntry, ...]:
    """Return the entries with those of events, in order."""
    for one in events:
        made = entry_for(one, entries)
        entries = (*entries, *([made] if made else []))
    return entries


def moved(account: str, amount: str, obligation: str | None = None) -> JournalEntry:
    """Return an entry that gives the contract a balance on an account, against cash."""
    like = BILLED[0]
    sides_ = (
        Posting(account=Account(account), amount=D(amount), obligation=obligation),
        Posting(account=Account.CLEARING, amount=-D(amount)),
    )
    return like.model_copy(update={"key": f"given/{account}/{obligation}", "postings": sides_, "invoice": None})


def test_g1_tax_is_remitted_up_to_what_is_owed() -> None:
    owed = (*BILLED, moved("2200", "-8.25", "tax"))
    made = entry_for(event("remittance", amount="8.25"), owed)
    assert made is not None
    assert (made.rule, sides(made)) == (Rule.G1, {"2200": D("8.25"), "1010": D("-8.25")})
    with pytest.raises(EventRefused, match="more tax is remitted than is owed"):
        entry_for(event("remittance", amount="8.26"), owed)


def test_h1_an_allowance_is_what_is_expected_in_all_and_each_new_one_is_caught_up() -> None:
    first = event("allowance", id="a1", on="2026-10-31", expected_loss="10.00", evidence="aging: 100.00 × 10 %")
    more = event("allowance", id="a2", on="2026-11-30", expected_loss="25.00", evidence="aging: 100.00 × 25 %")
    less = event("allowance", id="a3", on="2026-12-31", expected_loss="5.00", evidence="aging: 100.00 × 5 %")
    entries = after(BILLED, first, more, less)
    assert [sides(one) for one in entries[-3:]] == [
        {"6100": D("10.00"), "1190": D("-10.00")},
        {"6100": D("15.00"), "1190": D("-15.00")},  # 25.00 − 10.00
        {"6100": D("-20.00"), "1190": D("20.00")},  # 5.00 − 25.00
    ]
    with pytest.raises(EventRefused, match="a larger loss is expected than is due"):
        entry_for(event("allowance", expected_loss="100.01", evidence="none"), BILLED)


def test_h2_a_write_off_takes_the_allowance_first_and_the_tax_that_comes_back() -> None:
    """90.00 of 100.00, 7.50 of it tax: 82.50 is lost, 30.00 of that was allowed for, 52.50 is expense now."""
    allowed = after(BILLED, event("allowance", on="2026-10-31", expected_loss="30.00", evidence="aging"))
    taxed = (*allowed, moved("2200", "-7.50", "tax"))
    made = entry_for(event("write_off", invoice=INVOICE, amount="90.00", tax="7.50"), taxed)
    assert made is not None
    assert (made.rule, made.invoice) == (Rule.H2, INVOICE)
    assert sides(made) == {"1190": D("30.00"), "6100": D("52.50"), "2200": D("7.50"), "1100": D("-90.00")}
    with pytest.raises(EventRefused, match="more is written off than is due"):
        entry_for(event("write_off", id="again", invoice=INVOICE, amount="10.01"), (*taxed, made))


def test_h3_what_was_written_off_is_recovered_once() -> None:
    off = after(BILLED, event("write_off", invoice=INVOICE, amount="60.00"))
    first = event("recovery", id="r1", on="2026-12-05", invoice=INVOICE, amount="45.00", fee="4.50")
    back = after(off, first)
    assert back[-1].rule is Rule.H3
    assert sides(back[-1]) == {"1010": D("40.50"), "6200": D("4.50"), "1190": D("-45.00")}
    assert [one.amount for one in back[-1].postings if one.account is Account.RECEIVABLE] == [D(45), D(-45)]
    with pytest.raises(EventRefused, match="more is recovered than was written off"):
        entry_for(event("recovery", id="r2", on="2026-12-06", invoice=INVOICE, amount="15.01"), back)


def test_e4_an_invoice_takes_what_the_balance_holds_and_no_more() -> None:
    held = (*BILLED, moved("2120", "-40.00"))
    made = entry_for(event("balance_use", invoice=INVOICE, amount="40.00"), held)
    assert made is not None
    assert (made.rule, sides(made)) == (Rule.E4, {"2120": D("40.00"), "1100": D("-40.00")})
    with pytest.raises(EventRefused, match="balance holds less"):
        entry_for(event("balance_use", invoice=INVOICE, amount="40.01"), held)
    with pytest.raises(EventRefused, match="less is due"):
        entry_for(event("balance_use", invoice="2026-09@1/acme/USD", amount="1.00"), held)


def test_e3_a_refund_empties_each_obligation_of_what_is_owed() -> None:
    owed = (*BILLED, moved("2130", "-70.00", "fee"), moved("2130", "-50.00", "pool"))
    made = entry_for(event("refund", of="liability", amount="100.00"), owed)
    assert made is not None
    assert (made.rule, sides(made)) == (Rule.E3, {"2130": D("100.00"), "1010": D("-100.00")})
    assert [(one.obligation, one.amount) for one in made.postings[:2]] == [("fee", D(70)), ("pool", D(30))]
    refuse_negative_liabilities([made], owed)
    with pytest.raises(EventRefused, match="more is refunded than is owed"):
        entry_for(event("refund", of="balance", amount="0.01"), owed)


def test_one_person_on_both_sides_and_a_part_above_its_whole_are_no_events() -> None:
    with pytest.raises(ValueError, match="may not approve"):
        event("refund", of="balance", amount="1", approved_by="pia")
    with pytest.raises(ValueError, match="more than what is written off"):
        event("write_off", invoice=INVOICE, amount="1.00", tax="1.01")
    with pytest.raises(ValueError, match="more than what came"):
        event("recovery", invoice=INVOICE, amount="1.00", fee="1.01")


def test_what_takes_more_than_is_owed_is_refused_by_name_and_what_was_wrong_before_is_not_blamed_on_others() -> None:
    owed = (moved("2110", "-10.00", "pool"),)
    with pytest.raises(NegativeLiability, match=r"2110 is -5\.00 USD") as refused:
        refuse_negative_liabilities([moved("2110", "15.00", "pool")], owed)
    assert "pool" in str(refused.value)
    assert "roll-forward" in refused.value.remedy
    broken = (*owed, moved("2110", "15.00", "pool"))
    refuse_negative_liabilities([moved("2130", "-5.00", "fee")], broken)
