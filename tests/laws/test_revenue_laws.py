"""Laws of policies and events (docs/accounting.md lists all 22): random contracts run to the end of their lives."""

import random
from collections import defaultdict
from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing import earning, invariants, posting, recognition
from billing.events import balances, entry_for, refuse_negative_liabilities
from billing.functional import functional_book
from billing.net_lines import NoRule
from billing.rating.statement import statement_for
from billing.revenue_terms import RevenueTerms
from models.contract import Contract
from models.entity import DEFAULT
from models.event import EVENT, Estimate
from models.journal import Account, JournalEntry, Rule
from models.money import total
from models.period import first_day, months_between, next_month
from models.rate_card import RateVersion
from models.statement import LineKind, Statement
from tests.billing.test_recognition import a_contract
from tests.billing.test_recognition_of_rated_months import minutes
from tests.billing.test_revenue_policies import estimate
from tests.laws.drawn import drawn_of
from tests.statement_builders import a_statement, an_invoice, fee, usage

D = Decimal
law = settings(max_examples=drawn_of(25), deadline=None)
YEAR = tuple(months_between("2026-01", "2026-12"))


def terms(breakage: str, billing: str, every: str = "quarter") -> Contract:
    """Return a year with a fee and a commitment under a breakage policy."""
    more = {"shortfall": "invoice"} if billing == "arrears" else {"shortfall": "forfeit"}
    return a_contract(
        prices=({"meter": "call.minutes", "price": {"kind": "unit", "amount": "1.00"}},),
        fees=({"id": "platform", "amount": "100.00", "every": "quarter"},),
        commitments=(
            {"id": "pool", "amount": "900.00", "every": every, "billing": billing, "breakage": breakage, **more},
        ),
    )


def rated(contract: Contract, used: list[int], months: tuple[str, ...] = YEAR) -> list[Statement]:
    """Return the statements of months with so many minutes each."""
    made: list[Statement] = []
    for month, quantity in zip(months, used, strict=True):
        made.append(statement_for([contract], [minutes(month, str(quantity))], [], month, made, engine="law"))
    return made


def booked(statements: list[Statement], contract: Contract, estimates: list[Estimate]) -> list[JournalEntry]:
    """Return the journal of statements in time; every month ties."""
    entries: list[JournalEntry] = []
    for place, one in enumerate(statements):
        schedule = recognition.schedule_for(one, statements[:place], [contract], None, DEFAULT, estimates)
        made = posting.entries_for(one, an_invoice(one), schedule, post_to=one.period)
        assert invariants.broken(invariants.checks_of(one, an_invoice(one), schedule, made)) == ()
        entries += made
    return entries


def revenue(entries: list[JournalEntry]) -> Decimal:
    """Return what entries recognize."""
    return -total(one.amount for entry in entries for one in entry.postings if one.account.is_revenue)


uses = st.lists(st.integers(0, 500), min_size=12, max_size=12)
guesses = st.lists(st.integers(1, 1200), min_size=1, max_size=4)


@pytest.mark.parametrize("billing", ["advance", "arrears"])
@law
@given(used=uses, guessed=guesses)
def test_8_both_breakage_policies_earn_the_whole_consideration_only_months_differ(
    billing: str, used: list[int], guessed: list[int]
) -> None:
    estimates = [
        estimate(f"2026-{3 * place + 1:02}-15", "pool", str(one), id=f"e{place}") for place, one in enumerate(guessed)
    ]
    totals = {}
    for policy in ("remote", "expected"):
        contract = terms(policy, billing)
        statements = rated(contract, used)
        entries = booked(statements, contract, estimates)
        totals[policy] = revenue(entries)
        assert revenue(entries) == total(one.subtotal for one in statements)
        assert {place[0] for place in balances(entries)} <= {Account.RECEIVABLE} | {a for a in Account if a.is_revenue}
        refuse_negative_liabilities(entries)
        for month in YEAR:  # 9: what is earned never passes what the year bills
            assert revenue([entry for entry in entries if entry.period <= month]) <= revenue(entries)
    assert totals["remote"] == totals["expected"]


