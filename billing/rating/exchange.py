"""Exchange: lines in the contract's currency become lines in the invoice's, each rounded once there.

Everything before runs in the contract's currency: prices, pools, floors, credits, earlier statements. What is left of a
line after each discount, cap and draw is converted and rounded, and what was left before is taken off: so a line that
was paid in full is paid in full in any currency, and covered lines cancel with their draws.
"""

from collections.abc import Sequence
from decimal import Decimal

from billing.rating.exact import settled
from billing.rating.explanation import rounding, text_of
from billing.rating.history import History
from billing.rating.rates import RateBook, exchange_rate
from billing.rating.timeline import Timeline
from models.money import ZERO, money_text, rounded, total
from models.period import Period
from models.rate_card import RateVersion
from models.statement import Applied, Exchange, Pool, RatedLine, Step


def rate_for(timeline: Timeline, book: RateBook) -> RateVersion | None:
    """Return the rate version that turns the contract's currency into the invoice's; None where they are one.

    It is the one in force at the period's last instant. Raises NoRate where the fx source has none.
    """
    contract = timeline.contract
    if contract.fx is None or contract.fx.invoice_currency == contract.currency:
        return None
    return exchange_rate(contract, book, contract.currency, contract.fx.invoice_currency, timeline.last_instant)


def shown(rate: RateVersion, currency: str) -> Exchange:
    """Return the exchange as a statement shows it."""
    return Exchange(
        rate_version=rate.id, rate_source=rate.told, contract_currency=currency, amount=rate.amount, per=rate.per
    )


def converted(lines: Sequence[RatedLine], rate: RateVersion) -> list[RatedLine]:
    """Return the lines in the rate's currency; `contract_amount` keeps what each was in the contract's."""
    left = {line.id: (line.amount, line.precise_amount) for line in lines}
    booked = {line.id: rounded(_at(rate, _billed(line)), rate.currency) for line in lines}
    found = []
    for line in lines:
        amount, applied = booked[line.id], []
        for part in line.applied:
            owed, exact = left[part.line]
            left[part.line] = owed - part.amount, exact - part.amount
            after = _remainder(*left[part.line], rate, booked[part.line])
            applied.append(Applied(line=part.line, amount=booked[part.line] - after))
            booked[part.line] = after
        if line.applied:
            amount = -total(part.amount for part in applied)
        found.append(_line(line, amount, tuple(part for part in applied if part.amount), rate))
    return found


def costed(pools: Sequence[Pool], rate: RateVersion, history: History, span: Period) -> tuple[Pool, ...]:
    """Return the pools with their cost in the invoice's currency, at the rate of the statement that began them."""
    return tuple(
        pool if pool.cost is None else pool.model_copy(update={"cost": _cost(pool, pool.cost, rate, history, span)})
        for pool in pools
    )


def _cost(pool: Pool, cost: Decimal, rate: RateVersion, history: History, span: Period) -> Decimal:
    known = history.pools(pool.id, pool.window.starts_at) if pool.window.starts_at < span.starts_at else ()
    if known and known[-1].cost is not None:
        return known[-1].cost
    return rounded(_at(rate, cost), rate.currency)


def _remainder(owed: Decimal, exact: Decimal, rate: RateVersion, before: Decimal) -> Decimal:
    """Return what is left of a line in the invoice's currency: nothing where nothing is, never more than before."""
    if owed == 0:
        return ZERO
    after = rounded(_at(rate, exact), rate.currency)
    return min(max(after, ZERO), before) if before >= 0 else after


def _billed(line: RatedLine) -> Decimal:
    """Return what of a line is billed, exactly: nothing of one whose share of its pool's rounded draw is nothing."""
    return ZERO if line.covered_by and line.amount == 0 else line.precise_amount


def _at(rate: RateVersion, amount: Decimal) -> Decimal:
    return settled(amount * rate.amount / rate.per)


def _line(line: RatedLine, amount: Decimal, applied: tuple[Applied, ...], rate: RateVersion) -> RatedLine:
    precise, told = _at(rate, line.precise_amount), line.explanation
    by = f"x {text_of(rate.amount)}" + ("" if rate.per == 1 else f" / {text_of(rate.per)}")
    billed = _billed(line)
    exact = Step(text=f"in {rate.currency}, by {rate.id}: {text_of(billed)} {by}", amount=_at(rate, billed))
    steps = [*told.steps, exact, rounding(amount, rate.currency)]
    if line.applied:
        steps = [*told.steps, Step(text=f"in {rate.currency}, by {rate.id}, what is left of each line rounded")]
        steps += [Step(text=f"of {part.line}", amount=-part.amount) for part in applied]
    sentence = f"{told.sentence} On the invoice: {money_text(amount, rate.currency)}."
    return line.model_copy(
        update={
            "amount": amount,
            "precise_amount": precise,
            "contract_amount": line.amount,
            "contract_precise": line.precise_amount,
            "applied": applied,
            "explanation": told.model_copy(
                update={"sentence": sentence, "steps": tuple(steps), "rounding_residue": amount - precise}
            ),
        }
    )
