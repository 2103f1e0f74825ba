"""Openings: a contract taken over while it runs goes on from where the books before left it, to the cent."""

from decimal import Decimal
from typing import Any

import pytest
from pydantic import ValidationError

from billing import invariants, openings, posting, recognition
from billing.rating.history import PriorMissing
from billing.rating.openings import OpeningRefused
from billing.rating.statement import statement_for
from models.contract import Contract
from models.journal import Account, JournalEntry
from models.money import total
from models.opening import Opening
from models.statement import LineKind, Statement
from models.usage import UsageLine
from tests.billing.rating.builders import a_contract, amounts, by_kind, flow, minutes_at, pool, tiers, used
from tests.statement_builders import an_invoice

D = Decimal
YEARLY = {"id": "year", "amount": "1200.00", "every": "year", "billing": "advance"}
OPEN = {"id": "year", "granted": "1200.00", "drawn": "900.00", "expired": "0", "deferred": "300.00"}


def an_opening(*pools: dict[str, Any], deferred: str = "300.00", **more: Any) -> Opening:
    """Return an opening of acme's contract as of 1 October."""
    content = {
        "schema": "tieout/opening/v1",
        "contract": "acme-2026",
        "customer": "acme",
        "currency": "USD",
        "as_of": "2026-10-01",
        "evidence": [{"note": "read from the former system by ann"}],
        "pools": list(pools),
        "balances": {"deferred": deferred, "unbilled": "0", "receivable": "0"},
    }
    return Opening.model_validate({**content, **more})


def months(
    contracts: Contract | list[Contract], opening: Opening, **usage: UsageLine | None
) -> tuple[list[Statement], list[JournalEntry]]:
    """Return statements and entries of months (`m10` for October) after an opening; every tie of each holds."""
    versions = contracts if isinstance(contracts, list) else [contracts]
    entry = openings.entry_for(opening, versions)
    entries = [entry] if entry else []
    statements: list[Statement] = []
    for name, line in usage.items():
        month = f"2026-{name[1:]}"
        lines = [line] if line else []
        one = statement_for(versions, lines, [], month, statements, engine="test", opening=opening)
        schedule = recognition.schedule_for(one, statements, versions, opening)
        made = posting.entries_for(one, an_invoice(one), schedule, post_to=month)
        assert invariants.broken(invariants.checks_of(one, an_invoice(one), schedule, made)) == ()
        statements.append(one)
        entries += made
    return statements, entries


def balance(entries: list[JournalEntry], account: Account) -> Decimal:
    return total(one.amount for entry in entries for one in entry.postings if one.account is account)


def test_a_yearly_pool_goes_on_from_the_opening_and_is_crossed_in_october() -> None:
    contract = a_contract(commitments=[YEARLY])
    (october, november), entries = months(
        contract, an_opening(OPEN), m10=used("8000"), m11=used("100", "2026-11-10T00:00:00Z")
    )
    # 8,000 x 0.05 = 400: the pool pays the 300 that are left, 100 are billed; November's 5 are billed whole
    assert flow(pool(october, "year")) == ("300", "0", "300", "0", "0")
    assert (october.total, november.total) == (D("100.00"), D("5.00"))
    assert flow(pool(november, "year")) == ("0", "0", "0", "0", "0")
    # without an opening the pool opens full, as it stands
    assert flow(pool(statement_for([contract], [used("8000")], [], "2026-10", engine="t"), "year"))[0] == "1200"
    assert balance(entries, Account.PREPAID) == 0
    assert balance(entries, Account.OPENING) == D("300.00")
    assert balance(entries, Account.USAGE_PREPAID) == D("-300.00")  # what was earned before is not earned again


def test_the_opening_entry_is_dated_before_the_first_day_and_moves_no_revenue() -> None:
    opening = an_opening(OPEN, balances={"deferred": "300.00", "unbilled": "40.00", "receivable": "500.00"})
    entry = openings.entry_for(opening, [a_contract(commitments=[YEARLY])])
    assert entry is not None
    assert (entry.key, entry.period, entry.posted_on.isoformat()) == ("opening/acme-2026", "2026-09", "2026-09-30")
    assert {one.account.value: one.amount for one in entry.postings} == {
        "1100": D("500.00"),
        "1110": D("40.00"),
        "2110": D("-300.00"),
        "3000": D("-240.00"),
    }
    late = openings.entry_for(opening, [a_contract(commitments=[YEARLY])], post_to="2026-11")
    assert late is not None
    assert (late.period, late.posted_on.isoformat()) == ("2026-11", "2026-11-01")
    assert late.substance() == entry.substance()


