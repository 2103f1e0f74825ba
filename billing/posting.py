"""Posting: schedule and invoice to journal entries, one for each rule (docs/accounting.md names each).

An invoice belongs to the accounting period it closes, dated on its last day; where that period is locked, to the first
day of the first open one, with the old service dates kept on its postings.
"""

from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from decimal import Decimal

from models.invoice import Invoice
from models.journal import Account, JournalEntry, Posting, Rule
from models.money import ZERO, total
from models.period import first_day, months_between, next_month
from models.refusal import Refusal
from models.revenue import Movement, RevenueSchedule
from models.statement import Statement
from models.value import fingerprint_of

_ORDER = (
    Rule.A1,
    Rule.B1_BILLED,
    Rule.B1_EARNED,
    Rule.B2,
    Rule.B5,
    Rule.A3,
    Rule.C6,
    Rule.A3_DEFERRED,
    Rule.A5,
    Rule.A6,
    Rule.A7,
    Rule.A8,
    Rule.C1,
    Rule.C2,
    Rule.C3,
    Rule.C7,
    Rule.D3,
    Rule.F2,
    Rule.D2,
    Rule.B3,
)
_BILLED = {
    Rule.A1: "Prepaid credit or commitment invoiced",
    Rule.B1_BILLED: "Fee invoiced before it is earned",
    Rule.B3: "Unbilled revenue and tax invoiced",
}
_EARNED = {
    Rule.B1_EARNED: "Fee earned by its days",
    Rule.B2: "Usage of the month, net of discounts",
    Rule.B5: "Overage of the month",
    Rule.A3: "Drawn from prepaid credit, at what it cost",
    Rule.C6: "Drawn ahead of the installment",
    Rule.A3_DEFERRED: "Credit paid a fee that is not earned yet",
    Rule.A5: "Prepaid credit expired",
    Rule.A6: "Expected breakage, in proportion to use",
    Rule.A7: "Prepaid credit past what rolls over",
    Rule.A8: "Unclaimed property",
    Rule.C1: "Monthly commitment's shortfall",
    Rule.C2: "Commitment's shortfall",
    Rule.C3: "Expected shortfall, in proportion to use",
    Rule.C7: "Shortfall that may be used later",
    Rule.D3: "Retroactive tier at its expected price",
    Rule.F2: "Late usage of a closed period",
    Rule.D2: "Promotional credit used, shown gross",
}
_LONGEST_KEY = 128


class DoesNotTie(Refusal):
    """Statement, invoice and schedule are not of one another."""

    remedy = "Post a statement with its own invoice and schedule."


class NoEntry(Refusal):
    """A movement has a rule that no entry is made of: it would be left out silently."""

    remedy = "This is a fault of ours: every rule has its entry (billing/posting.py); keep the statement, report it."


class TrueUpTooLarge(Refusal):
    """The invoice differs from what was accrued by more than the tolerance."""

    remedy = "Explain the difference (late usage, a wrong rate) and have the controller decide."


def entries_for(
    statement: Statement,
    invoice: Invoice,
    schedule: RevenueSchedule,
    *,
    post_to: str,
    prior_accruals: Sequence[JournalEntry] = (),
    close_run: str | None = None,
    true_up_limit: Decimal | None = None,
) -> tuple[JournalEntry, ...]:
    """Return the entries of an issued month: what it earns, and what its invoice asks for.

    `post_to` is the statement's month or the first later one that is open. `prior_accruals` are this month's accrued
    entries of this customer; those of the contract and close run were earned already, so instead of earning again the
    difference is trued up (J1): account by account, and nothing where invoice and accrual agree. `true_up_limit` bounds
    the revenue of that difference, in the statement's currency.

    Raises:
        DoesNotTie, TrueUpTooLarge: nothing is posted.
    """
    _refuse_strangers(statement, schedule, invoice)
    if post_to < statement.period:
        raise DoesNotTie("an entry is never posted before its month", post_to=post_to, period=statement.period)
    maker = _Maker(statement, post_to, close_run, invoice.reference)
    billed = [maker.entry(rule, text, _of(rule, schedule.billed)) for rule, text in _BILLED.items()]
    earned = _now(schedule)
    accrued = [
        entry for entry in prior_accruals if entry.contract == statement.contract and entry.close_run == close_run
    ]
    if accrued:
        differences = _differences(earned, accrued)
        _refuse_large(differences, true_up_limit)
        earning = [maker.of_postings(Rule.J1, "Invoice differs from its accrual", differences)]
    else:
        earning = [maker.entry(rule, text, _of(rule, earned)) for rule, text in _EARNED.items()]
    return _ordered([*billed, *earning])


