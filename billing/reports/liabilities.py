"""Liabilities: the deferred and prepaid waterfall, commitments burning down, what is promised and not earned yet."""

from collections.abc import Iterator, Mapping
from datetime import date
from decimal import Decimal

from billing.reports.facts import Facts, Sums, money, ratio
from billing.revenue_terms import RevenueTerms
from models.contract import Contract
from models.journal import Account, Rule
from models.money import ZERO, total
from models.period import first_day, months_between, next_month
from models.reports import Report

_HELD = (Account.DEFERRED_TIME, Account.PREPAID, Account.CONTRACT_ASSET)
_COLUMN = {
    Rule.A1: "billed", Rule.B1_BILLED: "billed", Rule.C7: "billed",
    Rule.A3: "recognized", Rule.C6: "recognized", Rule.B1_EARNED: "recognized", Rule.C3: "recognized",
    Rule.A5: "breakage", Rule.A6: "breakage", Rule.A7: "breakage", Rule.A8: "breakage",
    Rule.A3_DEFERRED: "modified", Rule.C8: "modified", Rule.J1: "modified", Rule.O1: "opening",
}  # fmt: skip
_FLOW = ("opening", "billed", "recognized", "breakage", "refunded", "modified")
_MONTHS = {"month": 1, "quarter": 3, "year": 12}
_YEAR = 12


def waterfall(facts: Facts) -> Report:
    """Return, by contract and grant or fee, the month's roll-forward of what is owed, and when it is earned.

    Fees are earned by their schedule; prepaid credit has no date of its own, so it stands under the month its window
    ends. 1120 counts against: opening + billed - recognized - breakage - refunded + modified = closing.
    """
    sums, cohorts = Sums(), dict[tuple[str, str, str, str, str], str]()
    for entry, one in facts.postings(*_HELD):
        key = (entry.customer, entry.contract, _kind(one.account), one.grant or one.obligation or "", entry.currency)
        column = _COLUMN.get(entry.rule, "refunded") if entry.period == facts.month else "opening"
        if entry.rule is Rule.C7 and one.amount > 0:
            column = "recognized" if entry.period == facts.month else "opening"
        sums.add((*key, column), -one.amount)
        cohorts.setdefault(key, entry.period)
    release = _release(facts)
    rows = []
    for key in sorted(cohorts):
        at = {name: sums[(*key, name)] for name in _FLOW}
        closing, currency = total(at.values()), key[4]
        later = {str(month): amount for (month,), amount in release.get((key[1], key[3]), Sums()).items()}
        beyond = next_month(facts.month, _YEAR)
        soon = total(amount for month, amount in later.items() if month <= beyond)
        timed = key[2] == "fees"
        amounts = (
            at["opening"], at["billed"], -at["recognized"], -at["breakage"], -at["refunded"], at["modified"], closing,
            soon if timed else closing, closing - soon if timed else ZERO,
        )  # fmt: skip
        steps = " ".join(f"{month}:{money(amount, currency)}" for month, amount in sorted(later.items()))
        rows.append((cohorts[key], *key, *(money(one, currency) for one in amounts), steps))
    columns = (
        "cohort customer contract kind grant currency opening billed recognized breakage refunded modified closing"
    )
    return facts.report("waterfall", f"{columns} within_12_months later release".split(), rows)


def _release(facts: Facts) -> Mapping[tuple[str, str], Sums]:
    """Return what is earned after the month, by contract and obligation, then by month."""
    found: dict[tuple[str, str], Sums] = {}
    for schedule in facts.schedules:
        for row in schedule.later:
            if row.period > facts.month:
                found.setdefault((schedule.contract, row.obligation), Sums()).add((row.period,), row.amount)
    return found


