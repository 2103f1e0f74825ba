"""Notices: when a customer is told something, and in which sentences. No amount is computed for a letter alone."""

from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal

from billing.alerting import WATCHED
from billing.customer_files import KINDS
from billing.flux import flux
from billing.pool_views import PoolView, Running, runway
from models.close import EVERYONE
from models.correction import Correction, Settlement
from models.flux import FluxRow
from models.invoice import Invoice, IssuedInvoice
from models.money import is_currency, money_text
from models.notice import Notice, NoticeKind, month_words, notice_id
from models.statement import Pool, Statement
from models.value import decimal_text
from models.visitor import Export
from models.watch import Concern, NightAlert

POOL_MARKS = (50, 75, 90, 100)
ENTITLEMENT_MARKS = (80, 100)
DAYS_BEFORE = (30, 7)
"""How many days before it expires a credit is spoken of."""

REASONS = 3
_PARTS = ("volume", "mix", "price", "new", "lost", "late")
DEPLETES_WITHIN = timedelta(days=30)
MOST_CONCERNS = 40
"""How many of a night's alerts a letter lists; the rest is counted."""

_PREPAID = frozenset(WATCHED)


def invoice_ready(
    statement: Statement, prior: Statement | None, invoice: Invoice, issued: IssuedInvoice, at: datetime
) -> Notice:
    """Return the notice of an issued invoice: its total, the change, and the three largest reasons for it."""
    due = money_text(issued.total, issued.currency)
    sentences = [
        f"Invoice {issued.number} for {month_words(invoice.period)}: {due}, due on {issued.due_on.isoformat()}."
    ]
    if prior is not None and prior.currency == statement.currency:
        change = statement.total - prior.total
        sentences.append(_change(change, statement.currency, prior.period))
        rows = flux([prior], [statement], statement.period).rows
        largest = sorted((row for row in rows if row.change), key=lambda row: (-abs(row.change), row.product))
        sentences += [_reason(row) for row in largest[:REASONS]]
    return Notice(
        id=notice_id(NoticeKind.INVOICE_READY, invoice.reference),
        kind=NoticeKind.INVOICE_READY,
        customer=invoice.customer,
        period=invoice.period,
        subject=f"Invoice {issued.number}: {due} for {month_words(invoice.period)}",
        sentences=tuple(sentences),
        path=f"/invoices/{invoice.reference}",
        facts={
            "invoice": invoice.reference,
            "number": issued.number,
            "total": decimal_text(issued.total),
            "currency": issued.currency,
            "due_on": issued.due_on.isoformat(),
        },
        written_at=at,
    )


def correction_issued(correction: Correction, at: datetime) -> Notice:
    """Return the notice of a correction that is settled: what changed, why, and how it reaches the customer."""
    request = correction.request
    how = {
        Settlement.NEXT_PERIOD: "It is a line of your next invoice.",
        Settlement.REBILL: "The invoice was taken back and billed again.",
    }.get(request.settlement, "A credit note was issued.")
    currency = correction.currency
    lines = [
        f"{x.name}: {money_text(x.before, currency)} became {money_text(x.after, currency)}. {x.why}".rstrip()
        for x in correction.lines
    ]
    return Notice(
        id=notice_id(NoticeKind.CORRECTION_ISSUED, correction.id),
        kind=NoticeKind.CORRECTION_ISSUED,
        customer=correction.customer,
        period=correction.period,
        subject=f"Correction of your invoice for {month_words(correction.period)}",
        sentences=(
            f"Your invoice for {month_words(correction.period)} was corrected by"
            f" {_signed(correction.total, currency)}.",
            *lines,
            how,
        ),
        path=f"/invoices/{request.invoice}",
        facts={
            "correction": correction.id,
            "invoice": request.invoice,
            "change": decimal_text(correction.total),
            "currency": currency,
        },
        written_at=at,
    )


