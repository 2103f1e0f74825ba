"""Laws of rating: what holds for every contract and every usage. TIEOUT_LAW_CASES=20000 runs the slow ones longer."""

from datetime import date
from decimal import Decimal
from random import Random
from typing import Any

from hypothesis import given, reject, settings
from hypothesis import strategies as st

from billing.invoicing import invoice_for
from billing.rating.exact import exactly, settled
from billing.rating.statement import NegativeStatement
from billing.rating.windows import anchored
from models.contract import Contract
from models.money import ZERO, minor_digits, rounded, total
from models.statement import LineKind, RatedLine, Statement
from models.usage import UsageLine
from models.value import decimal_text
from tests.billing.rating.builders import MINUTES, a_contract, price, rated, through, tiers
from tests.explanation_reader import recomputed
from tests.laws.drawn import MONTHS, RATES, cases, contracts, holds, pieces, usages

METERED = (LineKind.USAGE, LineKind.OVERAGE, LineKind.INCLUDED, LineKind.EXCLUDED)
WEIGHTS = st.lists(st.integers(1, 9), min_size=2, max_size=4)
RANDOM = st.randoms(use_true_random=False)


def two_months(contract: Contract, october: list[UsageLine], november: list[UsageLine]) -> list[Statement]:
    """Return both months' statements. Where a later tier lowers earlier bills below zero, a person decides instead."""
    try:
        return through(contract, dict(zip(MONTHS, (october, november), strict=True)), RATES)
    except NegativeStatement:
        assert any(one.price.kind == "volume" and one.price.over == "quarter" for one in contract.prices)
        reject()


def paid_of(statement: Statement, line: RatedLine) -> Decimal:
    """Return what was taken off a line and paid of it by pools and credits."""
    return total(part.amount for other in statement.lines for part in other.applied if part.line == line.id)


@cases
def test_splitting_buckets_changes_nothing(cases: int) -> None:
    def law(contract: Contract, usage: list[UsageLine], weights: list[int]) -> None:
        split = [piece for line in usage for piece in pieces(line, weights)]
        assert rated(contract, *split, rates=RATES) == rated(contract, *usage, rates=RATES)

    holds(cases, law, contracts(), usages(), WEIGHTS)


@cases
def test_the_order_of_usage_lines_changes_nothing(cases: int) -> None:
    def law(contract: Contract, usage: list[UsageLine], random: Random) -> None:
        shuffled = list(usage)
        random.shuffle(shuffled)
        one, other = rated(contract, *shuffled, rates=RATES), rated(contract, *usage, rates=RATES)
        assert one.fingerprint() == other.fingerprint()

    holds(cases, law, contracts(by_event=True), usages(), RANDOM)


@cases
def test_pools_roll_forward_and_no_line_is_paid_more_than_it_owes(cases: int) -> None:
    def law(contract: Contract, october: list[UsageLine], november: list[UsageLine]) -> None:
        statements = two_months(contract, october, november)
        left = {(one.id, one.window): one.closing for one in statements[0].pools if one.in_force}
        for one in statements[1].pools:
            if (one.id, one.window) in left:
                assert one.opening == left[one.id, one.window]
        for statement in statements:
            for line in statement.lines:
                if line.kind in (LineKind.USAGE, LineKind.OVERAGE, LineKind.FEE) and line.amount >= 0:
                    assert paid_of(statement, line) <= line.amount
                if line.covered_by:
                    assert paid_of(statement, line) == line.amount
                assert line.amount == rounded(line.amount, statement.currency)

    holds(cases, law, contracts(by_event=True), usages(), usages(11))


@cases
def test_what_is_booked_of_a_pool_is_its_rounded_draw(cases: int) -> None:
    def law(contract: Contract, october: list[UsageLine], november: list[UsageLine]) -> None:
        statements = two_months(contract, october, november)
        booked: dict[str, Decimal] = {}
        for statement in statements:
            for line in statement.lines:
                if line.kind in (LineKind.POOL_DRAW, LineKind.CREDIT_DRAW):
                    amount = line.amount if line.contract_amount is None else line.contract_amount
                    booked[str(line.grant)] = booked.get(str(line.grant), ZERO) - amount
        windows = {(one.id, one.window): one for statement in statements for one in statement.pools if one.in_force}
        for name, amount in booked.items():
            assert amount == total(one.booked_drawn for (pool, _), one in windows.items() if pool == name)

    holds(cases, law, contracts(by_event=True), usages(), usages(11))


@cases
def test_usage_is_never_lost_or_rated_twice(cases: int) -> None:
    def law(contract: Contract, usage: list[UsageLine]) -> None:
        statement = rated(contract, *usage, rates=RATES)
        for meter in {line.meter for line in usage}:
            metered = total(line.quantity for line in usage if line.meter == meter)
            lines = [line for line in statement.lines if line.kind in METERED and line.meter == meter]
            with exactly():
                assert settled(total(line.quantity for line in lines), 30) == metered
            assert sum(line.explanation.events for line in lines) == sum(1 for line in usage if line.meter == meter)

    holds(cases, law, contracts(by_event=True), usages())


