"""Correcting: an approved and settled correction as journal entries in the open period (rules E1-E5, F1-F4).

What was issued and posted stays. The earned part goes to a contra account (4920; 4930 where the billing was wrong), the
part of a fee that is not earned yet out of 2100, pro rata by its days; with `Split.CONTRA` all of it is contra at once.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from enum import StrEnum

from models.correction import Cause, Correction, DeltaLine, Settlement
from models.journal import Account, JournalEntry, Posting, Rule
from models.money import ZERO, rounded, total
from models.period import first_day, month_of, months_between, next_month
from models.refusal import Refusal
from models.statement import LineKind

_REVENUE = {
    LineKind.USAGE: Account.USAGE,
    LineKind.MINIMUM: Account.USAGE,
    LineKind.OVERAGE: Account.OVERAGE,
    LineKind.SHORTFALL: Account.SHORTFALL,
    LineKind.FEE: Account.PLATFORM_FEE,
}
_SETTLED_ON = {
    Settlement.CREDIT_NOTE: Account.RECEIVABLE,
    Settlement.BALANCE: Account.CUSTOMER_BALANCE,
    Settlement.REFUND: Account.CLEARING,
    Settlement.NEXT_PERIOD: Account.UNBILLED,
    Settlement.VOID: Account.RECEIVABLE,
    Settlement.REBILL: Account.UNBILLED,
}
_GIVEN_BACK = {Settlement.REFUND: Rule.E3, Settlement.BALANCE: Rule.E4, Settlement.VOID: Rule.E5}


class Split(StrEnum):
    """What a credit on a fee takes: its earned and unearned parts by days (as Stripe does), or all from revenue now."""

    PRO_RATA = "pro_rata"
    CONTRA = "contra"


class NoRule(Refusal):
    """A corrected line has no row in the entries table."""

    remedy = "Ask the controller which rule holds (docs/accounting.md)."


@dataclass(frozen=True, slots=True)
class Booking:
    """Where and when a correction is posted: the open period and day, and whether the corrected one is closed."""

    month: str
    day: date
    closed: bool  # the accounting period of the original entries is locked

    @property
    def later(self) -> str:
        """The month after."""
        return next_month(self.month)


def booking(period: str, open_month: str, today: date) -> Booking:
    """Return where a correction of a period is posted: its own last day while open, else today in the open month.

    A day outside the open month is that month's first.
    """
    closed = open_month != period
    if not closed:
        return Booking(period, first_day(next_month(period)) - timedelta(days=1), closed)
    day = today if month_of(today) == open_month else first_day(open_month)
    return Booking(open_month, day, closed)


def entries_of(
    correction: Correction,
    where: Booking,
    invoice_total: tuple[Decimal, Decimal],
    originals: Sequence[JournalEntry] = (),
    split: Split = Split.PRO_RATA,
) -> tuple[JournalEntry, ...]:
    """Return the entries of a correction, balanced each.

    `invoice_total` is what the issued invoice stands at before this correction, without tax and its tax: a void takes
    all of it. `originals` are the entries of the issued month: what is posted again names the one it reverses.

    Raises:
        NoRule: nothing is posted.
    """
    maker = _Maker(correction, where)
    entries: list[JournalEntry | None] = []
    settlement = correction.request.settlement
    if settlement is Settlement.REBILL:
        entries += list(_rebilled(maker, invoice_total))
    again = not where.closed and correction.request.cause.rates_again
    for line in correction.lines:
        if line.kind not in _REVENUE:
            raise NoRule("no rule corrects a line of this kind", kind=line.kind.value, line=line.name)
    if again:
        entries += list(
            _posted_again(maker, [one for one in correction.lines if one.kind is not LineKind.FEE], originals)
        )
    entries.append(maker.entry("", maker.rule(), maker.text(), _differences(maker, again, split)))
    if settlement is not Settlement.REBILL:  # later months earn what the invoice that replaces it billed
        entries += list(_later(maker, split))
    return tuple(entry for entry in entries if entry is not None)


def _differences(maker: "_Maker", again: bool, split: Split) -> list[Posting]:
    """Return what each line's difference debits, the tax, and what all of it is settled on."""
    correction, where = maker.correction, maker.where
    up_late = correction.request.cause is Cause.LATE_USAGE
    postings: list[Posting] = []
    for line in correction.lines:
        if again and line.kind is not LineKind.FEE:
            account, amount = Account.UNBILLED, -line.delta
            postings.append(Posting(account=account, amount=amount, obligation=line.obligation))
            continue
        parts = _parts(line, correction.currency, where, split)
        now = parts[0][1]
        account = _REVENUE[line.kind] if up_late else maker.contra
        postings.append(maker.posting(account, -now, line))
        unearned = total(amount for _, amount in parts[1:])
        postings.append(Posting(account=Account.DEFERRED_TIME, amount=-unearned, obligation=line.obligation))
    settled_on = _SETTLED_ON[correction.request.settlement]
    billed_now = settled_on is not Account.UNBILLED
    if billed_now:  # a line of a later invoice is taxed there
        postings.append(Posting(account=Account.SALES_TAX, amount=-correction.tax, obligation="tax"))
    amount = correction.total if billed_now else correction.net
    postings.append(Posting(account=settled_on, amount=amount, obligation="corrections" if not billed_now else None))
    return postings


