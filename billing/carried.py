"""Carried: corrections that are lines of the next invoice, each naming the original line and both amounts."""

from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal

from billing.rating import keys
from billing.rating.statement import NegativeStatement
from models.correction import Correction, CorrectionStep, CorrectionView, DeltaLine, Settlement
from models.money import ZERO, money_text, total
from models.period import days_period
from models.statement import Explanation, LineKind, RatedLine, Statement, Step

_PREFIX = "correction/"


def to_carry(
    views: Iterable[CorrectionView], statement: Statement, prior: Sequence[Statement]
) -> tuple[Correction, ...]:
    """Return the posted corrections a statement bills: of earlier months, on no issued statement yet."""
    billed = {name for one in prior for name in carried_by(one)}
    return tuple(
        view.correction
        for view in views
        if view.counts
        and CorrectionStep.POSTED in {one.step for one in view.steps}
        and view.correction.request.settlement is Settlement.NEXT_PERIOD
        and view.correction.contract == statement.contract
        and view.correction.currency == statement.currency
        and view.correction.period < statement.period
        and view.correction.id not in billed
    )


def carried_by(statement: Statement) -> frozenset[str]:
    """Return the ids of the corrections a statement bills."""
    return frozenset(line.id.split("/")[1] for line in statement.lines if line.kind is LineKind.CORRECTION)


def with_corrections(statement: Statement, corrections: Sequence[Correction]) -> Statement:
    """Return a statement that bills corrections too, before its tax, with the tax of each; the same for none.

    Raises:
        NegativeStatement: they give back more than the month asks for.
    """
    if not corrections:
        return statement
    lines = [line for line in statement.lines if line.kind is not LineKind.TAX]
    taxes = [line for line in statement.lines if line.kind is LineKind.TAX]
    for correction in corrections:
        lines += [_line(correction, line, n, statement) for n, line in enumerate(correction.lines, 1)]
        taxes += list(_tax(correction, statement))
    subtotal, tax = total(line.amount for line in lines), total(line.amount for line in taxes)
    if subtotal + tax < 0:
        raise NegativeStatement(
            "corrections give back more than the month asks for", contract=statement.contract, total=subtotal + tax
        )
    return Statement.model_validate(
        {
            **{name: getattr(statement, name) for name in type(statement).model_fields},
            "lines": (*lines, *taxes),
            "subtotal": subtotal,
            "tax": tax,
            "total": subtotal + tax,
        }
    )


def _line(correction: Correction, line: DeltaLine, number: int, statement: Statement) -> RatedLine:
    currency, request = correction.currency, correction.request
    was, now = money_text(line.before, currency), money_text(line.after, currency)
    original = ", ".join(line.originals) or "nothing billed"
    what = " ".join((line.name, *line.dimensions.values()))
    return RatedLine(
        id=f"{_PREFIX}{correction.id}/{number}",
        kind=LineKind.CORRECTION,
        description=f"{request.invoice}, {what}: {request.cause.value}"[:500],
        dimensions=line.dimensions,
        clause=keys.key_of("correction", correction.id),
        service=days_period(line.service_from, line.service_until, statement.timezone),
        service_from=line.service_from,
        service_until=line.service_until,
        quantity=Decimal(1),
        billed_quantity=Decimal(1),
        amount=line.delta,
        precise_amount=line.delta,
        obligation=line.obligation,
        explanation=Explanation(
            sentence=f"{request.invoice} billed {was} by {original}; {now} is right ({request.cause.value}): "
            f"{money_text(line.delta, currency)}. {line.why}",
            clause=keys.key_of("correction", correction.id),
            contract_version=statement.contract_version,
            steps=(
                Step(text=f"right: {now}", amount=line.after),
                Step(text=f"billed by {original}: {was}", amount=line.delta),
            ),
            rounding_residue=ZERO,
        ),
    )


def _tax(correction: Correction, statement: Statement) -> Iterator[RatedLine]:
    if not correction.tax:
        return
    first = _line(correction, correction.lines[0], 1, statement)
    sentence = f"Tax of the correction {correction.id}: {money_text(correction.tax, correction.currency)}."
    yield first.model_copy(
        update={
            "id": f"tax/{_PREFIX}{correction.id}",
            "kind": LineKind.TAX,
            "description": f"Tax of {correction.request.invoice}, corrected",
            "dimensions": {},
            "obligation": "tax",
            "amount": correction.tax,
            "precise_amount": correction.tax,
            "explanation": first.explanation.model_copy(update={"sentence": sentence, "steps": ()}),
        }
    )
