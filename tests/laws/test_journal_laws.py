"""Laws of revenue and journal (design: accounting.md (b), by their numbers), over whole lives of random contracts."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import ROUND_HALF_UP, Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from billing import invariants, posting, recognition
from models.journal import Account, JournalEntry, Posting
from models.money import total
from models.period import first_day, next_month
from models.statement import LineKind, Pool, RatedLine, Statement
from tests.adapters.postgres.rows import an_entry
from tests.laws.drawn import drawn_of
from tests.statement_builders import a_line, a_pool, a_statement, an_invoice, bought, draw, fee, usage

D = Decimal
FIRST = "2026-01"
CENT = D("0.01")
law = settings(max_examples=drawn_of(40))  # a whole life is up to six statements; 40 of them are a second

cents = st.integers(0, 500_000).map(lambda minor: D(minor) / 100)


@dataclass
class Month:
    """What happens in one month of a random contract."""

    metered: Decimal
    overage: Decimal
    shortfall: Decimal
    tax: Decimal
    discount_percent: int
    wanted_from_credit: Decimal
    wanted_from_promotion: Decimal
    is_invoiced_late: bool


@dataclass
class Life:
    """A random contract: a fee billed ahead, a paid credit at a cost, a promotional one; then its months."""

    fee: Decimal
    credits: Decimal
    cost: Decimal
    promotion: Decimal
    months: list[Month] = field(default_factory=list)


months = st.builds(
    Month,
    metered=cents,
    overage=cents,
    shortfall=cents,
    tax=cents,
    discount_percent=st.integers(0, 100),
    wanted_from_credit=cents,
    wanted_from_promotion=cents,
    is_invoiced_late=st.booleans(),
)
lives = st.builds(
    Life,
    fee=cents,
    credits=st.integers(1, 1_000_000).map(lambda minor: D(minor) / 100),
    cost=cents,
    promotion=st.integers(1, 100_000).map(lambda minor: D(minor) / 100),
    months=st.lists(months, min_size=1, max_size=6),
)


def statements_of(life: Life) -> list[Statement]:
    """Return a life's statements: the grants expire and the last fee ends with the last month."""
    names = [FIRST]
    while len(names) < len(life.months):
        names.append(next_month(names[-1]))
    ends_on = first_day(next_month(names[-1]))
    window = (first_day(FIRST).isoformat(), ends_on.isoformat())
    left, promotion = life.credits, life.promotion
    found = []
    for name, month in zip(names, life.months, strict=True):
        is_first, is_last = name == names[0], name == names[-1]
        lines: list[RatedLine] = [usage("u", str(month.metered), month=name, model="nova-3")]
        if is_first:
            lines.append(fee("f", str(life.fee), window[0], window[1]))  # for the whole term, ahead
            lines += [bought("b", "topup", str(life.cost))] if life.cost else []
        lines.append(a_line("o", LineKind.OVERAGE, str(month.overage), month=name))
        lines.append(a_line("s", LineKind.SHORTFALL, str(month.shortfall), month=name, obligation="floor"))
        lines.append(a_line("t", LineKind.TAX, str(month.tax), month=name, obligation="tax"))
        off = (month.metered * month.discount_percent / 100).quantize(CENT, ROUND_HALF_UP)
        due = month.metered - off
        if off:
            lines.append(a_line("d", LineKind.DISCOUNT, str(-off), month=name, applied={"u": str(off)}))
        from_credit = min(month.wanted_from_credit, left, due)
        from_promotion = min(month.wanted_from_promotion, promotion, due - from_credit)
        lines += [draw("x", "topup", {"u": str(from_credit)})] if from_credit else []
        lines += [draw("y", "launch", {"u": str(from_promotion)}, promotional=True)] if from_promotion else []

        def pool(name: str, kind: str, whole: Decimal, held: Decimal, drawn: Decimal, cost: str | None) -> Pool:
            begins = held == whole and is_first  # noqa: B023
            return a_pool(
                name,
                kind,
                opening="0" if begins else str(held),
                granted=str(whole) if begins else "0",
                drawn=str(drawn),
                expired=str(held - drawn) if is_last else "0",  # noqa: B023
                cost=cost,
                window=window,
            )

        found.append(
            a_statement(
                *lines,
                month=name,
                pools=(
                    pool("topup", "paid", life.credits, left, from_credit, str(life.cost)),
                    pool("launch", "promotional", life.promotion, promotion, from_promotion, None),
                ),
            )
        )
        left, promotion = left - from_credit, promotion - from_promotion
    return found