@law
@given(used=uses, guess=st.integers(1, 1200))
def test_6_11_each_grant_rolls_forward_from_events_and_is_never_below_zero(used: list[int], guess: int) -> None:
    contract = terms("expected", "advance")
    statements = rated(contract, used)
    owed = D(0)
    for place, one in enumerate(statements):
        schedule = recognition.schedule_for(
            one, statements[:place], [contract], None, DEFAULT, [estimate("2026-01-01", "pool", str(guess))]
        )
        [position] = schedule.grants
        bought = total(line.amount for line in one.lines if line.kind is LineKind.COMMITMENT)  # from the statement
        owed += bought - position.drawn - position.expired
        assert owed == position.closing >= 0


@law
@given(st.lists(st.integers(1, 4000), min_size=2, max_size=8), st.integers(0, 2**32))
def test_16_the_order_of_usage_and_splitting_it_change_nothing(cents: list[int], seed: int) -> None:
    contract = terms("remote", "advance")
    day = [minutes("2026-01", "0").model_copy(update={"quantity": D(one) / 100}) for one in cents]
    shuffled = list(day)
    random.Random(seed).shuffle(shuffled)
    halves = [line.model_copy(update={"quantity": line.quantity / 2}) for line in day for _ in range(2)]
    statements = [
        statement_for([contract], lines, [], "2026-01", (), engine="law") for lines in (day, shuffled, halves)
    ]
    earned = [recognition.schedule_for(one, (), [contract]).earned for one in statements]
    assert earned[0] == earned[1] == earned[2]
    assert statements[0].total == statements[1].total == statements[2].total


@law
@given(uses, st.integers(1, 11), st.integers(1, 300))
def test_15_late_data_earns_what_data_in_time_would_have(used: list[int], place: int, late: int) -> None:
    contract = a_contract(prices=({"meter": "call.minutes", "price": {"kind": "unit", "amount": "1.00"}},))
    in_time, was_late = list(used), list(used)
    in_time[place - 1] += late
    was_late[place] += late  # received a month later, at the same price
    for through in range(place + 1, 13):
        both = [
            revenue(booked(rated(contract, one[:through], YEAR[:through]), contract, [])) for one in (in_time, was_late)
        ]
        assert both[0] == both[1]


@law
@given(uses, st.integers(1, 12), st.sampled_from(["advance", "arrears"]))
def test_20_as_if_ended_nothing_is_deferred_or_unbilled(used: list[int], months: int, how: str) -> None:
    contract = terms("remote", how)
    entries = booked(rated(contract, used[:months], YEAR[:months]), contract, [])
    said = {"clause": "9.2", "by": "pia", "approved_by": "cora", "rest": "forfeited"}
    last = first_day(next_month(YEAR[months - 1])) - timedelta(days=1)
    ended = entry_for(
        EVENT.validate_python({"event": "termination", "id": "t", "contract": contract.contract, "on": last, **said}),
        entries,
        RevenueTerms([contract]),
    )
    after = [*entries, *([ended] if ended is not None else [])]
    assert not [place for place in balances(after) if place[0].value in ("1110", "1120", "2100", "2110")]
    billed = total(one.amount for entry in after for one in entry.postings if one.account is Account.RECEIVABLE)
    assert revenue(after) == billed  # what was billed if it ended that day


