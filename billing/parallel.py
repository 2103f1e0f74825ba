"""Parallel: statements beside the invoices another system sent, line by line. No cent is left without a name."""

from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal

from models.money import ZERO, total
from models.parallel import BilledLine, ComparedLine, Comparison
from models.refusal import Refusal
from models.statement import RatedLine, Statement


class TwoStatements(Refusal):
    """Two statements of one customer and currency are to be compared with one month's invoices."""

    remedy = "Compare one month at a time."


def compared(statements: Sequence[Statement], billed: Sequence[BilledLine]) -> Comparison:
    """Return both sides by customer and line.

    Ours are the rated lines by meter, else by clause, net of the discounts, caps, pools and credits that took from
    them; a reduction that was billed as a line of its own (named by its clause or description) is one here too.
    Theirs belongs to our line whose meter, clause or description it names, whatever the case.
    """
    known = [(one.customer, one.currency) for one in statements]
    for whose in known:
        if known.count(whose) > 1:
            raise TwoStatements("a customer has two statements", customer=whose[0], currency=whose[1])
    by_customer = dict(zip(known, statements, strict=True))
    rows: list[ComparedLine] = []
    for customer, currency in sorted({*known, *((one.customer, one.currency) for one in billed)}):
        theirs = [one for one in billed if (one.customer, one.currency) == (customer, currency)]
        rows += _of_customer(customer, currency, by_customer.get((customer, currency)), theirs)
    currencies = sorted({one.currency for one in rows})
    ours = {each: total(one.total for one in statements if one.currency == each) for each in currencies}
    sent = {each: total(one.amount for one in billed if one.currency == each) for each in currencies}
    return Comparison(
        lines=tuple(rows),
        rated=ours,
        billed=sent,
        difference={each: ours[each] - sent[each] for each in currencies},
    )


def _of_customer(
    customer: str, currency: str, statement: Statement | None, theirs: Sequence[BilledLine]
) -> Iterator[ComparedLine]:
    groups = _groups(statement, {_plain(one.line) for one in theirs}) if statement else {}
    names = {name: label for label, (_, known) in reversed(groups.items()) for name in known}
    billed: dict[str, list[Decimal]] = {}
    for one in theirs:
        billed.setdefault(names.get(_plain(one.line), one.line), []).append(one.amount)
    for label in [*groups, *(label for label in billed if label not in groups)]:
        ours = groups[label][0] if label in groups else ZERO
        sent = total(billed.get(label, ()))
        if ours == 0 and label not in billed:
            continue
        why = "differs" if label in groups and label in billed else "only rated" if label in groups else "only billed"
        yield ComparedLine(
            customer=customer,
            currency=currency,
            line=label,
            rated=ours,
            billed=sent,
            difference=ours - sent,
            why=why if ours != sent else "equal",
        )


def _groups(statement: Statement, asked: set[str]) -> dict[str, tuple[Decimal, set[str]]]:
    """Return our lines by label: the amount of each, and the names it answers to."""
    bought = {name for line in statement.lines if not line.applied for name in _names(line)}
    apart = {line.id for line in statement.lines if line.applied and (_names(line) - bought) & asked}
    net = {line.id: line.amount for line in statement.lines}
    for line in statement.lines:
        if line.applied and line.id not in apart:
            net[line.id] += total(part.amount for part in line.applied)
            for part in line.applied:
                net[part.line] -= part.amount
    groups: dict[str, tuple[Decimal, set[str]]] = {}
    for line in statement.lines:
        if line.applied and line.id not in apart and net[line.id] == 0:
            continue
        label = _label(line) if line.id not in apart or _plain(_label(line)) not in bought else line.description
        amount, names = groups.get(label, (ZERO, set()))
        groups[label] = amount + net[line.id], names | (_names(line) if line.id not in apart else _names(line) - bought)
    return groups


def _label(line: RatedLine) -> str:
    return line.meter or line.clause


def _names(line: RatedLine) -> set[str]:
    names: Iterable[str | None] = (line.meter, line.clause, line.description)
    return {_plain(name) for name in names if name}


def _plain(name: str) -> str:
    return " ".join(name.casefold().split())
