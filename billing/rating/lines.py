"""Lines: drafts, draws, discounts, floors, shortfalls and what is billed ahead, as the statement's rated lines."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import lru_cache

from billing.rating import keys
from billing.rating.allowance import Balance
from billing.rating.credits import Grant
from billing.rating.drafts import Draft
from billing.rating.exact import settled
from billing.rating.explanation import explained, rounding, text_of
from billing.rating.fees import Due
from billing.rating.history import History
from billing.rating.pricing import is_additive
from billing.rating.reductions import Floor
from billing.rating.shortfalls import Shortfall
from billing.rating.timeline import Timeline
from billing.rating.windows import Window
from models.contract import Commitment, Contract, Discount, UnitShortfall
from models.money import ZERO, money_text, rounded, total
from models.period import Period, local_day, midnight
from models.price import Tiered
from models.statement import Applied, Explanation, LineKind, RatedLine, Step
from models.usage import Dimensions


@lru_cache(maxsize=4096)
def days_of(starts_at: datetime, ends_at: datetime, zone: str) -> tuple[date, date]:
    """Return the local days instants touch, the last excluded: a day that is only begun is inside."""
    last = local_day(ends_at, zone)
    if midnight(last, zone) < ends_at:
        last += timedelta(days=1)
    return local_day(starts_at, zone), last


@lru_cache(maxsize=4096)
def period_of(starts_at: datetime, ends_at: datetime) -> Period:
    """Return the period between two instants; many lines share one."""
    return Period(starts_at=starts_at, ends_at=ends_at)


def named(drafts: Iterable[Draft], timeline: Timeline, history: History) -> None:
    """Give every draft its id, and what was booked before of a price whose tiers run over several periods."""
    for draft in drafts:
        draft.id = _draft_id(draft, timeline)
        price = draft.terms.price
        if not isinstance(price, Tiered) or price.over in (None, "month") or draft.covered_by is not None:
            continue
        for line in history.lines:
            if line.id == draft.id:
                draft.precise_before += line.precise_amount
                draft.booked_before += line.amount


def _draft_id(draft: Draft, timeline: Timeline) -> str:
    terms, covered = draft.terms, draft.covered_by
    if draft.group.fee is not None:
        parts = [draft.group.fee, local_day(draft.starts_at, timeline.contract.timezone).isoformat()]
    else:
        where = set(terms.clause.where.items()) if terms.clause else set()
        parts = [
            terms.label,
            draft.group.meter if terms.clause is None or terms.clause.meter != draft.group.meter else "",
            keys.pairs_text(tuple(pair for pair in terms.dimensions if pair not in where)),
            terms.contract.version.rpartition("@")[2],
            keys.since(terms.rate.starts_at) if terms.rate else "",
            f"t{draft.tier + 1}" if not is_additive(terms.price) else "",
        ]
    if covered is not None:
        begins = covered.window.starts_at
        since = keys.since(begins) if begins > timeline.span.starts_at else ""
        parts += ["covered", covered.name, since]
    if draft.overage_of:
        parts += ["overage", draft.overage_of]
    return keys.key_of(draft.kind.value, *parts, draft.home, draft.note)


def usage_line(draft: Draft, timeline: Timeline, extra: tuple[Step, ...] = ()) -> RatedLine:
    """Return the line of a draft."""
    zone, currency = timeline.contract.timezone, timeline.contract.currency
    first, until = days_of(draft.starts_at, draft.ends_at, zone)
    fee = draft.group.fee is not None
    return RatedLine(
        id=draft.id,
        kind=draft.kind,
        description=_description(draft),
        meter=None if fee else draft.group.meter,
        dimensions={} if fee else dict(draft.terms.dimensions),
        clause=draft.terms.label,
        service=period_of(draft.starts_at, draft.ends_at),
        service_from=first,
        service_until=until,
        quantity=draft.quantity,
        billed_quantity=draft.billed,
        unit=None if fee else draft.group.meter,
        amount=draft.amount,
        precise_amount=draft.gross,
        covered_by=draft.covered_by.name if draft.covered_by is not None else None,
        obligation=draft.group.fee or "usage",
        explanation=explained(draft, currency, extra),
    )


def _description(draft: Draft) -> str:
    if draft.group.fee is not None:
        fee = draft.terms.fee
        return (fee.name if fee and fee.name else f"Fee {draft.group.fee}") + (
            f", paid by {draft.covered_by.name}" if draft.covered_by else ""
        )
    dims = ", ".join(value for _, value in draft.terms.dimensions)
    parts = [draft.group.meter + (f" ({dims})" if dims else "")]
    price = draft.terms.price
    if isinstance(price, Tiered) and len(price.tiers) > 1 and draft.kind is not LineKind.INCLUDED:
        parts.append(f"tier {draft.tier + 1}")
    match draft.kind:
        case LineKind.INCLUDED:
            parts.append(f"included by {draft.terms.label}")
        case LineKind.EXCLUDED:
            parts.append("on your own key")
        case LineKind.OVERAGE:
            parts.append(f"past {draft.overage_of}")
    if draft.covered_by is not None:
        parts.append(f"paid by {draft.covered_by.name}")
    if draft.home:
        parts.append(f"late, of the period from {draft.home}")
    if draft.note:
        parts.append(draft.note)
    return ", ".join(parts)


def _plain(
    timeline: Timeline,
    contract: Contract,
    *,
    kind: LineKind,
    key: str,
    clause: str,
    description: str,
    sentence: str,
    service: Period,
    amount: Decimal,
    precise: Decimal,
    steps: Sequence[Step],
    obligation: str,
    quantity: Decimal = Decimal(1),
    grant: str | None = None,
    promotional: bool = False,
    applied: Sequence[tuple[str, Decimal]] = (),
    unit: str | None = None,
    dimensions: Dimensions | None = None,
    meter: str | None = None,
) -> RatedLine:
    """Return a line that no usage of its own stands behind."""
    first, until = days_of(service.starts_at, service.ends_at, timeline.contract.timezone)
    precise, quantity = settled(precise), settled(quantity)
    return RatedLine(
        id=key,
        kind=kind,
        description=description,
        meter=meter,
        dimensions=dimensions or {},
        clause=clause,
        service=service,
        service_from=first,
        service_until=until,
        quantity=quantity,
        billed_quantity=quantity,
        unit=unit,
        amount=amount,
        precise_amount=precise,
        obligation=obligation,
        grant=grant,
        promotional=promotional,
        applied=tuple(Applied(line=line, amount=part) for line, part in applied if part),
        explanation=Explanation(
            sentence=sentence,
            clause=clause,
            contract_version=contract.version,
            steps=tuple(
                Step(text=step.text, amount=None if step.amount is None else settled(step.amount)) for step in steps
            ),
            rounding_residue=amount - precise,
        ),
    )


def discount_line(
    discount: Discount, contract: Contract, drafts: Sequence[Draft], timeline: Timeline
) -> RatedLine | None:
    """Return what a discount took off, by line; None where it took nothing."""
    off = f"{text_of(discount.percent)} %" if discount.percent is not None else ""
    off = off or (f"{text_of(discount.units)} {discount.meter}" if discount.units is not None else "")
    off = off or money_text(discount.amount or ZERO, contract.currency)
    return _reduction(discount.id, f"Discount {discount.id}: {off}", LineKind.DISCOUNT, contract, drafts, timeline)


def cap_line(
    name: str, amount: Decimal, contract: Contract, drafts: Sequence[Draft], timeline: Timeline
) -> RatedLine | None:
    """Return what a cap took off, by line; None where it was not passed."""
    text = f"Maximum {name}: {money_text(amount, contract.currency)}"
    return _reduction(name, text, LineKind.MAXIMUM, contract, drafts, timeline)


def _reduction(
    name: str, text: str, kind: LineKind, contract: Contract, drafts: Sequence[Draft], timeline: Timeline
) -> RatedLine | None:
    touched = [draft for draft in drafts if draft.off.get(name)]
    amount = -total(draft.off[name] for draft in touched)
    if not touched or amount == 0:
        return None
    precise = -total(draft.reduced.get(name, ZERO) for draft in touched)
    steps = [
        Step(text=f"of {draft.id}: exactly {text_of(draft.reduced.get(name, ZERO))}", amount=-draft.off[name])
        for draft in touched
    ]
    return _plain(
        timeline,
        contract,
        kind=kind,
        key=keys.key_of(kind.value, name),
        clause=name,
        description=text,
        sentence=f"{text} takes {money_text(-amount, contract.currency)} off {len(touched)} lines.",
        service=timeline.span,
        amount=amount,
        precise=precise,
        steps=steps,
        obligation="usage",
        applied=[(draft.id, draft.off[name]) for draft in touched],
    )


def minimum_line(floor: Floor, timeline: Timeline) -> RatedLine | None:
    """Return what lifts a scope to its floor; None where nothing is missing."""
    amount = rounded(floor.missing, floor.contract.currency)
    if amount == 0:
        return None
    clause, currency = floor.standing.at(floor.balance.window.starts_at), floor.contract.currency
    return _plain(
        timeline,
        floor.contract,
        kind=LineKind.MINIMUM,
        key=keys.key_of("minimum", clause.id, keys.since(floor.balance.window.starts_at)),
        clause=clause.id,
        description=f"Minimum {clause.id}",
        sentence=f"{clause.id} promises {money_text(clause.amount, currency)}; "
        f"{money_text(amount, currency)} are missing.",
        service=floor.balance.window,
        amount=amount,
        precise=floor.missing,
        steps=[
            Step(text="minimum", amount=clause.amount),
            Step(text="less what counts", amount=-(clause.amount - floor.missing)),
            rounding(amount, currency),
        ],
        obligation="usage",
    )


def pool_draw_line(
    balance: Balance, amount: Decimal, covered: Sequence[tuple[Draft, Decimal]], contract: Contract, timeline: Timeline
) -> RatedLine | None:
    """Return what a prepaid commitment paid in the period, by covered line; None where that rounds to nothing."""
    if amount == 0:
        return None
    begins = balance.window.starts_at
    since = keys.since(begins) if begins > timeline.span.starts_at else ""
    return _plain(
        timeline,
        contract,
        kind=LineKind.POOL_DRAW,
        key=keys.key_of("pool_draw", balance.name, since),
        clause=balance.name,
        description=f"Paid by {balance.name}",
        sentence=f"{balance.name} paid {money_text(amount, contract.currency)}; "
        f"{money_text(balance.left, contract.currency)} are left.",
        service=_overlap(balance.window, timeline.span),
        amount=-amount,
        precise=-balance.drawn,
        steps=_draw_steps(balance, contract.currency),
        obligation=balance.name,
        grant=balance.name,
        applied=[(draft.id, part) for draft, part in covered],
    )  # fmt: skip


def _shown(number: Decimal) -> str:
    """Return a balance as a row shows it, without the dust of divisions."""
    return text_of(settled(number))


def _draw_steps(balance: Balance, currency: str) -> list[Step]:
    steps = [
        Step(text=f"{balance.name} before: {_shown(balance.opening)} opening + {_shown(balance.granted)} granted"),
        Step(text="drawn in the period, exactly", amount=-balance.drawn),
    ]
    if balance.drawn_before or balance.booked_before:
        steps.append(Step(text="drawn in the window before, exactly", amount=-balance.drawn_before))
    steps.append(rounding(-rounded(settled(balance.drawn_in_window, 30), currency), currency))
    if balance.drawn_before or balance.booked_before:
        steps.append(Step(text="booked before this statement", amount=balance.booked_before))
    return [
        *steps,
        Step(text=f"{balance.name} after: {_shown(balance.expired)} expired, {_shown(balance.left)} left"),
    ]


def credit_draw_lines(grants: Sequence[Grant], timeline: Timeline) -> list[RatedLine]:
    """Return what each credit paid in the period, by line."""
    found = []
    for grant in grants:
        balances = {id(balance): balance for balance, _, _, _ in grant.paid}
        for name, balance in balances.items():
            parts: dict[str, Decimal] = {}
            for paid_from, draft, _, amount in grant.paid:
                if id(paid_from) == name:
                    parts[draft.id] = parts.get(draft.id, ZERO) + amount
            found.append(_credit_draw(grant, balance, parts, timeline))
    return found


def _credit_draw(grant: Grant, balance: Balance, parts: dict[str, Decimal], timeline: Timeline) -> RatedLine:
    amount, contract, credit = total(parts.values()), grant.standing.said[-1][1], grant.credit
    begins = balance.window.starts_at
    since = keys.since(begins) if len(grant.allowance.balances) > 1 else ""
    return _plain(
        timeline,
        contract,
        kind=LineKind.CREDIT_DRAW,
        key=keys.key_of("credit_draw", credit.id, since),
        clause=credit.id,
        description=f"Paid by {credit.kind} credit {credit.id}",
        sentence=f"The {credit.kind} credit {credit.id} paid {money_text(amount, contract.currency)}; "
        f"{_shown(balance.left)} {balance.unit} are left.",
        service=_overlap(balance.window, timeline.span),
        amount=-amount,
        precise=-amount,
        steps=[
            Step(text=f"{credit.id} before, in {balance.unit}: {_shown(balance.opening + balance.granted)}"),
            *(Step(text=f"pays {line}", amount=-part) for line, part in parts.items()),
            *_worth(grant, balance),
            Step(text=f"{credit.id} after: {_shown(balance.expired)} expired, {_shown(balance.left)} left"),
        ],
        obligation=credit.id,
        grant=credit.id,
        promotional=credit.kind == "promotional",
        applied=list(parts.items()),
    )


def _worth(grant: Grant, balance: Balance) -> list[Step]:
    if balance.spent is None:
        return []
    text = f"taken: {_shown(balance.drawn)} {balance.unit}, each worth {text_of(grant.unit.worth)}"
    return [Step(text=text)]


def _overlap(window: Period, span: Period) -> Period:
    return window.overlap(span) or span


def purchase_line(grant: Grant, contract: Contract, window: Window, timeline: Timeline) -> RatedLine | None:
    """Return the sale of a paid credit (or of one refill of it), at its cost; None where nothing is paid."""
    credit = grant.credit
    amount, size = rounded(credit.price, contract.currency), f"{text_of(credit.amount)} {grant.unit.name}"
    if amount == 0:
        return None
    return _plain(
        timeline,
        contract,
        kind=LineKind.CREDIT_PURCHASE,
        key=keys.key_of("credit_purchase", credit.id, keys.since(window.span.starts_at) if window.index else ""),
        clause=credit.id,
        description=f"Credit {credit.id}: {size}",
        sentence=f"{size} of credit are bought for {money_text(amount, contract.currency)}.",
        service=window.span,
        amount=amount,
        precise=credit.price,
        steps=[Step(text=f"cost of {size} of credit", amount=credit.price), rounding(amount, contract.currency)],
        obligation=credit.id,
        grant=credit.id,
    )


def commitment_line(due: Due, timeline: Timeline) -> RatedLine:
    """Return a prepaid commitment, or an installment of it, billed in advance."""
    currency = due.contract.currency
    part = f", installment {due.part}" if due.part else ""
    return _plain(
        timeline,
        due.contract,
        kind=LineKind.COMMITMENT,
        key=keys.key_of("commitment", due.id, due.window.starts_on.isoformat()),
        clause=due.id,
        description=f"Commitment {due.id} from {due.window.starts_on} to {due.window.ends_on}{part}",
        sentence=f"{due.id} is prepaid from {due.window.starts_on} on: {money_text(due.amount, currency)}.",
        service=due.window.span,
        amount=rounded(due.amount, currency),
        precise=due.amount,
        steps=due.steps,
        obligation=due.id,
        grant=due.id,
    )


def shortfall_line(shortfall: Shortfall, timeline: Timeline) -> RatedLine | None:
    """Return a commitment's unused part, billed where its own window ends; None where it rounds to nothing."""
    if shortfall.amount == 0:
        return None
    clause, balance = shortfall.commitment, shortfall.balance
    contract = shortfall.ledger.standing.version_at(balance.window.starts_at)
    unit = clause.meter or contract.currency
    promised = balance.drawn_in_window + shortfall.missing
    missing = f"{text_of(shortfall.missing)} {unit}"
    return _plain(
        timeline,
        contract,
        kind=LineKind.SHORTFALL,
        key=keys.key_of("shortfall", clause.id, keys.since(balance.window.starts_at)),
        clause=clause.id,
        description=f"Shortfall of {clause.id}",
        sentence=f"{clause.id} promises {text_of(promised)} {unit}; {missing} are missing: "
        f"{money_text(shortfall.amount, contract.currency)}.",
        service=balance.window,
        amount=shortfall.amount,
        precise=shortfall.exact,
        steps=[
            Step(text=f"promised {text_of(promised)} {unit}, counted {_shown(balance.drawn_in_window)} {unit}"),
            Step(text=f"missing: {_priced(clause, shortfall.missing)}", amount=shortfall.exact),
            rounding(shortfall.amount, contract.currency),
        ],
        obligation=clause.id,
        grant=clause.id,
        quantity=shortfall.missing if clause.units is not None else Decimal(1),
        unit=clause.meter,
    )


