"""Facts of a statement: what its lines sum to by meter, model and kind, and the name of all that a schedule is of."""

from decimal import Decimal

from models.entity import DEFAULT
from models.facts import LineFacts, LineSum, StatementFacts, inputs_of
from models.statement import LineKind
from tests.adapters.postgres.rows import a_contract
from tests.statement_builders import a_line, a_pool, a_statement, usage

D = Decimal


def test_lines_of_one_meter_model_and_kind_are_one_sum_and_what_a_discount_took_is_beside_it() -> None:
    first = usage("a", "10.00", model="nova-3").model_copy(
        update={"billed_quantity": D("1.5"), "dimensions": {"model": "nova-3", "provider": "one"}}
    )
    again = usage("b", "4.00", model="nova-3").model_copy(
        update={"billed_quantity": D("0.25"), "dimensions": {"model": "nova-3", "provider": "two"}}
    )
    covered = usage("c", "2.00", model="nova-3", covered_by="pool").model_copy(update={"billed_quantity": D(3)})
    off = a_line("off", LineKind.DISCOUNT, "-1.40", applied={"a": "1.00", "b": "0.40"})
    fee = a_line("fee", LineKind.FEE, "5.00")
    capped = a_line("cap", LineKind.MAXIMUM, "-5.00", applied={"fee": "5.00"})
    found = LineFacts.of(a_statement(first, covered, again, off, fee, capped)).sums
    # 1.5 + 0.25 units; 1.00 + 0.40 off; the provider of the line that came last.
    assert found == (
        LineSum("call.minutes", "nova-3", LineKind.USAGE, True, D(3), D(0), ""),
        LineSum("call.minutes", "nova-3", LineKind.USAGE, False, D("1.75"), D("-1.40"), "two"),
        LineSum("", "", LineKind.FEE, False, D(0), D("-5.00"), None),
    )


def test_facts_are_the_same_after_they_were_kept() -> None:
    statement = a_statement(
        usage("a", "10.00"),
        a_line("over", LineKind.OVERAGE, "3.00"),
        a_line("tax", LineKind.TAX, "0.70"),
        pools=(a_pool("pool", "prepaid", granted="100", drawn="60"),),
    )
    told = StatementFacts.of(statement, statement.fingerprint())
    assert (told.tax, told.overage, told.pools[0].closing) == (D("0.70"), D("3.00"), D(40))
    assert StatementFacts.from_text(told.canonical()) == told
    assert LineFacts.from_text(LineFacts.of(statement).canonical()) == LineFacts.of(statement)


def test_other_inputs_have_another_name() -> None:
    one, other = a_contract(), a_contract(effective="2026-06-01")
    names = [
        inputs_of(["a" * 64], [one], None, DEFAULT, ()),
        inputs_of(["b" * 64], [one], None, DEFAULT, ()),
        inputs_of(["a" * 64, "b" * 64], [one], None, DEFAULT, ()),
        inputs_of(["a" * 64], [one, other], None, DEFAULT, ()),
        inputs_of(["a" * 64], [one], None, DEFAULT.model_copy(update={"entity": "another"}), ()),
    ]
    assert len(set(names)) == len(names)
    assert inputs_of(["a" * 64], [one.fingerprint()], None, DEFAULT, ()) == names[0]