def accrual_for(
    statement: Statement, schedule: RevenueSchedule, *, close_run: str | None = None
) -> tuple[JournalEntry, ...]:
    """Return what a month earns whose invoice is not issued when finance locks it, marked `accrued`.

    Nothing is billed: usage, shortfall and the earned part of fees stay unbilled (1110); what is drawn from credit that
    this very statement would bill is a contract asset (1120) until its invoice comes.
    """
    _refuse_strangers(statement, schedule, None)
    maker = _Maker(statement, statement.period, close_run, accrued=True)
    owed = {position.grant: max(position.opening, ZERO) for position in schedule.grants}
    unbilled = list(_from_what_is_owed(_now(schedule), owed))
    return _ordered([maker.entry(rule, text, _of(rule, unbilled)) for rule, text in _EARNED.items()])


def ahead_for(
    statement: Statement, schedule: RevenueSchedule, through: str, *, close_run: str | None = None
) -> tuple[JournalEntry, ...]:
    """Return what months after the statement, up to and with `through`, earn of fees it leaves billed ahead.

    Only for a look ahead: a close posts a month's own entries from that month's statement.
    """
    _refuse_strangers(statement, schedule, None)
    entries: list[JournalEntry | None] = []
    rows = [*schedule.rows, *schedule.moved]
    for month in months_between(next_month(statement.period), through):
        of_month = [row for row in rows if row.period == month]
        maker = _Maker(statement, month, close_run or f"{month}@1", posted_on=_last_day(month))
        entries += [maker.entry(rule, text, _of(rule, of_month)) for rule, text in _EARNED.items()]
    return tuple(entry for entry in entries if entry is not None)


def _last_day(month: str) -> date:
    return first_day(next_month(month)) - timedelta(days=1)


def _from_what_is_owed(movements: Iterable[Movement], owed: dict[str, Decimal]) -> Iterable[Movement]:
    """Yield movements with draws beyond what is owed of their grant debited to the contract asset."""
    for movement in movements:
        if movement.debit is not Account.PREPAID or movement.grant is None:
            yield movement
            continue
        left = owed.get(movement.grant, ZERO)
        covered = min(movement.amount, left)
        owed[movement.grant] = left - covered
        for debit, amount in ((Account.PREPAID, covered), (Account.CONTRACT_ASSET, movement.amount - covered)):
            if amount:
                yield movement.model_copy(update={"debit": debit, "amount": amount})


def _now(schedule: RevenueSchedule) -> list[Movement]:
    now = [each for each in (*schedule.rows, *schedule.moved) if each.period <= schedule.period]
    for each in now:
        if each.rule not in _EARNED:
            raise NoEntry("a rule has no entry", rule=each.rule.value, why=each.why)
    return now


def _of(rule: Rule, movements: Iterable[Movement]) -> list[Movement]:
    return [movement for movement in movements if movement.rule is rule]


class _Maker:
    """Makes the entries of one statement: same customer, contract, month, currency and run."""

    def __init__(
        self,
        statement: Statement,
        post_to: str,
        close_run: str | None,
        invoice: str | None = None,
        *,
        accrued: bool = False,
        posted_on: date | None = None,
    ) -> None:
        self.statement = statement
        self.fingerprint = statement.fingerprint()
        self.post_to = post_to
        self.close_run = close_run
        self.invoice = invoice
        self.accrued = accrued
        self.posted_on = posted_on or (_last_day(post_to) if post_to == statement.period else first_day(post_to))

    def entry(self, rule: Rule, text: str, movements: Sequence[Movement]) -> JournalEntry | None:
        """Return the entry of one rule: debits by account, obligation and grant; revenue by rated line."""
        debits: dict[tuple[Account, str, str | None], Decimal] = {}
        credits: dict[tuple[object, ...], tuple[Movement, Decimal]] = {}
        for movement in movements:
            obligation = movement.obligation if movement.debit is not Account.RECEIVABLE else ""
            grant = movement.grant if movement.debit is not Account.RECEIVABLE else None
            debit = (movement.debit, obligation, grant)
            debits[debit] = debits.get(debit, ZERO) + movement.amount
            credit = _credit_of(movement)
            first, amount = credits.get(credit, (movement, ZERO))
            credits[credit] = (first, amount + movement.amount)
        return self.of_postings(
            rule,
            text,
            [
                *(
                    Posting(account=account, amount=amount, obligation=obligation or None, grant=grant)
                    for (account, obligation, grant), amount in debits.items()
                ),
                *(_credit(movement, -amount) for movement, amount in credits.values()),
            ],
        )

    def of_postings(self, rule: Rule, text: str, postings: Iterable[Posting]) -> JournalEntry | None:
        """Return an entry of these postings, without those of nothing; None where none is left."""
        some = tuple(posting for posting in postings if posting.amount)
        if not some:
            return None
        mark = ", accrued" if self.accrued else ""
        run = self.close_run or f"{self.statement.period}@{self.statement.revision}"
        return JournalEntry(
            key=_short(f"{run}/{self.statement.contract}/{rule.value}{'/accrued' if self.accrued else ''}"),
            rule=rule,
            customer=self.statement.customer,
            contract=self.statement.contract,
            period=self.post_to,
            posted_on=self.posted_on,
            currency=self.statement.currency,
            description=f"{text}{mark}: {self.statement.contract} {self.statement.period}",
            postings=some,
            statement=self.fingerprint,
            invoice=self.invoice,
            accrued=self.accrued,
            close_run=self.close_run,
        )


