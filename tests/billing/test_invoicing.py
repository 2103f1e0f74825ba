"""Invoicing: few grouped lines that sum to the statement to the cent, never more than Stripe takes."""

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.invoicing import NegativeInvoice, invoice_for
from models.invoice import MAX_INVOICE_LINES
from models.statement import BillTo
from tests.statement_builders import a_statement, draw, usage

D = Decimal


def test_lines_are_grouped_by_the_contracts_fields_and_sum_to_the_total() -> None:
    statement = a_statement(
        usage("u1", "10.00", model="a"), usage("u2", "5.50", model="b"), usage("u3", "1.00", meter="stt.minutes")
    )
    invoice = invoice_for(statement, 1)
    assert [(line.description, line.amount) for line in invoice.lines] == [
        ("Usage: call.minutes", D("15.50")),
        ("Usage: stt.minutes", D("1.00")),
    ]
    assert invoice.total == D("16.50")
    assert invoice.reference == "2026-10@1/acme/USD"


def test_draws_stand_as_negative_lines_and_zero_is_an_invoice() -> None:
    statement = a_statement(usage("u1", "10.00", covered_by="pool"), draw("d", "pool", {"u1": "10.00"}, pool=True))
    invoice = invoice_for(statement, 1)
    assert [line.amount for line in invoice.lines] == [D("10.00"), D("-10.00")]
    assert invoice.total == 0


def test_below_zero_is_refused() -> None:
    with pytest.raises(NegativeInvoice):
        invoice_for(a_statement(usage("u1", "-0.01")), 1)


def test_more_groups_than_stripe_takes_are_grouped_coarser() -> None:
    # ubicloud #715, parabol #6826: Stripe takes 250 items
    lines = [usage(f"u{n}", "1.00", model=f"m{n}") for n in range(MAX_INVOICE_LINES + 1)]
    statement = a_statement(*lines).model_copy(update={"bill_to": BillTo(net_days=30, group_by=("meter", "model"))})
    invoice = invoice_for(statement, 1)
    assert [line.description for line in invoice.lines] == ["Usage: call.minutes"]
    assert invoice.total == D(MAX_INVOICE_LINES + 1)
    assert len(invoice.lines[0].rated_lines) == MAX_INVOICE_LINES + 1


def test_a_reopened_close_has_a_reference_of_its_own() -> None:
    assert invoice_for(a_statement(usage("u1", "1.00")), 2).reference == "2026-10@2/acme/USD"


@settings(max_examples=50)
@given(st.lists(st.tuples(st.integers(0, 10**7), st.sampled_from("abcdef")), min_size=1, max_size=60))
def test_no_cent_and_no_line_is_lost(cents: list[tuple[int, str]]) -> None:
    lines = [usage(f"u{n}", str(D(amount) / 100), model=model) for n, (amount, model) in enumerate(cents)]
    invoice = invoice_for(a_statement(*lines), 1)
    assert invoice.total == sum(D(amount) for amount, _ in cents) / 100
    assert sorted(one for line in invoice.lines for one in line.rated_lines) == sorted(line.id for line in lines)
