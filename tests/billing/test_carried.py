"""A correction billed with the next invoice: its line names the original and both amounts, and everything ties."""

from decimal import Decimal

import pytest

from billing import carried, correcting, invariants, invoicing, posting, recognition
from billing.rating.statement import NegativeStatement
from models.correction import Correction, CorrectionStep, Settlement
from models.money import ZERO
from models.statement import LineKind
from tests.billing.test_corrections import CLOSED, again, approved, balances, taxed
from tests.statement_builders import a_line, a_statement, usage

D = Decimal
UP = again(taxed("100.00"), taxed("130.00"), Settlement.NEXT_PERIOD)
DOWN = again(taxed("100.00"), taxed("60.00"), Settlement.NEXT_PERIOD)
NOVEMBER = a_statement(
    usage("u1", "50.00", month="2026-11"),
    a_line("t", LineKind.TAX, "5.00", month="2026-11", obligation="tax"),
    month="2026-11",
)


@pytest.mark.parametrize(("correction", "delta", "total"), [(UP, "30.00", "88.00"), (DOWN, "-40.00", "11.00")])
def test_the_next_invoice_bills_the_difference_and_its_tax_and_ties_out(
    correction: Correction, delta: str, total: str
) -> None:
    statement = carried.with_corrections(NOVEMBER, [correction])
    (line,) = [one for one in statement.lines if one.kind is LineKind.CORRECTION]
    assert (line.amount, statement.total) == (D(delta), D(total))  # 55 and 110 % of the difference
    assert "2026-10@1/acme/USD billed 100.00 USD by u1" in line.explanation.sentence
    invoice = invoicing.invoice_for(statement, 1)
    schedule = recognition.schedule_for(statement)
    entries = posting.entries_for(statement, invoice, schedule, post_to="2026-11")
    assert invariants.broken(invariants.checks_of(statement, invoice, schedule, entries)) == ()
    assert schedule.earned == D(50)  # the difference was revenue when it was approved
    both = (*correcting.entries_of(correction, CLOSED, (D(100), D(10))), *entries)
    assert balances(both) == {
        "1100": D(total),
        "2200": -statement.tax,
        "4020": D(-50),
        "4930": -D(delta),
    }  # nothing stays unbilled


def test_no_corrections_no_change_and_one_is_billed_once() -> None:
    assert carried.with_corrections(NOVEMBER, []) is NOVEMBER
    view = approved(UP, CorrectionStep.SETTLED, CorrectionStep.POSTED)
    assert carried.to_carry([view], NOVEMBER, ()) == (UP,)
    assert carried.to_carry([approved(UP)], NOVEMBER, ()) == ()  # not posted yet
    assert carried.to_carry([view], taxed("1.00"), ()) == ()  # its own month
    billed = carried.with_corrections(NOVEMBER, [UP])
    december = a_statement(usage("u1", "1.00", month="2026-12"), month="2026-12")
    assert carried.to_carry([view], december, (billed,)) == ()


def test_more_than_the_month_asks_for_is_refused() -> None:
    small = a_statement(usage("u1", "43.99", month="2026-11"), month="2026-11")
    with pytest.raises(NegativeStatement):
        carried.with_corrections(small, [DOWN])
    assert (
        carried.with_corrections(a_statement(usage("u1", "44.00", month="2026-11"), month="2026-11"), [DOWN]).total
        == ZERO
    )
