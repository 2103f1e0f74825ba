"""Controls: where every customer stands, what was corrected, what ties, and how fast and cleanly the month closed."""

from collections import Counter
from decimal import Decimal

from billing.reports.facts import Facts, Sums, money, ratio
from models.close import Ending
from models.journal import Account, Rule
from models.money import ZERO, total
from models.period import first_day, month_period
from models.reports import Report

_CORRECTIONS = {Rule.F2: "late usage", Rule.J1: "invoice differs from accrual"}


def close_status(facts: Facts) -> Report:
    """Return each customer's place in the close, what it waits for, the money at stake and its fingerprint."""
    rows = [
        (
            facts.month,
            one.customer,
            one.stage.value,
            one.state.value,
            one.detail,
            one.ending.value if one.ending else "",
            one.references.get("total"),
            one.references.get("statement"),
            facts.open_findings.get(one.customer, 0),
            one.at,
        )
        for one in sorted(facts.standings, key=lambda one: one.customer)
    ]
    columns = "period customer step state blocker ending amount_at_stake fingerprint open_findings since"
    return facts.report("close-status", columns.split(), rows)


def corrections(facts: Facts) -> Report:
    """Return what the month corrects of earlier ones: the entry, its cause, service and posting period, and amount."""
    rows, earned = [], Sums()
    for entry, one in facts.postings():
        if one.account.is_revenue:
            earned.add((entry.contract, entry.period), -one.amount)
    for entry in facts.entries:
        contra = any(one.account is Account.BILLING_CORRECTIONS for one in entry.postings)
        cause = _CORRECTIONS.get(entry.rule) or ("correction" if contra or entry.reverses else None)
        if entry.period != facts.month or cause is None:
            continue
        amount = -total(one.amount for one in entry.postings if one.account.is_revenue)
        served = sorted({one.service_from.strftime("%Y-%m") for one in entry.postings if one.service_from is not None})
        before = total(earned[entry.contract, month] for month in served)
        rows.append(
            (
                entry.key,
                entry.customer,
                entry.contract,
                cause,
                " ".join(served),
                entry.period,
                entry.currency,
                money(amount, entry.currency),
                ratio(amount, before),
                entry.reverses,
            )
        )
    columns = "entry customer contract cause service_period posting_period currency amount share_of_original reverses"
    return facts.report("corrections", columns.split(), rows)


def tie_out(facts: Facts) -> Report:
    """Return the month's ties, each with both sides: any difference that is not zero is explained by nobody yet."""
    sums, invoiced = Sums(), Sums()
    for entry, one in facts.postings():
        sums.add((one.account, entry.currency), one.amount)
        if entry.rule in (Rule.A1, Rule.B1_BILLED, Rule.B3) and entry.invoice:
            invoiced.add((one.account, entry.currency), one.amount)
    issued, taxes, grants, deferred = Sums(), Sums(), Sums(), Sums()
    for invoice in facts.invoices:
        issued.add((invoice.currency,), invoice.total)
    for statement in facts.statements:
        taxes.add((statement.currency,), statement.tax)
    for schedule in facts.schedules:
        grants.add((schedule.currency,), schedule.grants)
        past = total(row.amount for row in schedule.later if row.period <= facts.month)
        deferred.add((schedule.currency,), schedule.deferred - past)
    rows = []
    for currency in sorted({entry.currency for entry in facts.entries}):
        drawn_ahead = sums[Account.CONTRACT_ASSET, currency]
        ties = (
            ("Stripe's invoices = 1100 billed", issued[(currency,)], invoiced[Account.RECEIVABLE, currency]),
            ("Stripe's tax = 2200", taxes[(currency,)], -invoiced[Account.SALES_TAX, currency]),
            ("grants = 2110 less 1120", grants[(currency,)], -sums[Account.PREPAID, currency] - drawn_ahead),
            ("fees billed ahead = 2100", deferred[(currency,)], -sums[Account.DEFERRED_TIME, currency]),
            ("all accounts = 0", total(amount for (_, of), amount in sums.items() if of == currency), ZERO),
        )
        for name, left, right in ties:
            cells = (money(left, currency), money(right, currency), money(left - right, currency))
            rows.append((name, currency, *cells, left == right))
    return facts.report("tie-out", ["tie", "currency", "left", "right", "difference", "ties"], rows)


def metrics(facts: Facts) -> Report:
    """Return how the month closed: hours from its end to the first and last invoice, by hand or not, and after."""
    zones = {one.statement: one.timezone for one in facts.statements if one.period == facts.month}
    hours = []
    for invoice in facts.invoices:
        if invoice.period == facts.month:
            ends_at = month_period(facts.month, zones.get(invoice.statement, "UTC")).ends_at
            hours.append(Decimal((invoice.issued_at - ends_at).total_seconds().__int__()) / 3600)
    endings = Counter(one.ending for one in facts.standings)
    closed = endings[Ending.ISSUED] + endings[Ending.ZERO]
    untouched = sum(
        1 for one in facts.standings if one.ending in (Ending.ISSUED, Ending.ZERO) and one.customer not in facts.by_hand
    )
    later = {
        entry.contract
        for entry in facts.entries
        if entry.period > facts.month or entry.rule is Rule.F2
        for one in entry.postings
        if one.service_from is not None and one.service_from < first_day(facts.month)
    }
    rows = [
        ("hours to first invoice", f"{min(hours):.2f}" if hours else ""),
        ("hours to last invoice", f"{max(hours):.2f}" if hours else ""),
        ("invoices", len(hours)),
        ("customers closed", closed),
        ("share closed without a hand", ratio(Decimal(untouched), Decimal(closed))),
        ("customers parked", endings[Ending.PARKED]),
        ("contracts corrected of earlier months", len(later)),
        *((f"exceptions: {cause}", count) for cause, count in sorted(facts.causes.items())),
    ]
    return facts.report("metrics", ("metric", "value"), rows)