def pool_notices(statement: Statement, prior: Statement | None, at: datetime) -> Iterator[Notice]:
    """Yield a notice for the highest mark each pool or entitlement passed in the month, and none for those below it."""
    before = {pool.id: pool for pool in prior.pools} if prior is not None else {}
    for pool in statement.pools:
        kind = NoticeKind.ENTITLEMENT_USED if pool.kind == "entitlement" else NoticeKind.POOL_USED
        marks = ENTITLEMENT_MARKS if pool.kind == "entitlement" else POOL_MARKS
        if pool.kind not in _PREPAID | {"entitlement"} or not pool.in_force:
            continue
        same = before.get(pool.id)
        told = _percent(same) if same is not None and same.window == pool.window else Decimal(0)
        passed = [mark for mark in marks if told < mark <= _percent(pool)]
        if not passed:
            continue
        yield Notice(
            id=notice_id(kind, statement.contract, pool.id, pool.window.starts_at.date().isoformat(), str(passed[-1])),
            kind=kind,
            customer=statement.customer,
            period=statement.period,
            subject=f"{passed[-1]} % of {pool.id} is used",
            sentences=(
                f"Of {pool.id}, {passed[-1]} % or more was used by the end of {month_words(statement.period)}.",
                f"Left: {_left(pool)}.",
            ),
            path="/commitments",
            facts={"pool": pool.id, "percent": str(passed[-1]), "left": decimal_text(pool.closing), "unit": pool.unit},
            written_at=at,
        )


def credit_notices(statement: Statement, today: date, at: datetime) -> Iterator[Notice]:
    """Yield a notice for each credit with something left that expires within thirty, or within seven, days."""
    for pool in statement.pools:
        left = (pool.window.ends_at.date() - today).days
        due = [days for days in DAYS_BEFORE if 0 <= left <= days]
        if pool.kind not in ("paid", "promotional") or not pool.in_force or pool.closing <= 0 or not due:
            continue
        yield Notice(
            id=notice_id(
                NoticeKind.CREDIT_EXPIRES,
                statement.contract,
                pool.id,
                pool.window.ends_at.date().isoformat(),  # a renewed credit of this name expires again
                str(due[-1]),
            ),
            kind=NoticeKind.CREDIT_EXPIRES,
            customer=statement.customer,
            period=statement.period,
            subject=f"Credit {pool.id} expires in {left} days",
            sentences=(
                f"At the end of {month_words(statement.period)}, {_left(pool)} of {pool.id} was left.",
                f"It expires on {pool.window.ends_at.date().isoformat()}.",
            ),
            path="/credits",
            facts={
                "pool": pool.id,
                "left": decimal_text(pool.closing),
                "unit": pool.unit,
                "expires_on": pool.window.ends_at.date().isoformat(),
            },
            written_at=at,
        )


def depletion_notices(
    statement: Statement, pools: Sequence[PoolView], at: datetime, running: Running | None = None
) -> Iterator[Notice]:
    """Yield a notice for each pool that may be used up within thirty days, once a month.

    `pools` are the contract's up to and with this statement; `running` says that it is a draft.
    """
    for view in pools:
        found = runway(view.rows, running) if view.rows[-1].period == statement.period else None
        if view.kind not in _PREPAID or found is None or found.earliest is None:
            continue
        if found.earliest > found.since + DEPLETES_WITHIN:
            continue
        latest = found.latest.isoformat() if found.latest is not None else "not before it ends"
        yield Notice(
            id=notice_id(NoticeKind.POOL_DEPLETES, statement.contract, view.pool, statement.period),
            kind=NoticeKind.POOL_DEPLETES,
            customer=statement.customer,
            period=statement.period,
            subject=f"{view.pool} may be used up on {found.earliest.isoformat()}",
            sentences=(
                f"Left of {view.pool} on {found.since.isoformat()}: {_amount(view.left, view.unit)}.",
                f"At the fastest of the last {found.months} whole months it is used up on {found.earliest.isoformat()};"
                f" at the slowest, {latest}.",
            ),
            path="/commitments" if view.kind == "prepaid" else "/credits",
            facts={
                "pool": view.pool,
                "left": decimal_text(view.left),
                "unit": view.unit,
                "earliest": found.earliest.isoformat(),
            },
            written_at=at,
        )


