"""What changed between two statements of a month: each line whose amount is another one, and nothing else."""

from decimal import Decimal

from billing.statement_changes import changes
from tests.statement_builders import a_statement, fee, usage


def test_a_line_that_moved_came_or_went_is_named_with_both_amounts() -> None:
    platform = fee("platform", "50.00", "2026-10-01", "2026-11-01")
    before = a_statement(usage("calls", "100.00"), usage("sms", "5.00"), platform)
    after = a_statement(usage("calls", "130.00"), platform, usage("late", "1.00"))
    assert [(one.line, one.before, one.after) for one in changes(before, after)] == [
        ("calls", Decimal(100), Decimal(130)),
        ("late", None, Decimal(1)),
        ("sms", Decimal(5), None),
    ]


def test_equal_statements_have_no_change() -> None:
    one = a_statement(usage("calls", "100.00"))
    assert changes(one, one) == ()
