"""Corrections: what may be corrected, what it comes to, who decides, and the entries, worked by hand."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from pydantic import ValidationError

from billing import correcting, corrections
from billing.correcting import Booking, Split
from billing.corrections import NoSuchLine, NotByCredit, NothingToCorrect, OverCredited, PoolsMove, WrongSettlement
from models.approval import Decision, Person
from models.close import DecisionKind, Role
from models.correction import (
    Cause,
    Correction,
    CorrectionRequest,
    CorrectionStep,
    CorrectionTaken,
    CorrectionView,
    LineCredit,
    Settlement,
)
from models.journal import Account, JournalEntry, Rule
from models.money import ZERO, total
from models.statement import LineKind, Statement
from tests.statement_builders import a_line, a_pool, a_statement, bought, draw, fee, usage

D = Decimal
AT = datetime(2026, 11, 20, tzinfo=UTC)
CLOSED = Booking("2026-11", date(2026, 11, 20), closed=True)
OPEN = Booking("2026-10", date(2026, 10, 31), closed=False)


def a_request(
    cause: Cause = Cause.GOODWILL,
    settlement: Settlement = Settlement.CREDIT_NOTE,
    credits: dict[str, str] | None = None,
    reason: str = "agreed with them",
) -> CorrectionRequest:
    return CorrectionRequest(
        invoice="2026-10@1/acme/USD",
        cause=cause,
        settlement=settlement,
        reason=reason,
        credits=tuple(LineCredit(line=line, amount=D(amount)) for line, amount in (credits or {}).items()),
    )


def by_hand(issued: Statement, request: CorrectionRequest, *earlier: CorrectionView, revenue: str = "0") -> Correction:
    if request.settlement is Settlement.VOID:
        lines = corrections.taken_back(request, issued, earlier)
    else:
        lines = corrections.credited(request, issued, earlier)
    tax = corrections.tax_of_credit(issued, lines, earlier)
    return corrections.correction_of(request, issued, lines, tax, earlier, D(revenue), proposed_by="pia", known_at=AT)


def again(
    issued: Statement,
    corrected: Statement,
    settlement: Settlement = Settlement.CREDIT_NOTE,
    cause: Cause = Cause.WRONG_RATE,
) -> Correction:
    request = a_request(cause, settlement)
    lines = corrections.rated_again(request, issued, corrected, (), next_issued=True)
    return corrections.correction_of(
        request,
        issued,
        lines,
        (issued.tax, corrected.tax),
        (),
        ZERO,
        proposed_by="pia",
        known_at=AT,
        corrected="c" * 64,
    )


def approved(correction: Correction, *more: CorrectionStep) -> CorrectionView:
    steps = (CorrectionStep.APPROVED, *more)
    return CorrectionView(
        correction=correction,
        steps=tuple(CorrectionTaken(correction=correction.id, step=one, at=AT) for one in steps),
    )


def taxed(*amounts: str) -> Statement:
    """Return a statement of usage lines u1, u2 … with 10 % tax."""
    lines = [usage(f"u{n}", amount, model=f"m{n}") for n, amount in enumerate(amounts, 1)]
    tax = total(line.amount for line in lines) / 10
    return a_statement(*lines, a_line("t", LineKind.TAX, f"{tax:.2f}", obligation="tax"))


def balances(entries: tuple[JournalEntry, ...]) -> dict[str, Decimal]:
    sums: dict[str, Decimal] = {}
    for entry in entries:
        for posting in entry.postings:
            sums[posting.account.value] = sums.get(posting.account.value, ZERO) + posting.amount
    return {account: amount for account, amount in sorted(sums.items()) if amount}


# What it comes to ---------------------------------------------------------------------------------------------------


def test_a_credit_by_hand_names_its_line_and_takes_its_tax_along() -> None:
    correction = by_hand(taxed("100.00", "50.00"), a_request(credits={"u1": "30.00"}))
    (line,) = correction.lines
    assert (line.originals, line.before, line.after) == (("u1",), D(100), D(70))
    assert (correction.net, correction.tax, correction.total) == (D(-30), D("-3.00"), D("-33.00"))  # 10 % of 120 is 12


def test_credits_that_add_up_give_back_all_of_the_tax_and_not_a_cent_more() -> None:
    issued = a_statement(usage("u1", "0.99"), a_line("t", LineKind.TAX, "0.08", obligation="tax"))
    given: list[CorrectionView] = []
    for reason in ("one", "two", "three"):
        given.append(approved(by_hand(issued, a_request(credits={"u1": "0.33"}, reason=reason), *given)))
    # 0.08 x 0.66 / 0.99 = 0.0533, x 0.33 / 0.99 = 0.0267, then nothing: 0.08 - 0.05, 0.05 - 0.03, 0.03
    assert [one.correction.tax for one in given] == [D("-0.03"), D("-0.02"), D("-0.03")]
    assert total(one.correction.total for one in given) == -issued.total


def test_more_than_what_is_left_of_a_line_is_refused_and_what_was_withdrawn_counts_for_nothing() -> None:
    issued = taxed("100.00", "50.00")
    first = by_hand(issued, a_request(credits={"u1": "80.00"}))
    with pytest.raises(OverCredited, match=r"left=20\.00"):
        by_hand(issued, a_request(credits={"u1": "20.01"}, reason="again"), approved(first))
    assert by_hand(issued, a_request(credits={"u1": "20.00"}, reason="again"), approved(first)).lines[0].after == 0
    assert by_hand(issued, a_request(credits={"u1": "100.00"}, reason="all"), approved(first, CorrectionStep.WITHDRAWN))


def test_a_line_that_is_not_there_and_one_that_sold_credits_are_refused() -> None:
    with pytest.raises(NoSuchLine):
        by_hand(taxed("1.00"), a_request(credits={"t": "0.10"}))
    sold = a_statement(bought("b", "credits", "10.00"), pools=(a_pool("credits", "paid", granted="10", cost="10"),))
    with pytest.raises(NotByCredit):
        by_hand(sold, a_request(credits={"b": "1.00"}))


def test_what_credit_paid_of_a_line_is_not_given_back_in_money() -> None:
    pool = a_pool("credits", "paid", opening="40", drawn="40", cost="40")
    issued = a_statement(usage("u1", "100.00"), draw("d", "credits", {"u1": "40.00"}), pools=(pool,))
    with pytest.raises(OverCredited, match=r"left=60\.00"):
        by_hand(issued, a_request(credits={"u1": "60.01"}))


def test_rated_again_the_places_that_differ_are_named_with_both_amounts() -> None:
    correction = again(taxed("100.00", "50.00"), taxed("60.00", "50.00"))
    (line,) = correction.lines
    assert (line.originals, line.before, line.after, line.delta) == (("u1",), D(100), D(60), D(-40))
    assert (correction.tax_before, correction.tax_after, correction.total) == (D("15.00"), D("11.00"), D("-44.00"))


def test_nothing_that_differs_nothing_to_correct() -> None:
    with pytest.raises(NothingToCorrect):
        again(taxed("100.00"), taxed("100.00"))


def test_pools_that_would_stand_elsewhere_are_refused() -> None:
    def drawn(amount: str) -> Statement:
        pool = a_pool("p", "prepaid", opening="500", drawn=amount)
        return a_statement(usage("u1", amount), draw("d", "p", {"u1": amount}, pool=True), pools=(pool,))

    with pytest.raises(PoolsMove):
        again(drawn("100.00"), drawn("60.00"))


def test_money_given_back_needs_something_that_goes_down() -> None:
    with pytest.raises(WrongSettlement):
        again(taxed("100.00"), taxed("110.00"), Settlement.CREDIT_NOTE)
    assert again(taxed("100.00"), taxed("110.00"), Settlement.NEXT_PERIOD).total == D("11.00")


@pytest.mark.parametrize(
    ("cause", "settlement", "credits"),
    [
        (Cause.WRONG_RATE, Settlement.CREDIT_NOTE, {"u1": "1"}),  # rated again, and an amount by hand
        (Cause.GOODWILL, Settlement.CREDIT_NOTE, {}),  # no amount
        (Cause.GOODWILL, Settlement.REBILL, {"u1": "1"}),  # billed again at what?
        (Cause.WRONG_RATE, Settlement.VOID, {}),  # taken back for good, and rated again
    ],
)
def test_a_request_that_says_two_things_is_malformed(
    cause: Cause, settlement: Settlement, credits: dict[str, str]
) -> None:
    with pytest.raises(ValidationError):
        a_request(cause, settlement, credits)


# Materiality and people ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("amount", "revenue", "material"),
    [
        ("999.99", "50000.00", False),
        ("1000.00", "50000.00", True),  # 1 % is 500: the greater is 1,000
        ("1999.99", "200000.00", False),
        ("2000.00", "200000.00", True),  # 1 % of 200,000
    ],
)
def test_material_is_the_greater_of_a_thousand_and_one_percent_of_the_months_revenue(
    amount: str, revenue: str, material: bool
) -> None:
    issued = a_statement(usage("u1", "300000.00"))
    assert by_hand(issued, a_request(credits={"u1": amount}), revenue=revenue).materiality.material is material


def decision(
    correction: Correction, person: str, *roles: Role, kind: DecisionKind = DecisionKind.APPROVE_CORRECTION, **more: str
) -> Decision:
    return Decision(
        id="d",
        kind=kind,
        period="2026-10",
        revision=1,
        customer=more.get("customer", "acme"),
        subject=more.get("subject", correction.fingerprint()),
        person=Person(id=person, name=person, roles=roles),
        reason=more.get("reason", "seen"),
        recorded_at=AT,
    )


def test_a_second_person_decides_about_exactly_what_was_seen_and_the_controller_on_what_is_material() -> None:
    small = by_hand(taxed("100.00"), a_request(credits={"u1": "10.00"}))
    large = by_hand(a_statement(usage("u1", "9000.00")), a_request(credits={"u1": "5000.00"}))
    approver, controller = Role.APPROVER, Role.CONTROLLER

    def code(one: Decision, about: Correction = small) -> str:
        return corrections.judge(one, about, corrections.DECIDING).code.value

    assert code(decision(small, "aron", approver)) == "taken"
    assert code(decision(small, "pia", approver)) == "preparer_may_not_approve"
    assert code(decision(small, "erik", Role.ENGINEER)) == "wrong_role"
    assert code(decision(small, "aron", approver, subject="f" * 64)) == "statement_changed"
    assert code(decision(small, "aron", approver, customer="bolt")) == "wrong_close"
    assert code(decision(small, "aron", approver, kind=DecisionKind.APPROVE)) == "not_waiting"
    assert code(decision(small, "aron", approver, kind=DecisionKind.REJECT_CORRECTION, reason=" ")) == "reason_missing"
    assert code(decision(large, "aron", approver), large) == "wrong_role"
    assert code(decision(large, "cora", controller), large) == "taken"


# Entries ------------------------------------------------------------------------------------------------------------


def test_goodwill_on_an_unpaid_invoice_of_a_closed_period_is_e2() -> None:
    correction = by_hand(taxed("100.00"), a_request(credits={"u1": "30.00"}))
    (entry,) = correcting.entries_of(correction, CLOSED, (D(100), D(10)))
    assert (entry.rule, entry.period, entry.posted_on) == (Rule.E2, "2026-11", date(2026, 11, 20))
    assert balances((entry,)) == {"1100": D(-33), "2200": D(3), "4920": D(30)}
    assert entry.postings[0].service_from == date(2026, 10, 1)  # the old service dates


@pytest.mark.parametrize(
    ("settlement", "rule", "account"),
    [
        (Settlement.REFUND, Rule.E3, Account.CLEARING),
        (Settlement.BALANCE, Rule.E4, Account.CUSTOMER_BALANCE),
        (Settlement.CREDIT_NOTE, Rule.E1, Account.RECEIVABLE),
    ],
)
def test_where_the_money_goes_decides_the_other_side(settlement: Settlement, rule: Rule, account: Account) -> None:
    correction = by_hand(taxed("100.00"), a_request(settlement=settlement, credits={"u1": "30.00"}))
    entries = correcting.entries_of(correction, OPEN, (D(100), D(10)))
    assert [entry.rule for entry in entries] == [rule]
    assert balances(entries) == dict(sorted({"2200": D(3), "4920": D(30), account.value: D(-33)}.items()))


def test_a_wrong_rate_of_a_closed_period_has_its_own_contra_account() -> None:
    down = correcting.entries_of(again(taxed("100.00"), taxed("60.00")), CLOSED, (D(100), D(10)))
    assert [entry.rule for entry in down] == [Rule.F4]
    assert balances(down) == {"1100": D(-44), "2200": D(4), "4930": D(40)}
    up = again(taxed("100.00"), taxed("130.00"), Settlement.NEXT_PERIOD)
    entries = correcting.entries_of(up, CLOSED, (D(100), D(10)))
    assert balances(entries) == {"1110": D(30), "4930": D(-30)}  # its tax comes with its invoice


def test_a_wrong_rate_of_an_open_period_is_reversed_and_posted_again() -> None:
    entries = correcting.entries_of(again(taxed("100.00"), taxed("60.00")), OPEN, (D(100), D(10)))
    assert [(entry.rule, entry.key.rpartition("/")[2]) for entry in entries[:2]] == [
        (Rule.F3, "reversed"),
        (Rule.F3, "again"),
    ]
    assert balances(entries[:1]) == {"1110": D(-100), "4020": D(100)}
    assert balances(entries[1:2]) == {"1110": D(60), "4020": D(-60)}
    assert balances(entries) == {"1100": D(-44), "2200": D(4), "4020": D(40)}
    assert {entry.period for entry in entries} == {"2026-10"}


def test_late_usage_of_a_closed_period_is_revenue_of_the_open_one() -> None:
    late = again(taxed("100.00"), taxed("130.00"), Settlement.NEXT_PERIOD, Cause.LATE_USAGE)
    (entry,) = correcting.entries_of(late, CLOSED, (D(100), D(10)))
    assert entry.rule is Rule.F2
    assert balances((entry,)) == {"1110": D(30), "4020": D(-30)}


def test_a_fee_gives_back_what_is_not_earned_from_what_is_deferred_and_later_months_earn_less() -> None:
    # 310.00 for 1 October to 31 January, 123 days, of which 123.00 is credited: 1.00 a day
    issued = a_statement(fee("f", "310.00", "2026-10-01", "2027-02-01"))
    correction = by_hand(issued, a_request(credits={"f": "123.00"}))
    now, december, january = correcting.entries_of(correction, CLOSED, (D(310), ZERO))
    assert balances((now,)) == {"1100": D(-123), "2100": D(62), "4920": D(61)}  # 61 days by the end of November
    assert (december.period, balances((december,))) == ("2026-12", {"2100": D(-31), "4920": D(31)})
    assert (january.period, balances((january,))) == ("2027-01", {"2100": D(-31), "4920": D(31)})
    assert balances(correcting.entries_of(correction, CLOSED, (D(310), ZERO), split=Split.CONTRA)) == {
        "1100": D(-123),
        "4920": D(123),
    }


def test_a_void_that_is_not_billed_again_takes_everything_back() -> None:
    correction = by_hand(taxed("100.00", "50.00"), a_request(Cause.DISPUTE, Settlement.VOID))
    entries = correcting.entries_of(correction, CLOSED, (D(150), D(15)))
    assert [entry.rule for entry in entries] == [Rule.E5]
    assert balances(entries) == {"1100": D(-165), "2200": D(15), "4920": D(150)}


@pytest.mark.parametrize(("where", "account"), [(CLOSED, "4930"), (OPEN, "4020")])
def test_void_and_rebill_leaves_revenue_alone_but_for_the_difference(where: Booking, account: str) -> None:
    correction = again(taxed("100.00"), taxed("60.00"), Settlement.REBILL)
    entries = correcting.entries_of(correction, where, (D(100), D(10)))
    void, rebill = entries[:2]
    assert balances((void,)) == {"1100": D(-110), "1110": D(100), "2200": D(10)}
    assert balances((rebill,)) == {"1100": D(66), "1110": D(-60), "2200": D(-6)}
    assert balances(entries) == {"1100": D(-44), "2200": D(4), account: D(40)}


def test_doing_it_again_gives_the_same_entries() -> None:
    correction = again(taxed("100.00"), taxed("60.00"))
    first = correcting.entries_of(correction, OPEN, (D(100), D(10)))
    assert correcting.entries_of(correction, OPEN, (D(100), D(10))) == first


def test_a_correction_is_booked_on_its_own_last_day_while_its_period_is_open_else_in_the_open_one() -> None:
    assert correcting.booking("2026-10", "2026-10", date(2026, 11, 3)) == OPEN
    assert correcting.booking("2026-10", "2026-11", date(2026, 11, 20)) == CLOSED
    assert correcting.booking("2026-10", "2026-12", date(2026, 11, 20)).day == date(2026, 12, 1)
