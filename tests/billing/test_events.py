"""Events: what no statement has, booked from what the journal holds; each amount worked out by hand."""

from decimal import Decimal

import pytest

from billing import posting, recognition
from billing.events import NegativeLiability, balances, entry_for, refuse_negative_liabilities
from billing.settlements import EventRefused
from models.event import EVENT, Event
from models.journal import JournalEntry
from tests.billing.test_revenue_policies import FLOOR, arrears, estimate, pooled, prepaid
from tests.statement_builders import a_statement, an_invoice, fee, usage

D = Decimal


def event(kind: str, on: str, **more: object) -> Event:
    """Return an event of the contract."""
    return EVENT.validate_python({"event": kind, "id": f"{kind}-1", "contract": "acme-2026", "on": on, **more})


def booked(*statements: object, contracts: object = (), estimates: object = ()) -> list[JournalEntry]:
    """Return the entries of statements in time."""
    found: list[JournalEntry] = []
    for place, one in enumerate(statements):
        schedule = recognition.schedule_for(one, statements[:place], contracts, estimates=estimates)  # type: ignore
        found += posting.entries_for(one, an_invoice(one), schedule, post_to=one.period)  # type: ignore
    return found


def sides(entry: JournalEntry | None) -> dict[str, Decimal]:
    """Return an entry's amounts by account."""
    assert entry is not None
    sums: dict[str, Decimal] = {}
    for one in entry.postings:
        sums[one.account.value] = sums.get(one.account.value, D(0)) + one.amount
    return {account: amount for account, amount in sums.items() if amount}


def test_a2_a_payment_settles_its_invoice_less_what_the_processor_keeps() -> None:
    entries = booked(a_statement(usage("u", "100.00")))
    reference = entries[0].invoice or entries[-1].invoice
    paid = event("payment", "2026-10-31", invoice=reference, amount="100.00", fee="3.20")
    assert sides(entry_for(paid, entries)) == {"1010": D("96.80"), "6200": D("3.20"), "1100": D("-100.00")}
    again = [*entries, entry_for(paid, entries)]
    with pytest.raises(EventRefused, match="not open"):
        entry_for(event("payment", "2026-11-01", id="p2", invoice=reference, amount="1"), again)  # type: ignore[arg-type]
    with pytest.raises(EventRefused, match="more is paid"):
        entry_for(event("payment", "2026-11-01", invoice=reference, amount="100.01"), entries)


def test_a5_a8_what_remains_expires_or_goes_to_the_state() -> None:
    entries = booked(pooled("2026-10", "0", "1200", "300"))
    assert sides(entry_for(event("expiry", "2026-11-30", grant="pool"), entries)) == {
        "2110": D("900"),
        "4050": D("-900"),
    }
    state = event("unclaimed", "2026-11-30", grant="pool", law="Delaware 12 Del. C. 1130")
    assert sides(entry_for(state, entries)) == {"2110": D("900"), "2300": D("-900")}
    with pytest.raises(EventRefused, match="nothing is owed"):
        entry_for(event("expiry", "2026-11-30", grant="other"), entries)


def test_c7_a_carried_shortfall_is_earned_when_it_is_used() -> None:
    entries = booked(*FLOOR, contracts=[arrears(carries_forward=True)])
    used = event("carried_use", "2027-01-31", grant="floor", amount="150.00")
    assert sides(entry_for(used, entries)) == {"2110": D("150.00"), "4025": D("-150.00")}
    with pytest.raises(EventRefused, match="more is used"):
        entry_for(event("carried_use", "2027-01-31", grant="floor", amount="400.01"), entries)


def test_c8_a_termination_empties_what_is_owed_by_its_clause() -> None:
    month = pooled("2026-10", "0", "1200", "300")
    whole = a_statement(*month.lines, fee("f", "600.00", "2026-11-01", "2027-01-01"), pools=month.pools)
    entries = booked(whole, contracts=[prepaid()])
    said = {"clause": "12.3", "by": "pia", "approved_by": "cora"}
    kept = entry_for(event("termination", "2026-10-31", rest="forfeited", fee="50.00", **said), entries)
    # 900.00 of credit and 600.00 of fees are kept, 50.00 is asked for.
    assert sides(kept) == {
        "2110": D("900"),
        "4050": D("-900"),
        "2100": D("600"),
        "4010": D("-600"),
        "1100": D("50"),
        "4040": D("-50"),
    }
    back = entry_for(event("termination", "2026-10-31", rest="refunded", **said), entries)
    assert sides(back) == {"2110": D("900"), "2100": D("600"), "2130": D("-1500")}
    assert kept is not None
    left = balances([*entries, kept])
    assert not [place for place in left if place[0].value in ("2100", "2110", "1120")]


def test_c8_the_fee_of_a_termination_pays_the_contract_asset_first() -> None:
    entries = booked(
        FLOOR[0], contracts=[arrears(breakage="expected")], estimates=[estimate("2026-10-01", "floor", "600")]
    )
    said = {"clause": "12.3", "by": "pia", "approved_by": "cora"}
    # 100.00 of shortfall is accrued; the fee is 70.00, so 30.00 of it is taken back.
    ended = entry_for(event("termination", "2026-10-31", rest="forfeited", fee="70.00", **said), entries)
    assert sides(ended) == {"1100": D("70.00"), "1120": D("-100.00"), "4040": D("30.00")}


def test_an_event_of_a_locked_month_is_posted_to_the_first_open_one() -> None:
    entries = booked(pooled("2026-10", "0", "1200", "300"))
    entry = entry_for(event("expiry", "2026-10-31", grant="pool"), entries, post_to="2026-12")
    assert entry is not None
    assert (entry.period, str(entry.posted_on)) == ("2026-12", "2026-12-01")


def test_a_negative_liability_is_refused_by_name() -> None:
    entries = booked(pooled("2026-10", "0", "1200", "300"))
    refuse_negative_liabilities(entries)
    expired = entry_for(event("expiry", "2026-10-31", grant="pool"), entries)
    assert expired is not None
    with pytest.raises(NegativeLiability, match="pool"):  # the next month's statement draws on what expired
        refuse_negative_liabilities(
            [*booked(pooled("2026-10", "0", "1200", "300"), pooled("2026-11", "900", "0", "1")), expired]
        )