def test_an_amendment_of_a_pool_that_was_taken_over_bills_the_difference() -> None:
    first = a_contract(commitments=[YEARLY])
    more = a_contract(commitments=[{**YEARLY, "amount": "1800.00"}], effective="2026-11-01")
    (_, november), entries = months([first, more], an_opening(OPEN), m10=None, m11=None)
    assert by_kind(november) == {"commitment": "600.00"}  # 1,800 less the 1,200 that were paid before
    assert flow(pool(november, "year")) == ("300", "600", "0", "0", "900")
    assert balance(entries, Account.PREPAID) == D("-900.00")


def test_a_fee_billed_before_is_not_billed_again_and_is_earned_by_its_days() -> None:
    contract = a_contract(
        fees=[{"id": "platform", "amount": "310.00"}, {"id": "support", "amount": "365.00", "every": "year"}]
    )
    ahead = [
        {"id": "platform", "from": "2026-10-01", "until": "2026-11-01", "billed": "310.00", "deferred": "310.00"},
        {"id": "support", "from": "2026-01-01", "until": "2027-01-01", "billed": "365.00", "deferred": "92.00"},
    ]
    opening = an_opening(deferred="402.00", ahead=ahead)  # 92 of 365 days are left on 1 October, a dollar a day
    (october,), entries = months(contract, opening, m10=None)
    assert amounts(october, LineKind.FEE) == ["310.00"]  # November's, ahead
    assert balance(entries, Account.PLATFORM_FEE) == D("-341.00")  # October: 310 and 31 days of support
    assert balance(entries, Account.DEFERRED_TIME) == D("-371.00")  # November's 310 and 61 days of support


def test_a_fee_that_nobody_billed_is_billed_once_the_opening_says_so() -> None:
    contract = a_contract(fees=[{"id": "platform", "amount": "310.00"}])
    none = {"id": "platform", "from": "2026-10-01", "until": "2026-11-01", "billed": "0", "deferred": "0"}
    (october,), _ = months(contract, an_opening(deferred="0", ahead=[none]), m10=None)
    assert amounts(october, LineKind.FEE) == ["310.00", "310.00"]
    with pytest.raises(OpeningRefused, match="say what was billed of it"):
        openings.position_of(an_opening(deferred="0"), [contract])


def test_a_paid_credit_is_owed_at_what_it_cost() -> None:
    credit = {"id": "topup", "kind": "paid", "amount": "2000.00", "cost": "1800.00", "effective": "2026-03-15"}
    row = {"id": "topup", "granted": "2000.00", "drawn": "1000.00", "expired": "0", "deferred": "900.00"}
    (october,), entries = months(a_contract(credits=[credit]), an_opening(row, deferred="900.00"), m10=used("2000"))
    assert flow(pool(october, "topup")) == ("1000", "0", "100", "0", "900")  # 2,000 x 0.05
    assert balance(entries, Account.PREPAID) == D("-810.00")  # 900 credits at 0.90
    with pytest.raises(OpeningRefused, match=r"at its cost is 900.*deferred says 1000") as refused:
        openings.position_of(
            an_opening({**row, "deferred": "1000.00"}, deferred="1000.00"), [a_contract(credits=[credit])]
        )
    assert refused.value.place == ("pools", 0, "deferred")


def test_a_rollover_is_carried_over_the_opening_and_expires_in_its_month() -> None:
    quarterly = {"id": "quarter", "amount": "300.00", "every": "quarter", "billing": "advance"}
    contract = a_contract(commitments=[{**quarterly, "rollover": {"max": "50.00", "expires_after": "month"}}])
    row = {"id": "quarter", "granted": "300.00", "drawn": "230.00", "expired": "20.00", "deferred": "50.00"}
    begins = {"id": "quarter", "from": "2026-10-01", "until": "2027-01-01", "billed": "300.00", "deferred": "300.00"}
    opening = an_opening(row, deferred="350.00", ahead=[begins])
    (october, november), entries = months(contract, opening, m10=used("400"), m11=used("400", "2026-11-10T00:00:00Z"))
    # 400 x 0.05 = 20 of the carried 50 in October; its other 30 expire on 1 November, October's last instant
    assert flow(pool(october, "quarter")) == ("50", "300", "20", "30", "300")
    assert flow(pool(november, "quarter")) == ("300", "0", "20", "0", "280")
    assert (october.total, november.total) == (D(0), D(0))
    assert balance(entries, Account.PREPAID) == D("-280.00")
    assert balance(entries, Account.BREAKAGE) == D("-30.00")


