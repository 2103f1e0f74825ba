"""Functional book: the journal once more, in the entity's functional currency, with exchange differences (I1 to I3).

Monetary accounts (cash, receivables, contract assets, what is paid back, tax) are carried at the closing rate of each
month (I2); contract liabilities keep the rate of the day they arose, so a draw of foreign credit earns at the grant's
own rate (I3); a payment settles its invoice at what it is carried at, and the difference is realized (I1). The book is
computed from the journal and the catalog's exchange rates alone: whoever has both arrives at the same cents.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from billing.rating.exact import exactly
from billing.rating.rates import NoRate, RateBook
from models.entity import Entity
from models.journal import Account, JournalEntry, Posting, Rule
from models.money import ZERO, minor_digits, rounded, total
from models.period import first_day, midnight, months_between, next_month
from models.rate_card import RateVersion

_MONETARY = frozenset(
    {
        Account.CLEARING,
        Account.RECEIVABLE,
        Account.UNBILLED,
        Account.CONTRACT_ASSET,
        Account.CUSTOMER_BALANCE,
        Account.REFUND_LIABILITY,
        Account.SALES_TAX,
        Account.UNCLAIMED,
    }
)
_LIABILITIES = frozenset({Account.DEFERRED_TIME, Account.PREPAID})
_Place = tuple[str, str, Account, str | None]
"""What is carried by itself: contract, currency, account, and its invoice, grant or obligation."""


@dataclass
class _Held:
    """A balance in its own currency, and what it is carried at."""

    amount: Decimal = ZERO
    carried: Decimal = ZERO


class Rates:
    """Exchange rates into the functional currency, from the catalog."""

    def __init__(self, entity: Entity, versions: Iterable[RateVersion]) -> None:
        self.entity = entity
        self._book = RateBook.of(versions)

    def on(self, currency: str, day: date) -> Decimal:
        """Return what one unit of a currency is worth on a day: the version in force at its end, in UTC.

        Raises:
            NoRate: there is none, or it leads elsewhere; nothing is converted by guess.
        """
        wanted = self.entity.functional_currency
        if currency == wanted:
            return Decimal(1)
        at = midnight(day + timedelta(days=1), "UTC") - timedelta(microseconds=1)
        found = self._book.rate_in_force(self.entity.fx_card, f"fx.{currency}", {"to": wanted}, at)
        if found.currency != wanted:
            raise NoRate("the exchange rate leads to another currency", rate=found.id, wanted=wanted)
        with exactly():
            return found.amount / found.per


def functional_book(
    entries: Sequence[JournalEntry], entity: Entity, versions: Iterable[RateVersion], through: str | None = None
) -> tuple[JournalEntry, ...]:
    """Return the journal in the functional currency: each entry once more, and a remeasurement at each month's end.

    Raises:
        NoRate: an exchange rate is missing; the whole book is refused.
    """
    if not entries:
        return ()
    rates = Rates(entity, versions)
    held: dict[_Place, _Held] = {}
    ordered = sorted(entries, key=lambda entry: (entry.posted_on, entry.key))
    book: list[JournalEntry] = []
    last = max(through or "", ordered[-1].period)
    for month in months_between(ordered[0].period, last):
        made = (_converted(entry, rates, held) for entry in ordered if entry.period == month)
        book += [entry for entry in made if entry is not None]
        book += _remeasured(month, rates, held, ordered)
    return tuple(book)


def _converted(entry: JournalEntry, rates: Rates, held: dict[_Place, _Held]) -> JournalEntry | None:
    wanted, rate = rates.entity.functional_currency, rates.on(entry.currency, entry.posted_on)
    amounts = [ZERO] * len(entry.postings)
    flexible = []
    for index, one in enumerate(entry.postings):
        at_rate = _at(one.amount, rate, wanted)
        if one.account in _MONETARY | _LIABILITIES:
            amounts[index] = _carry(held, _place(entry, one), one.amount, at_rate, wanted)
        else:
            amounts[index] = at_rate
            flexible.append(index)
    from_liability = any(one.account in _LIABILITIES and one.amount > 0 for one in entry.postings)
    left = -total(amounts)
    postings = list(entry.postings)
    if left and flexible and (from_liability or abs(left) <= _dust(entry, wanted)):
        _spread(left, amounts, flexible, wanted)
        left = ZERO
    made = [one.model_copy(update={"amount": amount}) for one, amount in zip(postings, amounts, strict=True) if amount]
    if left:
        account = Account.FX_REALIZED if entry.rule is Rule.A2 else Account.FX_UNREALIZED
        made.append(Posting(account=account, amount=left))
    if not made:  # less than half a minor unit in all
        return None
    return _entry(entry, wanted, made, f"fx/{entry.key}", entry.description, entry.rule)


def _carry(held: dict[_Place, _Held], place: _Place, amount: Decimal, at_rate: Decimal, currency: str) -> Decimal:
    """Return what a posting moves in the functional currency, and move it: what is taken off leaves at what it has."""
    found = held.setdefault(place, _Held())
    if found.amount and (found.amount > 0) != (amount > 0):
        if abs(amount) >= abs(found.amount):  # all of it, and what is beyond at the day's rate
            with exactly():
                beyond = at_rate * (abs(amount) - abs(found.amount)) / abs(amount)
            moved = rounded(beyond, currency) - found.carried
        else:
            with exactly():
                moved = rounded(found.carried * amount / found.amount, currency)
    else:
        moved = at_rate
    found.amount += amount
    found.carried += moved
    return moved


def _spread(left: Decimal, amounts: list[Decimal], flexible: Sequence[int], currency: str) -> None:
    """Add what is left to revenue in proportion, the largest posting taking the rest: the entry balances."""
    whole = total(abs(amounts[index]) for index in flexible)
    largest = max(flexible, key=lambda index: abs(amounts[index]))
    given = ZERO
    for index in flexible:
        if index != largest and whole:
            with exactly():
                part = rounded(left * abs(amounts[index]) / whole, currency)
            amounts[index] += part
            given += part
    amounts[largest] += left - given


def _remeasured(
    month: str, rates: Rates, held: dict[_Place, _Held], entries: Sequence[JournalEntry]
) -> Iterator[JournalEntry]:
    wanted, day = rates.entity.functional_currency, first_day(next_month(month)) - timedelta(days=1)
    by_contract: dict[tuple[str, str], list[Posting]] = {}
    for (contract, currency, account, of), found in sorted(held.items(), key=str):
        if account not in _MONETARY or currency == wanted or not (found.amount or found.carried):
            continue
        change = _at(found.amount, rates.on(currency, day), wanted) - found.carried
        found.carried += change
        if change:
            name = of if account is not Account.RECEIVABLE else None
            grant = of if account is Account.CONTRACT_ASSET else None
            by_contract.setdefault((contract, currency), []).append(
                Posting(account=account, amount=change, obligation=name, grant=grant)
            )
    for (contract, currency), postings in by_contract.items():
        gain = total(one.amount for one in postings)
        postings += [Posting(account=Account.FX_UNREALIZED, amount=-gain)] if gain else []
        like = next(one for one in entries if one.contract == contract and one.currency == currency)
        dated = like.model_copy(
            update={"period": month, "posted_on": day, "invoice": None, "accrued": False, "reverses": None}
        )
        text = f"{currency} at the closing rate of {day}: {contract}"
        yield _entry(dated, wanted, postings, f"fx/{month}/{contract}/{currency}"[:128], text, Rule.I2)


def _entry(
    like: JournalEntry, currency: str, postings: Sequence[Posting], key: str, text: str, rule: Rule
) -> JournalEntry:
    content = dict(like) | {
        "key": key if len(key) <= 128 else f"fx/{like.fingerprint()}",
        "currency": currency,
        "postings": tuple(postings),
        "description": text,
        "rule": rule,
    }
    return JournalEntry.model_validate(content)


def _at(amount: Decimal, rate: Decimal, currency: str) -> Decimal:
    with exactly():
        return rounded(amount * rate, currency)


def _dust(entry: JournalEntry, currency: str) -> Decimal:
    """Return how far the rounding of each posting can move an entry: half a minor unit a posting, rounded up."""
    return Decimal(1).scaleb(-minor_digits(currency)) * len(entry.postings) / 2


def _place(entry: JournalEntry, one: Posting) -> _Place:
    match one.account:
        case Account.RECEIVABLE:
            return (entry.contract, entry.currency, one.account, entry.invoice)
        case Account.PREPAID | Account.CONTRACT_ASSET:
            return (entry.contract, entry.currency, one.account, one.grant)
        case Account.CLEARING:
            return (entry.contract, entry.currency, one.account, None)
        case _:
            return (entry.contract, entry.currency, one.account, one.obligation)