@law
@given(uses)
def test_10_21_unbilled_is_nothing_and_lines_schedule_and_invoice_are_one_amount(used: list[int]) -> None:
    contract = terms("remote", "arrears")
    statements = rated(contract, used)
    for place, one in enumerate(statements):
        schedule = recognition.schedule_for(one, statements[:place], [contract])
        by_obligation: dict[str, Decimal] = defaultdict(Decimal)
        for line in one.lines:
            by_obligation[line.obligation] += line.amount
        for row in schedule.billed:
            by_obligation[row.obligation] -= row.amount
        assert set(by_obligation.values()) <= {D(0)}
        source = [minutes(one.period, str(used[place]))]
        again = statement_for([contract], source, [], one.period, statements[:place], engine="law")
        assert again == one  # re-rated from its source
        accrued = posting.accrual_for(one, schedule)
        unbilled = total(p.amount for entry in accrued for p in entry.postings if p.account is Account.UNBILLED)
        kinds = (LineKind.USAGE, LineKind.SHORTFALL)
        fees = [row.amount for row in schedule.now if row.credit is Account.PLATFORM_FEE]
        due = total(line.amount for line in one.lines if line.kind in kinds)
        assert unbilled == due + total(fees if place == 0 else [])  # the first quarter's fee is billed as it begins


@law
@given(uses, st.lists(st.integers(50, 200), min_size=12, max_size=12))
def test_1_2_the_functional_book_balances_whatever_the_rates(used: list[int], rates: list[int]) -> None:
    contract = terms("remote", "advance").model_copy(update={"currency": "EUR"})
    entries = booked(rated(contract, used), contract, [])
    versions = [
        RateVersion.model_validate(
            {"rate": "fx", "meter": "fx.EUR", "from": f"{month}-01T00:00:00Z", "amount": str(D(rate) / 100), "per": "1",
             "currency": "USD", "source": "law", "checked_on": "2026-01-01"}
        )
        for month, rate in zip(YEAR, rates, strict=True)
    ]  # fmt: skip
    book = functional_book(entries, DEFAULT, versions)
    for entry in book:
        assert total(one.amount for one in entry.postings) == 0
        assert entry.currency == "USD"
    left = balances(book)
    assert not [place for place in left if place[0] in (Account.PREPAID, Account.DEFERRED_TIME)]  # none is stranded
    euros = total(p.amount for e in entries for p in e.postings if p.account is Account.RECEIVABLE)
    at_closing = euros * rates[-1] / 100
    held = total(amount for place, amount in left.items() if place[0] is Account.RECEIVABLE)
    assert abs(held - at_closing) <= D("0.01") * 12


RULES = sorted(earning._ARREARS)


@pytest.mark.parametrize("kind", RULES, ids=str)
def test_22_a_deleted_rule_stops_the_month(kind: LineKind, monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.statement_builders import a_line

    one = a_statement(a_line("l", kind, "10.00"))
    recognition.schedule_for(one)
    monkeypatch.delitem(earning._ARREARS, kind)
    with pytest.raises(NoRule):
        recognition.schedule_for(one)


@pytest.mark.parametrize("text", sorted(posting._EARNED), ids=str)
def test_22_a_deleted_entry_stops_the_month(text: Rule, monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.billing.test_revenue_policies import FLOOR, arrears, pooled, prepaid

    lives: list[tuple[list[Statement], list[Contract], list[Estimate]]] = [
        ([pooled("2026-10", "0", "1200", "300"), pooled("2026-11", "900", "0", "0", "900")], [prepaid()], []),
        ([a_statement(fee("f", "90.00", "2026-10-01", "2026-12-30"), usage("u", "5.00"))], [], []),
        (FLOOR, [arrears(breakage="expected")], [estimate("2026-10-01", "floor", "600")]),
    ]
    monkeypatch.delitem(posting._EARNED, text)
    stopped = 0
    for statements, contracts, estimates in lives:
        for place, one in enumerate(statements):
            schedule = recognition.schedule_for(one, statements[:place], contracts, None, DEFAULT, estimates)
            needed = {row.rule for row in (*schedule.now, *schedule.moved)}
            if text not in needed:
                posting.entries_for(one, an_invoice(one), schedule, post_to=one.period)
                continue
            with pytest.raises(posting.NoEntry):
                posting.entries_for(one, an_invoice(one), schedule, post_to=one.period)
            stopped += 1
    assert stopped or text.value not in {"A3", "A5", "B1-earned", "B2", "C2", "C3"}