def burn_down(facts: Facts) -> Report:
    """Return each commitment's and credit's window: promised, used, forecast, shortfall, what is booked."""
    held, invoiced = Sums(), Sums()
    for entry, one in facts.postings(*_HELD):
        held.add((entry.contract, one.grant), -one.amount)
        if entry.rule is Rule.A1:
            invoiced.add((entry.contract, one.grant), -one.amount)
    rows = []
    for contract in sorted({one.contract for one in facts.statements}):
        statements = facts.statements_of(contract)
        terms = RevenueTerms(
            facts.versions_of(contract), facts.entity, [one for one in facts.estimates if one.contract == contract]
        )
        last = statements[-1]
        if last.period != facts.month:
            continue
        for pool in last.pools:
            if pool.kind not in ("prepaid", "postpaid", "paid"):
                continue
            window = (pool.id, pool.starts_at, pool.ends_at)
            windows = [p for one in statements for p in one.pools if (p.id, p.starts_at, p.ends_at) == window]
            used, expired = total(one.drawn for one in windows), total(one.expired for one in windows)
            promised = used + expired + pool.closing
            days = (pool.ends_at - pool.starts_at).days
            past = min((_end(facts.month) - pool.starts_at.date()).days, days)
            forecast = used * days / past if past > 0 else ZERO
            known = [one for one in terms.estimates if one.subject == pool.id]
            name, balance = pool.id, held[contract, pool.id]
            rows.append(
                (
                    last.customer,
                    contract,
                    name,
                    pool.kind,
                    f"{pool.starts_at.date()}..{pool.ends_at.date()}",
                    pool.unit,
                    promised,
                    used,
                    ratio(used, promised),
                    ratio(Decimal(past), Decimal(days)),
                    f"{forecast:.2f}",
                    max(promised - used, ZERO),
                    last.overage,
                    "expected" if terms.of(name).expected else "remote",
                    known[-1].expected_use if known else None,
                    known[-1].on if known else None,
                    money(invoiced[contract, name], last.currency),
                    money(max(-balance, ZERO), last.currency),
                    money(max(balance, ZERO), last.currency),
                )
            )
    columns = "customer contract commitment kind window unit committed used share_used share_elapsed forecast"
    more = "shortfall_to_date overage_of_month policy estimate estimated_on invoiced contract_asset contract_liability"
    return facts.report("burn-down", f"{columns} {more}".split(), rows)


def _end(month: str) -> date:
    return first_day(next_month(month))


def remaining(facts: Facts) -> Report:
    """Return RPO: fixed consideration of each contract's term, what of it is recognized, and when the rest will be.

    Usage has the expedient of 606-10-50-14 (variable, billed as used); fees, commitments and bought credit are fixed.
    """
    rows, booked = [], _earned_and_owed(facts)
    for contract in sorted({one.contract for one in facts.contracts}):
        version = facts.versions_of(contract)[-1]
        currency, fixed = version.currency, dict(_fixed(version))
        earned, owed = ZERO, ZERO
        for (account, obligation, grant), amount in booked.get((contract, currency), Sums()).items():
            if account in _HELD:
                owed -= amount
            elif obligation in fixed or grant in fixed or account is Account.SHORTFALL:
                earned -= amount
        floors = _floors(facts, version)
        whole = total(amount for windows in fixed.values() for amount in windows.values())
        left = whole - earned - floors
        beyond = next_month(facts.month, _YEAR)
        after = total(amount for windows in fixed.values() for month, amount in windows.items() if month > beyond)
        later = min(max(after, ZERO), max(left, ZERO))
        cells = (whole, earned + floors, left, owed, left - owed, left - later, later)
        rows.append(
            (version.customer, contract, currency, *(money(one, currency) for one in cells), "usage: as billed")
        )
    columns = "customer contract currency fixed recognized remaining deferred unbilled within_12_months later expedient"
    return facts.report("rpo", columns.split(), rows)


def _earned_and_owed(facts: Facts) -> Mapping[tuple[str, str], Sums]:
    """Return what is earned and held by contract and currency, then by account, obligation and grant."""
    found: dict[tuple[str, str], Sums] = {}
    for entry, one in facts.postings():
        if one.account.is_revenue or one.account in _HELD:
            of = found.setdefault((entry.contract, entry.currency), Sums())
            of.add((one.account, one.obligation, one.grant), one.amount)
    return found


def _floors(facts: Facts, version: Contract) -> Decimal:
    """Return what usage counted towards floors: of a floor it is the part of the fixed amount that is earned."""
    floors = {one.id for one in version.commitments if not one.prepaid and one.units is None}
    return total(
        pool.drawn
        for one in facts.statements_of(version.contract)
        for pool in one.pools
        if pool.id in floors and pool.kind == "postpaid"
    )


def _fixed(version: Contract) -> Iterator[tuple[str, dict[str, Decimal]]]:
    """Yield what is fixed by clause: an amount for each window, by the month it begins in."""
    starts = list(_starts(version))
    for fee in version.fees:
        yield fee.id, dict.fromkeys(starts[:: _step(fee.every, len(starts))], fee.amount)
    for one in version.commitments:
        months = starts[:: _step(one.every, len(starts))]
        ramp = one.ramp or (one.amount or ZERO,)
        yield one.id, {month: ramp[min(place, len(ramp) - 1)] for place, month in enumerate(months)}
    for credit in version.credits:
        if credit.price and credit.every is None:
            yield credit.id, {credit.effective.strftime("%Y-%m"): credit.price}


def _step(every: str, term: int) -> int:
    return min(_MONTHS.get(every, term), term)


def _starts(version: Contract) -> Iterator[str]:
    last = version.term.ends_on
    for month in months_between(version.term.starts_on.strftime("%Y-%m"), last.strftime("%Y-%m")):
        if first_day(month) < last:
            yield month


def _kind(account: Account) -> str:
    return "fees" if account is Account.DEFERRED_TIME else "grant"
