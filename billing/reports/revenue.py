"""Revenue: by product, model and customer, and why it moved against the month before."""

from decimal import Decimal

from billing.rating.exact import exactly
from billing.reports.facts import Facts, Sums, money, ratio
from models.facts import LineFacts, StatementFacts
from models.journal import Account, Rule
from models.money import ZERO, rounded, total
from models.reports import Report
from models.statement import LineKind


def by_product(facts: Facts) -> Report:
    """Return revenue by obligation, meter, model, provider, customer and account; its net sums to the 4xxx accounts.

    `gross` is at list of the line, `discount` what discounts and caps took off; both only where a statement has them.
    """
    month, before, year, promo, credits = Sums(), Sums(), Sums(), Sums(), Sums()
    listed, quantity, provider = _from_statements(facts)
    for entry, one in facts.postings():
        if not one.account.is_revenue:
            continue
        kind = one.account if one.account.value < "4900" else _gross_of(entry.rule)
        names = (one.obligation or "", one.meter or "", one.model or "", entry.customer, entry.contract)
        key = (*names, kind.value, entry.currency)
        amount = -one.amount
        if entry.period[:4] == facts.month[:4]:
            year.add(key, amount)
        if entry.period == facts.before:
            before.add(key, amount)
        if entry.period == facts.month:
            month.add(key, amount)
            promo.add(key, amount if one.account is Account.PROMOTIONAL else ZERO)
            credits.add(key, amount if one.account.value > "4910" else ZERO)
    rows = []
    for key in sorted({*month, *before, *year}, key=str):
        usage, currency = key[1:5], str(key[6])
        net, used = month[key], quantity[(*usage, key[5])]
        gross, off = net - promo[key] - credits[key], listed[(*usage, key[5])]
        effective = ratio(net, used, 6) if used else ""
        amounts = (gross, off, promo[key], credits[key], net)
        rows.append(
            (
                facts.month,
                *key[:3],
                provider.get(usage, ""),
                *key[3:6],
                used,
                currency,
                *(money(one, currency) for one in amounts),
                effective,
                money(before[key], currency),
                money(year[key], currency),
            )
        )
    columns = (
        "period product meter model provider customer contract type quantity currency gross discount promo credits"
    )
    return facts.report("revenue", f"{columns} net effective_rate prior_month ytd".split(), rows)


def _gross_of(rule: Rule) -> Account:
    """Return the account a contra entry belongs to: promotional credit is shown beside the usage it paid."""
    return Account.USAGE if rule is Rule.D2 else Account.CREDIT_NOTES


_ACCOUNT_OF = {LineKind.USAGE: Account.USAGE, LineKind.OVERAGE: Account.OVERAGE, LineKind.INCLUDED: Account.USAGE}


def _from_statements(facts: Facts) -> tuple[Sums, Sums, dict[tuple[object, ...], str]]:
    """Return what was taken off, the quantities and the providers of the month's lines."""
    off, quantity, provider = Sums(), Sums(), dict[tuple[object, ...], str]()
    for one in facts.statements:
        if one.period != facts.month:
            continue
        for line in facts.lines[one.statement].sums:
            usage = (line.meter, line.model, one.customer, one.contract)
            key = (*usage, _account(line.kind, line.covered).value)
            off.add(key, line.taken_off)
            quantity.add(key, line.quantity)
            if line.provider is not None:
                provider[usage] = line.provider
    return off, quantity, provider


def _account(kind: LineKind, covered: bool) -> Account:
    return Account.USAGE_PREPAID if covered else _ACCOUNT_OF.get(kind, Account.USAGE)


def flux(facts: Facts) -> Report:
    """Return, by customer and meter, why revenue moved: volume, price, mix, new and lost add up to the change.

    Volume is the change in units at the price before; mix what the shares of its models moved; price what their prices
    did; `new` and `lost` are models (or customers) of one month alone; `other` is what has no units.
    """
    now, then = _priced(facts, facts.month), _priced(facts, facts.before)
    rows = []
    for key in sorted({*now, *then}, key=str):
        customer, meter, currency = key
        one, other = now.get(key, {}), then.get(key, {})
        parts = _parts(other, one, currency) if meter else {}
        this, prior = total(amount for _, amount in one.values()), total(amount for _, amount in other.values())
        moved = [parts.get(name, ZERO) for name in ("volume", "price", "mix", "new", "lost")]
        change = this - prior
        cells = (this, prior, change, *moved, change - total(moved))
        over = abs(change) >= Decimal(1000) or (prior != 0 and abs(change) * 10 >= abs(prior))
        rows.append(
            (
                customer,
                meter or "fees, shortfalls, breakage",
                currency,
                *(money(cell, currency) for cell in cells),
                ratio(change, prior),
                over,
            )
        )
    columns = "customer product currency this prior change volume price mix new lost other change_ratio over_threshold"
    return facts.report("flux", columns.split(), rows)


_Priced = dict[str, tuple[Decimal, Decimal]]
"""Units and revenue by model."""


def _priced(facts: Facts, month: str) -> dict[tuple[str, str, str], _Priced]:
    """Return units and revenue of a month by customer, meter and currency, then by model."""
    found: dict[tuple[str, str, str], _Priced] = {}
    for entry, one in facts.postings():
        if entry.period == month and one.account.is_revenue:
            of = found.setdefault((entry.customer, one.meter or "", entry.currency), {})
            units, amount = of.get(one.model or "", (ZERO, ZERO))
            of[one.model or ""] = (units, amount - one.amount)
    for statement in facts.statements:
        if statement.period == month:
            _add_units(found, statement, facts.lines[statement.statement])
    return found


def _add_units(found: dict[tuple[str, str, str], _Priced], statement: StatementFacts, lines: LineFacts) -> None:
    for line in lines.sums:
        key = (statement.customer, line.meter, statement.currency)
        if line.kind in (LineKind.USAGE, LineKind.OVERAGE) and line.provider is not None and key in found:
            units, amount = found[key].get(line.model, (ZERO, ZERO))
            found[key][line.model] = (units + line.quantity, amount)


def _parts(then: _Priced, now: _Priced, currency: str) -> dict[str, Decimal]:
    """Return why revenue moved between two months, exact to the minor unit but for `other`, which takes the rest."""
    both = [model for model in now if now[model][0] > 0 and then.get(model, (ZERO, ZERO))[0] > 0]
    parts = {
        "new": total(now[model][1] for model in now if model not in then),
        "lost": -total(then[model][1] for model in then if model not in now),
    }
    before, after = total(then[model][0] for model in both), total(now[model][0] for model in both)
    if not before or not after:
        return parts
    with exactly():
        at_old = total(then[model][1] * now[model][0] / then[model][0] for model in both)
        prior = total(then[model][1] for model in both)
        volume = rounded(prior * after / before - prior, currency)
        mix = rounded(at_old - prior * after / before, currency)
    price = total(now[model][1] for model in both) - prior - volume - mix
    return parts | {"volume": volume, "mix": mix, "price": price}