@cases
def test_the_same_inputs_give_the_same_fingerprint(cases: int) -> None:
    def law(contract: Contract, usage: list[UsageLine]) -> None:
        again = Contract.from_text(contract.canonical())
        assert rated(contract, *usage, rates=RATES).fingerprint() == rated(again, *usage, rates=RATES).fingerprint()

    holds(cases, law, contracts(by_event=True), usages())


@cases
def test_a_statement_reads_back_from_its_text(cases: int) -> None:
    def law(contract: Contract, usage: list[UsageLine]) -> None:
        statement = rated(contract, *usage, rates=RATES)
        assert Statement.from_text(statement.canonical()) == statement

    holds(cases, law, contracts(by_event=True), usages())


@cases
def test_every_amount_is_computed_again_from_the_rows_of_its_explanation(cases: int) -> None:
    def law(contract: Contract, october: list[UsageLine], november: list[UsageLine]) -> None:
        for statement in two_months(contract, october, november):
            for line in statement.lines:
                rows = [
                    (step.text, None if step.amount is None else decimal_text(step.amount))
                    for step in line.explanation.steps
                ]
                assert recomputed(rows) == line.amount, line.id

    holds(cases, law, contracts(by_event=True), usages(), usages(11))


@cases
def test_the_parts_of_a_statement_are_the_whole(cases: int) -> None:
    def law(contract: Contract, usage: list[UsageLine]) -> None:
        statement = rated(contract, *usage, rates=RATES)
        invoice = invoice_for(statement, 1)
        assert invoice.total == total(line.amount for line in invoice.lines) == statement.total
        assert sorted(key for line in invoice.lines for key in line.rated_lines) == sorted(
            line.id for line in statement.lines
        )
        for line in statement.lines:
            if line.kind in (LineKind.DISCOUNT, LineKind.MAXIMUM, LineKind.POOL_DRAW, LineKind.CREDIT_DRAW):
                assert total(part.amount for part in line.applied) == -line.amount

    holds(cases, law, contracts(by_event=True), usages())


@cases
def test_a_cut_of_the_period_that_changes_no_term_moves_no_more_than_rounding(cases: int) -> None:
    def law(contract: Contract, usage: list[UsageLine]) -> None:
        # What promotional credits paid is not counted: which floor lacks it goes by lines; a cut makes more.
        if any(not one.prepaid for one in contract.commitments):
            contract = contract.model_copy(update={"credits": ()})
        amended = contract.model_copy(update={"effective": date(2026, 10, 17)})
        whole, cut = rated(contract, *usage, rates=RATES), rated([contract, amended], *usage, rates=RATES)
        cent = Decimal(1).scaleb(-minor_digits(whole.currency))
        assert abs(cut.total - whole.total) <= cent * (len(cut.lines) + len(whole.lines))
        with exactly():
            flows = [
                {(one.id, one.window): settled(one.drawn, 30) for one in statement.pools if one.kind == "prepaid"}
                for statement in (whole, cut)
            ]
        assert flows[0] == flows[1]

    holds(cases, law, contracts(exchange=False), usages())


@cases
def test_running_totals_owe_the_same_however_the_usage_falls_into_months(cases: int) -> None:
    """Tiers over a quarter, a yearly pool and a credit without end: one month's bill, or two, come to one sum."""
    contract = a_contract(
        term={"start": "2026-10-01", "end": "2027-10-01"},
        prices=[price(MINUTES, kind="graduated", over="quarter", tiers=tiers(("90", "0.0133"), (None, "0.0077")))],
        commitments=[{"id": "pool", "amount": "0.40", "every": "year", "billing": "advance"}],
        credits=[{"id": "gift", "kind": "promotional", "amount": "0.35", "effective": "2026-10-01"}],
    )

    def law(usage: list[UsageLine], cut: int) -> None:
        mine = sorted((line for line in usage if line.meter == MINUTES), key=lambda line: line.starts_at)
        later = [_in_november(line) for line in mine[cut:]]
        one, two = two_months(contract, mine, []), two_months(contract, mine[:cut], later)
        assert total(month.total for month in one) == total(month.total for month in two)

    holds(cases, law, usages(), st.integers(0, 12))


def _in_november(line: UsageLine) -> UsageLine:
    return line.model_copy(
        update={"starts_at": line.starts_at.replace(month=11), "ends_at": line.ends_at.replace(month=11)}
    )


@given(st.dates(), st.integers(0, 48), st.integers(0, 48))
@settings(max_examples=50)
def test_anchored_days_ascend(first: Any, one: int, more: int) -> None:
    if first.year < 9990:
        assert anchored(first, one) <= anchored(first, one + more)