def test_a_ramp_opens_in_its_own_window() -> None:
    ramp = {"id": "ramp", "ramp": ["100.00", "200.00", "300.00"], "every": "quarter", "billing": "arrears"}
    contract = a_contract(commitments=[ramp])
    opening = an_opening(
        {"id": "ramp", "granted": "200.00", "drawn": "150.00", "expired": "0"},
        deferred="0",
        as_of="2026-05-01",
    )
    statements, _ = months(contract, opening, m05=None, m06=None, m07=None)
    assert [by_kind(one) for one in statements] == [
        {},
        {"shortfall": "50.00"},
        {},
    ]  # 200 less 150, where the quarter ends
    assert flow(pool(statements[2], "ramp")) == ("0", "300", "0", "0", "300")


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"pools": []}, "the opening does not say what is left of it"),
        ({"pools": [{**OPEN, "granted": "1000.00", "drawn": "700.00"}]}, "the contract grants 1200.00"),
        ({"pools": [{**OPEN, "id": "other"}]}, "no window of this clause runs then"),
        ({"pools": [{**OPEN, "from": "2026-04-01"}]}, "begins on 2026-01-01"),
        ({"pools": [{**OPEN, "carried": "10.00", "drawn": "910.00"}]}, "nothing is carried"),
        ({"pools": [{**OPEN, "drawn": "800.00"}]}, r"closes with 400.00, which at its cost is 400.00; deferred says"),
        ({"as_of": "2026-10-02"}, "no billing period begins then"),
        ({"as_of": "2026-01-01"}, "taken over after 2026-01-01"),
        ({"currency": "EUR"}, "the contract's currency is USD"),
        ({"customer": "bolt"}, "the contract's customer is acme"),
        ({"contract": "acme-2025"}, "of another contract"),
    ],
)
def test_what_the_contract_does_not_allow_is_refused(change: dict[str, Any], what: str) -> None:
    opening = an_opening(OPEN)
    content = {**opening.model_dump(by_alias=True), **change}
    if change.get("pools") == []:
        content["balances"] = {"deferred": "0", "unbilled": "0", "receivable": "0"}
    with pytest.raises(OpeningRefused, match=what):
        openings.position_of(Opening.model_validate(content), [a_contract(commitments=[YEARLY])])


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"pools": [{**OPEN, "drawn": "1300.00", "deferred": "0"}]}, "pass what was there"),
        (
            {"balances": {"deferred": "299.99", "unbilled": "0", "receivable": "0"}},
            "pools and what is billed ahead defer 300",
        ),
        ({"balances": {"deferred": "300", "unbilled": "0.001", "receivable": "0"}}, "finer than the minor unit"),
        ({"pools": [OPEN, OPEN]}, "the pool year is there twice"),
        ({"evidence": []}, "at least 1"),
        ({"evidence": [{"document": "tb.pdf"}]}, "belong together"),
        ({"balances": {"deferred": 300.5, "unbilled": "0", "receivable": "0"}}, "a float has already lost digits"),
    ],
)
def test_what_does_not_balance_does_not_exist(change: dict[str, Any], what: str) -> None:
    with pytest.raises(ValidationError, match=what):
        an_opening(OPEN, **change) if "pools" not in change else an_opening(*change["pools"])


def test_a_position_that_an_opening_cannot_say_is_refused() -> None:
    steps = tiers(("1000", "1"), (None, "0.5"))
    yearly = {"meter": "call.minutes", "price": {"kind": "graduated", "over": "year", "tiers": steps}}
    with pytest.raises(OpeningRefused, match="accumulate over a year"):
        openings.position_of(an_opening(deferred="0"), [a_contract(prices=[yearly])])
    off = {"id": "off", "amount": "100.00", "every": "year"}
    with pytest.raises(OpeningRefused, match="begin it anew"):
        openings.position_of(an_opening(deferred="0"), [a_contract(prices=[minutes_at("1")], discounts=[off])])
    parts = a_contract(commitments=[{**YEARLY, "installments": "month"}])
    with pytest.raises(OpeningRefused, match="in installments"):
        openings.position_of(an_opening(OPEN), [parts])


def test_months_follow_the_opening_without_a_hole() -> None:
    contract, opening = a_contract(commitments=[YEARLY]), an_opening(OPEN)
    with pytest.raises(PriorMissing, match="a month has no statement"):
        statement_for([contract], [], [], "2026-11", engine="test", opening=opening)
    with pytest.raises(PriorMissing, match="before the opening"):
        statement_for([contract], [], [], "2026-09", engine="test", opening=opening)