def _later(maker: "_Maker", split: Split) -> Iterator[JournalEntry | None]:
    """Yield what later months take back of a fee that they still earn as it was billed."""
    correction = maker.correction
    months: dict[str, list[Posting]] = {}
    for line in correction.lines:
        for month, amount in _parts(line, correction.currency, maker.where, split)[1:]:
            months.setdefault(month, []).extend(
                (
                    maker.posting(maker.contra, -amount, line),
                    Posting(account=Account.DEFERRED_TIME, amount=amount, obligation=line.obligation),
                )
            )
    for month, postings in sorted(months.items()):
        text = f"Corrected fee's part of {month}"
        yield maker.entry(f"/{month}", maker.rule(), text, postings, month)


def _posted_again(
    maker: "_Maker", lines: Sequence[DeltaLine], originals: Sequence[JournalEntry]
) -> Iterator[JournalEntry | None]:
    """Yield the reversal of what was earned on these lines and what they earn instead, linked (F3)."""
    reverses = _reversed(lines, originals)
    for name, sign, amounts in (
        ("/reversed", 1, [line.before for line in lines]),
        ("/again", -1, [line.after for line in lines]),
    ):
        postings = []
        for line, amount in zip(lines, amounts, strict=True):
            postings.append(maker.posting(_REVENUE[line.kind], sign * amount, line))
            postings.append(Posting(account=Account.UNBILLED, amount=-sign * amount, obligation=line.obligation))
        text = "Rated again: reversed" if sign > 0 else "Rated again: posted again"
        rule = Rule.F1 if maker.correction.request.cause is Cause.LATE_USAGE else Rule.F3
        yield maker.entry(name, rule, text, postings, reverses=reverses if sign > 0 else None)


def _reversed(lines: Iterable[DeltaLine], originals: Iterable[JournalEntry]) -> str | None:
    ids = {original for line in lines for original in line.originals}
    for entry in originals:
        if any(posting.rated_line in ids for posting in entry.postings):
            return entry.key
    return None