@dataclass
class Booked:
    """A month's statement with everything posted for it."""

    statement: Statement
    accruals: tuple[JournalEntry, ...]
    entries: tuple[JournalEntry, ...]


def booked(life: Life, *, late: bool) -> list[Booked]:
    """Return a life's entries; with `late`, months invoiced after their lock are accrued first."""
    found = []
    statements = statements_of(life)
    for place, (statement, month) in enumerate(zip(statements, life.months, strict=True)):
        schedule = recognition.schedule_for(statement, statements[:place])
        run = f"{statement.period}@1"
        accruals: tuple[JournalEntry, ...] = ()
        post_to = statement.period
        if late and month.is_invoiced_late:
            accruals = posting.accrual_for(statement, schedule, close_run=run)
            post_to = next_month(post_to)
        entries = posting.entries_for(
            statement, an_invoice(statement), schedule, post_to=post_to, prior_accruals=accruals, close_run=run
        )
        found.append(Booked(statement, accruals, entries))
    return found


def balances(entries: Sequence[JournalEntry]) -> dict[str, Decimal]:
    """Return what entries leave on each account, zeros left out."""
    sums: dict[str, Decimal] = defaultdict(Decimal)
    for entry in entries:
        for line in entry.postings:
            sums[line.account.value] += line.amount
    return {account: amount for account, amount in sums.items() if amount}


def all_of(months: Sequence[Booked]) -> list[JournalEntry]:
    """Return every entry of some months, in order."""
    return [entry for month in months for entry in (*month.accruals, *month.entries)]


def revenue_of(entries: Sequence[JournalEntry]) -> Decimal:
    """Return what entries recognize."""
    return -total(line.amount for entry in entries for line in entry.postings if line.account.is_revenue)


@law
@given(st.lists(st.integers(-10_000, 10_000).filter(bool), min_size=2, max_size=6))
def test_1_an_entry_balances_or_does_not_exist(minors: list[int]) -> None:
    def make() -> JournalEntry:
        lines = tuple(Posting(account=Account.UNBILLED, amount=D(minor) / 100) for minor in minors)
        return JournalEntry.model_validate({**dict(an_entry()), "postings": lines})

    if sum(minors) == 0:
        assert total(line.amount for line in make().postings) == 0
    else:
        with pytest.raises(ValidationError, match="does not balance"):
            make()


@law
@given(lives, st.booleans())
def test_2_7_every_month_ties_and_the_trial_balance_is_zero(life: Life, late: bool) -> None:
    months = booked(life, late=late)
    statements = [month.statement for month in months]
    for place, month in enumerate(months):
        schedule = recognition.schedule_for(month.statement, statements[:place])
        checks = invariants.checks_of(
            month.statement, an_invoice(month.statement), schedule, month.entries, month.accruals
        )
        assert invariants.broken(checks) == ()
    assert sum(balances(all_of(months)).values()) == 0


@law
@given(lives)
def test_4_doing_it_again_gives_the_same_entries_each_with_a_key_of_its_own(life: Life) -> None:
    first, second = all_of(booked(life, late=True)), all_of(booked(life, late=True))
    assert first == second
    assert len({entry.key for entry in first}) == len(first)