def export_ready(export: Export, at: datetime) -> Notice:
    """Return the notice of a file that was made because its customer wants one of every month."""
    name, total = f"{KINDS[export.kind]}, {export.format}", ""
    if export.total is not None and export.currency is not None:
        total = f" Its statement comes to {money_text(export.total, export.currency)}."
    return Notice(
        id=notice_id(NoticeKind.EXPORT_READY, export.id),
        kind=NoticeKind.EXPORT_READY,
        customer=export.customer,
        period=export.period,
        subject=f"File of {month_words(export.period)}: {name}",
        sentences=(
            f"The file you want of every month was made of {month_words(export.period)}: {name}.",
            f"It has {export.rows_written:,} rows.{total} The SHA-256 of its bytes is {export.sha256}.",
        ),
        path="/exports",
        facts={
            "export": export.id,
            "kind": export.kind,
            "format": export.format,
            "rows": str(export.rows_written),
            "sha256": export.sha256,
            "statement": export.statement,
            "total": decimal_text(export.total) if export.total is not None else "",
            "currency": export.currency or "",
        },
        written_at=at,
    )


def watch_notice(alerts: Sequence[NightAlert], at: datetime) -> Notice:
    """Return the notice to finance of what was new on a night of a month; `alerts` are that night's, at least one."""
    month, night = alerts[0].month, alerts[0].night.isoformat()
    words = tuple(_concern(one.concern) for one in alerts)
    more = (f"And {len(words) - MOST_CONCERNS} more.",) if len(words) > MOST_CONCERNS else ()
    return Notice(
        id=notice_id(NoticeKind.WATCH_ALERT, month, night),
        kind=NoticeKind.WATCH_ALERT,
        customer=EVERYONE,
        period=month,
        subject=f"Watch of {month}: {len(words)} new on {night}",
        sentences=(
            f"The night of {night} found in {month_words(month)} what was not there the night before.",
            *words[:MOST_CONCERNS],
            *more,
        ),
        path="/close",
        written_at=at,
    )


def _concern(concern: Concern) -> str:
    """Return a concern as a letter says it: whose, what, and the money at risk, where there is any."""
    whose = f"{concern.customer}, " if concern.customer is not None else ""
    risk = ""
    if concern.amount is not None and concern.currency is not None:
        risk = f" At risk: {money_text(concern.amount, concern.currency)}."
    return f"{whose}{concern.kind.value.replace('_', ' ')}: {concern.words.rstrip('.')}.{risk}"


def _left(pool: Pool) -> str:
    """Return what is left in a pool, in money or in its unit."""
    return _amount(pool.closing, pool.unit)


def _amount(amount: Decimal, unit: str) -> str:
    return money_text(amount, unit) if is_currency(unit) else f"{amount:,f} {unit}"


def _percent(pool: Pool) -> Decimal:
    """Return how much was used of what there was: of an entitlement in its month, of a pool over its window."""
    used = pool.drawn if pool.kind == "entitlement" else max(pool.booked_drawn, pool.drawn)
    there = used + pool.closing
    return used * 100 / there if there > 0 else Decimal(0)


def _change(change: Decimal, currency: str, prior: str) -> str:
    if change == 0:
        return f"That is what {month_words(prior)} came to."
    return f"That is {money_text(abs(change), currency)} {'more' if change > 0 else 'less'} than {month_words(prior)}."


def _reason(row: FluxRow) -> str:
    parts: Sequence[tuple[str, Decimal]] = [(name, getattr(row, name)) for name in _PARTS]
    said = ", ".join(f"{name} {_signed(value, row.currency)}" for name, value in parts if value)
    return f"{row.product}: {_signed(row.change, row.currency)} ({said})."


def _signed(amount: Decimal, currency: str) -> str:
    return f"{'+' if amount > 0 else '-' if amount < 0 else ''}{money_text(abs(amount), currency)}"