def _rebilled(maker: "_Maker", before: tuple[Decimal, Decimal]) -> Iterator[JournalEntry | None]:
    """Yield the void of the issued invoice and the one that replaces it; revenue is not touched by either (E5)."""
    net, tax = before
    correction = maker.correction
    for name, sign, (amount, of_tax), text in (
        ("/void", 1, (net, tax), "Invoice taken back, to be billed again"),
        ("/rebill", -1, (net + correction.net, tax + correction.tax), "The invoice that replaces it"),
    ):
        yield maker.entry(
            name,
            Rule.E5,
            text,
            [
                Posting(account=Account.UNBILLED, amount=sign * amount, obligation="corrections"),
                Posting(account=Account.SALES_TAX, amount=sign * of_tax, obligation="tax"),
                Posting(account=Account.RECEIVABLE, amount=-sign * (amount + of_tax)),
            ],
        )


def _parts(line: DeltaLine, currency: str, where: Booking, split: Split) -> list[tuple[str, Decimal]]:
    """Return a line's difference by month: what is earned up to the month it is posted in, then each later month's."""
    if line.kind is not LineKind.FEE or split is Split.CONTRA:
        return [(where.month, line.delta)]
    last = month_of(line.service_until - timedelta(days=1))
    parts = [(where.month, _by(line, currency, where.later))]
    for month in months_between(where.later, last):
        part = _by(line, currency, next_month(month)) - _by(line, currency, month)
        if part:
            parts.append((month, part))
    return parts


def _by(line: DeltaLine, currency: str, month: str) -> Decimal:
    """Return what of a fee's difference belongs to the days before a month."""
    days, past = (line.service_until - line.service_from).days, (first_day(month) - line.service_from).days
    if past >= days:
        return line.delta
    return rounded(line.delta * past / days, currency) if past > 0 else ZERO


class _Maker:
    """Makes the entries of one correction."""

    def __init__(self, correction: Correction, where: Booking) -> None:
        self.correction = correction
        self.where = where

    @property
    def contra(self) -> Account:
        """Where revenue is lowered: wrong billing of a closed period has its own account."""
        wrong = self.correction.request.cause.rates_again
        return Account.BILLING_CORRECTIONS if wrong and self.where.closed else Account.CREDIT_NOTES

    def rule(self) -> Rule:
        """Return the row of the entries table."""
        request, closed = self.correction.request, self.where.closed
        if request.cause is Cause.LATE_USAGE and self.correction.net > 0:
            return Rule.F2 if closed else Rule.F1
        if request.cause.rates_again:
            return Rule.F4 if closed else Rule.F3
        return _GIVEN_BACK.get(request.settlement, Rule.E2 if closed else Rule.E1)

    def text(self) -> str:
        """Return in words what was corrected and why."""
        request = self.correction.request
        return f"{request.cause.value} of {request.invoice}, by {request.settlement.value}"

    def posting(self, account: Account, amount: Decimal, line: DeltaLine) -> Posting:
        """Return a posting with the line's old service dates."""
        return Posting(
            account=account,
            amount=amount,
            obligation=line.obligation,
            meter=line.name if line.kind in (LineKind.USAGE, LineKind.OVERAGE) else None,
            model=line.dimensions.get("model"),
            rated_line=line.originals[0] if line.originals else None,
            service_from=line.service_from,
            service_until=line.service_until,
        )

    def entry(
        self,
        name: str,
        rule: Rule,
        text: str,
        postings: Iterable[Posting],
        month: str | None = None,
        reverses: str | None = None,
    ) -> JournalEntry | None:
        """Return an entry of these postings, without those of nothing; None where none is left."""
        some = tuple(posting for posting in postings if posting.amount)
        if not some:
            return None
        correction = self.correction
        day = self.where.day if month in (None, self.where.month) else _last_day(month or self.where.month)
        return JournalEntry(
            key=f"correction/{correction.id}{name}",
            rule=rule,
            customer=correction.customer,
            contract=correction.contract,
            period=month or self.where.month,
            posted_on=day,
            currency=correction.currency,
            description=text,
            postings=some,
            statement=correction.statement,
            invoice=correction.request.invoice,
            reverses=reverses,
        )


def _last_day(month: str) -> date:
    return first_day(next_month(month)) - timedelta(days=1)