@law
@given(lives, st.booleans())
def test_8_over_its_life_a_contract_earns_what_it_was_billed_and_owes_nothing(life: Life, late: bool) -> None:
    months = booked(life, late=late)
    left = balances(all_of(months))
    consideration = total(month.statement.subtotal for month in months)
    assert revenue_of(all_of(months)) == consideration
    # Nothing is unbilled, drawn ahead, deferred or prepaid any more; what remains is the invoices and their tax.
    assert {account for account in left if account < "3000"} <= {"1100", "2200"}
    assert left.get("1100", 0) == total(month.statement.total for month in months)


@law
@given(lives)
def test_9_what_is_recognized_never_passes_what_the_contract_can_earn_and_never_falls(life: Life) -> None:
    so_far = D(0)
    months = booked(life, late=False)
    ceiling = total(month.statement.subtotal for month in months)
    for month in months:
        earned = revenue_of(month.entries)
        assert earned >= 0
        so_far += earned
        assert so_far <= ceiling


@law
@given(lives)
def test_11_used_expired_and_remaining_are_what_was_paid_to_the_cent(life: Life) -> None:
    statements = statements_of(life)
    used = expired = D(0)
    for place, statement in enumerate(statements):
        schedule = recognition.schedule_for(statement, statements[:place])
        for position in schedule.grants:
            if position.grant == "topup":
                used, expired = used + position.drawn, expired + position.expired
                assert position.drawn >= 0 <= position.expired
                assert used + expired + position.closing == life.cost
                assert position.closing >= 0
    assert used + expired == life.cost


@law
@given(lives)
def test_12_a_promotional_credit_nets_to_nothing_and_its_expiry_is_no_entry(life: Life) -> None:
    for month in booked(life, late=False):
        given_away = [entry for entry in month.entries if entry.rule.value == "D2"]
        assert revenue_of(given_away) == 0
        assert not [
            line
            for entry in month.entries
            if entry.rule.value == "A5"
            for line in entry.postings
            if line.grant == "launch"
        ]


@law
@given(lives)
def test_15_accrual_then_invoice_is_the_same_revenue_as_the_invoice_in_time(life: Life) -> None:
    in_time, late = booked(life, late=False), booked(life, late=True)
    for place in range(1, len(life.months) + 1):
        assert balances(all_of(late[:place])) == balances(all_of(in_time[:place]))
    # And each month's revenue is in its own period, whether its invoice came in time or not.
    for one, other in zip(in_time, late, strict=True):
        own = [entry for entry in (*other.accruals, *other.entries) if entry.period == one.statement.period]
        assert revenue_of(own) == revenue_of(one.entries)


@law
@given(st.integers(1, 100_000), st.integers(1, 400), st.integers(1, 28))
def test_a_fee_is_earned_whole_by_its_days_whatever_the_months(minor: int, days: int, start: int) -> None:
    begins = date(2026, 1, start)
    ends = date.fromordinal(begins.toordinal() + days)
    bill = a_statement(fee("f", str(D(minor) / 100), begins.isoformat(), ends.isoformat()), month=FIRST)
    schedule = recognition.schedule_for(bill)
    assert total(row.amount for row in schedule.rows) == D(minor) / 100
    assert all(row.amount > 0 for row in schedule.rows)
    assert [row.period for row in schedule.rows] == sorted({row.period for row in schedule.rows})


@law
@given(lives)
def test_13_revenue_by_model_and_meter_is_all_revenue(life: Life) -> None:
    for month in booked(life, late=False):
        by_line: dict[str | None, Decimal] = defaultdict(Decimal)
        for entry in month.entries:
            for line in entry.postings:
                if line.account.is_revenue and line.account is not Account.PROMOTIONAL:
                    by_line[line.rated_line] -= line.amount
                    assert line.rated_line is not None or line.account is Account.BREAKAGE
        promotional = balances(month.entries).get("4910", D(0))
        assert total(by_line.values()) == revenue_of(month.entries) + promotional
