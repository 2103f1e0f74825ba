"""The steps between two totals sum to the change, and each part of a total is told."""

from decimal import Decimal

from billing.bridge import bridge, totals_by_kind
from models.statement import LineKind
from tests.statement_builders import a_line, a_statement, bought, draw, fee, usage

D = Decimal


def test_from_one_month_to_the_next() -> None:
    prior = a_statement(
        usage("calls", "100.00", month="2026-09"),
        fee("platform", "50.00", "2026-09-01", "2026-10-01"),
        bought("topup", "topup", "40.00"),
        month="2026-09",
    )
    this = a_statement(
        usage("calls", "130.00"),
        fee("platform", "50.00", "2026-10-01", "2026-11-01"),
        usage("speech", "5.00", meter="stt.minutes"),
        draw("draw", "topup", {"calls": "25.00"}),
        a_line("vat", LineKind.TAX, "16.00"),
    )
    found = bridge(prior, this)
    assert (found.first, found.last, found.change) == (D("190.00"), D("176.00"), D("-14.00"))
    # calls have no quantity here, so their 30.00 more is another price; then what is not compared.
    assert [(step.name, step.amount) for step in found.steps] == [
        ("Prices", D("30.00")),
        ("New", D("5.00")),
        ("Credit bought", D("-40.00")),
        ("Paid by credits", D("-25.00")),
        ("Tax", D("16.00")),
    ]


def test_a_total_is_told_by_its_parts() -> None:
    statement = a_statement(
        usage("calls", "130.00"),
        fee("platform", "50.00", "2026-10-01", "2026-11-01"),
        draw("draw", "pool", {"calls": "40.00"}, pool=True),
    )
    assert [(part.name, part.amount) for part in totals_by_kind(statement)] == [
        ("Usage", D("130.00")),
        ("Fees", D("50.00")),
        ("Paid by commitments", D("-40.00")),
    ]