def _credit_of(movement: Movement) -> tuple[object, ...]:
    """Return what a credit posting is told apart by: earned revenue by rated line, all else by obligation and grant."""
    if movement.credit.is_revenue:
        return (movement.credit, movement.rated_line, movement.grant, movement.service_from)
    return (movement.credit, movement.obligation, movement.grant)


def _credit(movement: Movement, amount: Decimal) -> Posting:
    if not movement.credit.is_revenue:
        return Posting(account=movement.credit, amount=amount, obligation=movement.obligation, grant=movement.grant)
    return Posting(
        account=movement.credit,
        amount=amount,
        obligation=movement.obligation,
        grant=movement.grant,
        meter=movement.meter,
        model=movement.model,
        rated_line=movement.rated_line,
        service_from=movement.service_from,
        service_until=movement.service_until,
    )


_Place = tuple[Account, str | None, str | None, str | None, str | None]


def _differences(earned: Sequence[Movement], accrued: Sequence[JournalEntry]) -> list[Posting]:
    """Return what is earned less what was accrued, by account, obligation, grant, meter and model."""
    places: dict[_Place, Decimal] = {}

    def add(place: _Place, amount: Decimal) -> None:
        places[place] = places.get(place, ZERO) + amount

    for movement in earned:
        add((movement.debit, movement.obligation, movement.grant, None, None), movement.amount)
        by_model = (movement.meter, movement.model) if movement.credit.is_revenue else (None, None)
        add((movement.credit, movement.obligation, movement.grant, *by_model), -movement.amount)
    for entry in accrued:
        for posting in entry.postings:
            place = (posting.account, posting.obligation, posting.grant, posting.meter, posting.model)
            add(place, -posting.amount)
    return [
        Posting(account=account, amount=amount, obligation=obligation, grant=grant, meter=meter, model=model)
        for (account, obligation, grant, meter, model), amount in places.items()
    ]


def _refuse_large(differences: Sequence[Posting], limit: Decimal | None) -> None:
    revenue = -total(posting.amount for posting in differences if posting.account.is_revenue)
    if limit is not None and abs(revenue) > limit:
        raise TrueUpTooLarge("the invoice differs from its accrual", difference=revenue, limit=limit)


def _refuse_strangers(statement: Statement, schedule: RevenueSchedule, invoice: Invoice | None) -> None:
    fingerprint = statement.fingerprint()
    if schedule.statement != fingerprint:
        raise DoesNotTie("the schedule is another statement's", statement=fingerprint, schedule=schedule.statement)
    if invoice is not None and (invoice.statement, invoice.total, invoice.currency) != (
        fingerprint,
        statement.total,
        statement.currency,
    ):
        raise DoesNotTie("the invoice is another statement's", statement=fingerprint, invoice=invoice.reference)


def _ordered(entries: Iterable[JournalEntry | None]) -> tuple[JournalEntry, ...]:
    """Return the entries there are: owed before drawn, earned before invoiced, the true-up last."""
    place = {rule: index for index, rule in enumerate(_ORDER)}
    some = [entry for entry in entries if entry is not None]
    return tuple(sorted(some, key=lambda entry: place.get(entry.rule, len(_ORDER))))


def _short(key: str) -> str:
    """Return a key of at most 128 characters; a longer one ends in its digest."""
    return key if len(key) <= _LONGEST_KEY else f"{key[:95]}-{fingerprint_of(key)[:32]}"