def _priced(clause: Commitment, missing: Decimal) -> str:
    price = clause.shortfall.unit_amount if isinstance(clause.shortfall, UnitShortfall) else Decimal(1)
    return f"{text_of(missing)} x {text_of(price)}"


def shortfall_credit_line(back: Shortfall, timeline: Timeline) -> RatedLine | None:
    """Return what late usage takes back of a shortfall that was billed; None where it rounds to nothing."""
    if back.amount == 0:
        return None
    clause, window = back.commitment, back.balance.window
    contract = back.ledger.standing.version_at(window.starts_at)
    unit = clause.meter or contract.currency
    return _plain(
        timeline,
        contract,
        kind=LineKind.SHORTFALL,
        key=keys.key_of("shortfall", clause.id, keys.since(window.starts_at), "late", timeline.month),
        clause=clause.id,
        description=f"Shortfall of {clause.id}, less late usage",
        sentence=f"{text_of(-back.missing)} {unit} of late usage count towards {clause.id}: "
        f"{money_text(-back.amount, contract.currency)} of its shortfall are taken back.",
        service=window,
        amount=back.amount,
        precise=back.exact,
        steps=[
            Step(text=f"late usage that counts: {text_of(-back.missing)} {unit}"),
            Step(text="taken back, up to the shortfall that was billed", amount=back.exact),
            rounding(back.amount, contract.currency),
        ],
        obligation=clause.id,
        grant=clause.id,
        unit=clause.meter,
    )


