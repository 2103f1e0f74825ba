"""Posting: entries by rule, accrual at the lock, and the true-up of the invoice; amounts worked out beside them."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal

import pytest

from billing import invariants, posting, recognition
from models.journal import Account, JournalEntry
from models.statement import LineKind, Statement
from tests.statement_builders import a_line, a_pool, a_statement, an_invoice, bought, draw, fee, usage

D = Decimal
OCTOBER = a_statement(
    bought("b1", "topup", "900.00"),
    fee("f1", "2000.00", "2026-11-01", "2026-12-01"),
    usage("u1", "120.40", model="nova-3"),
    usage("u2", "100.00"),
    draw("x1", "topup", {"u2": "100.00"}),
    a_line("s1", LineKind.SHORTFALL, "79.60", obligation="floor", grant="floor"),
    a_line("t1", LineKind.TAX, "31.00", obligation="tax"),
    pools=(a_pool("topup", "paid", granted="1000", drawn="100", cost="900"),),
)


def balances(entries: Sequence[JournalEntry]) -> dict[str, Decimal]:
    """Return what entries leave on each account, zeros left out."""
    sums: dict[str, Decimal] = {}
    for entry in entries:
        for line in entry.postings:
            sums[line.account.value] = sums.get(line.account.value, D(0)) + line.amount
    return {account: amount for account, amount in sorted(sums.items()) if amount}


def posted(statement: Statement, post_to: str = "2026-10", **more: object) -> tuple[JournalEntry, ...]:
    """Return the entries of a statement with its own invoice."""
    return posting.entries_for(
        statement,
        an_invoice(statement),
        recognition.schedule_for(statement),
        post_to=post_to,
        close_run="2026-10@1",
        **more,  # type: ignore[arg-type]
    )


def accrued(statement: Statement) -> tuple[JournalEntry, ...]:
    """Return what is accrued of a statement at the lock."""
    return posting.accrual_for(statement, recognition.schedule_for(statement), close_run="2026-10@1")


def test_a_month_has_an_entry_for_each_rule() -> None:
    entries = posted(OCTOBER)
    assert [entry.rule.value for entry in entries] == ["A1", "B1-billed", "B2", "A3", "C1", "B3"]
    assert balances(entries) == {
        "1100": D("3131.00"),  # 900 + 2,000 + 120.40 + 79.60 + 31 tax; the draw and what it paid are nothing
        "2100": D("-2000.00"),
        "2110": D("-810.00"),  # 900 - 100 credits at 0.90
        "2200": D("-31.00"),
        "4020": D("-120.40"),
        "4025": D("-90.00"),
        "4040": D("-79.60"),
    }
    assert {entry.posted_on for entry in entries} == {date(2026, 10, 31)}
    assert entries[0].key == "2026-10@1/acme-2026/A1"


def test_revenue_names_its_line_meter_model_and_service_days() -> None:
    [usage_entry] = [entry for entry in posted(OCTOBER) if entry.rule.value == "B2"]
    credit = usage_entry.postings[-1]
    assert (credit.account, credit.rated_line, credit.meter, credit.model) == (
        Account.USAGE,
        "u1",
        "call.minutes",
        "nova-3",
    )
    assert (credit.service_from, credit.service_until) == (date(2026, 10, 1), date(2026, 11, 1))


def test_every_tie_of_the_close_holds() -> None:
    checks = invariants.checks_of(OCTOBER, an_invoice(OCTOBER), recognition.schedule_for(OCTOBER), posted(OCTOBER))
    assert invariants.broken(checks) == ()
    assert {check.name for check in checks} >= {"lines:invoice", "invoice:1100", "tax:2200", "grant:topup"}


def test_a_check_that_does_not_tie_shows_both_sides() -> None:
    entries = [entry for entry in posted(OCTOBER) if entry.rule.value != "A1"]
    broken = invariants.broken(
        invariants.checks_of(OCTOBER, an_invoice(OCTOBER), recognition.schedule_for(OCTOBER), entries)
    )
    assert {check.name: check.difference for check in broken} == {
        "invoice:1100": D("900.00"),
        "grant:topup": D("-900.00"),
    }


def test_a_locked_month_is_posted_to_the_first_day_of_the_open_one() -> None:
    entries = posted(OCTOBER, post_to="2026-12")
    assert {(entry.period, entry.posted_on) for entry in entries} == {("2026-12", date(2026, 12, 1))}
    assert entries[2].postings[-1].service_from == date(2026, 10, 1)
    assert balances(entries) == balances(posted(OCTOBER))


def test_accrual_then_the_same_invoice_is_the_same_month() -> None:
    at_lock, invoiced = accrued(OCTOBER), posted(OCTOBER, "2026-11", prior_accruals=accrued(OCTOBER))
    assert balances(at_lock) == {
        "1110": D("200.00"),  # 120.40 usage + 79.60 shortfall, not billed yet
        "1120": D("90.00"),  # drawn from credit that its invoice has yet to bill
        "4020": D("-120.40"),
        "4025": D("-90.00"),
        "4040": D("-79.60"),
    }
    assert all(entry.accrued and entry.invoice is None and entry.period == "2026-10" for entry in at_lock)
    # No revenue again; the draw is taken from what the invoice now makes us owe.
    assert [entry.rule.value for entry in invoiced] == ["A1", "B1-billed", "B3", "J1"]
    assert balances([entry for entry in invoiced if entry.rule.value == "J1"]) == {
        "1120": D("-90.00"),
        "2110": D("90.00"),
    }
    assert balances([*at_lock, *invoiced]) == balances(posted(OCTOBER))


def test_accrual_then_another_invoice_books_the_difference() -> None:
    final = a_statement(usage("u1", "150.00", model="nova-3"), usage("u3", "10.00", model="whisper"))
    first = a_statement(usage("u1", "120.40", model="nova-3"))
    entries = posted(final, "2026-11", prior_accruals=accrued(first))
    [true_up] = [entry for entry in entries if entry.rule.value == "J1"]
    assert balances([true_up]) == {"1110": D("39.60"), "4020": D("-39.60")}  # 150 + 10 - 120.40
    assert {(line.model, line.amount) for line in true_up.postings if line.account is Account.USAGE} == {
        ("nova-3", D("-29.60")),
        ("whisper", D("-10.00")),
    }
    schedule = recognition.schedule_for(final)
    checks = invariants.checks_of(final, an_invoice(final), schedule, entries, accrued(first))
    assert invariants.broken(checks) == ()


def test_a_true_up_past_the_tolerance_is_refused() -> None:
    first, final = a_statement(usage("u1", "100.00")), a_statement(usage("u1", "150.00"))
    with pytest.raises(posting.TrueUpTooLarge):
        posted(final, "2026-11", prior_accruals=accrued(first), true_up_limit=D("49.99"))
    assert posted(final, "2026-11", prior_accruals=accrued(first), true_up_limit=D("50.00"))


def test_accruals_of_another_run_or_contract_are_not_ours() -> None:
    other = [entry.model_copy(update={"close_run": "2026-10@2"}) for entry in accrued(OCTOBER)]
    assert posted(OCTOBER, prior_accruals=other) == posted(OCTOBER)


def test_a_promotional_credit_is_shown_gross_and_nets_to_nothing() -> None:
    entries = posted(
        a_statement(
            usage("u1", "50.00"),
            draw("x1", "launch", {"u1": "50.00"}, promotional=True),
            pools=(a_pool("launch", "promotional", granted="5000", drawn="50"),),
        )
    )
    assert balances(entries) == {"4020": D("-50.00"), "4910": D("50.00")}


def test_a_month_of_nothing_has_no_entries() -> None:
    assert posted(a_statement()) == ()
    assert posted(a_statement(usage("u1", "0.00"))) == ()


def test_what_is_not_of_one_another_does_not_tie() -> None:
    other = a_statement(usage("u1", "1.00"))
    schedule = recognition.schedule_for(OCTOBER)
    for invoice, plan, month in (
        (an_invoice(other), schedule, "2026-10"),
        (an_invoice(OCTOBER), recognition.schedule_for(other), "2026-10"),
        (an_invoice(OCTOBER), schedule, "2026-09"),
    ):
        with pytest.raises(posting.DoesNotTie):
            posting.entries_for(OCTOBER, invoice, plan, post_to=month)


def test_a_long_key_keeps_its_place_by_its_digest() -> None:
    [first, *_] = posted(a_statement(usage("u1", "1.00"), contract="c" * 120))
    [other, *_] = posted(a_statement(usage("u1", "1.00"), contract="c" * 119 + "d"))
    assert len(first.key) <= 128
    assert first.key != other.key