def tax_lines(lines: Sequence[RatedLine], timeline: Timeline, currency: str) -> list[RatedLine]:
    """Return one line for each tax of the contract: its rate on all that is sold, rounded once for each rate.

    `currency` is the invoice's, and the lines' amounts are in it.

    Draws reduce what is taxed, because what pays them was taxed when it was sold.
    """
    contract, found = timeline.contract, []
    base = total(line.amount for line in lines)
    for tax in contract.tax:
        precise = base * tax.rate
        amount = rounded(precise, currency)
        if tax.rate == 0 or amount == 0:
            continue
        found.append(
            _plain(
                timeline,
                contract,
                kind=LineKind.TAX,
                key=keys.key_of("tax", tax.jurisdiction),
                clause=keys.key_of("tax", tax.jurisdiction),
                description=f"Tax {tax.jurisdiction} {text_of(tax.rate * 100)} %",
                sentence=f"{text_of(tax.rate * 100)} % of {money_text(base, currency)} for "
                f"{tax.jurisdiction}: "
                f"{money_text(amount, currency)}.",
                service=timeline.span,
                amount=amount,
                precise=precise,
                steps=[
                    Step(text=f"{text_of(base)} x {text_of(tax.rate)}", amount=precise),
                    rounding(amount, currency),
                ],
                obligation="tax",
            )
        )
    return found
