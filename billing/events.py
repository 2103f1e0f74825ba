"""Events to entries: what is booked for a fact that no statement has, from what the journal holds on its day.

A payment (A2), an expiry (A5), unclaimed property (A8), a carried shortfall's use (C7), a termination (C8), and what
`billing/settlements.py` books. An estimate has no entry of its own: the next month's schedule reads it. The books and
the offline command call the same rule with the same event, so their entries are the same.
"""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from itertools import groupby

from billing import settlements
from billing.revenue_terms import RevenueTerms
from billing.settlements import EventRefused, due_of
from models.event import CarriedUse, Estimate, Event, Expiry, Payment, Termination, Unclaimed
from models.journal import Account, JournalEntry, Posting, Rule
from models.money import ZERO, money_text
from models.period import month_of
from models.refusal import Refusal

_OWED = (Account.PREPAID, Account.DEFERRED_TIME)
_NEVER_BELOW = (*_OWED, Account.REFUND_LIABILITY, Account.UNCLAIMED, Account.CUSTOMER_BALANCE)
_Place = tuple[Account, str | None, str | None]


class NegativeLiability(Refusal):
    """More was taken from a liability than was owed: the customer would owe us a service."""

    remedy = "Find the entry that took too much; the grant's roll-forward (./tieout pool) shows where."


def entry_for(
    event: Event, booked: Sequence[JournalEntry], terms: RevenueTerms | None = None, post_to: str | None = None
) -> JournalEntry | None:
    """Return the entry of an event, given the contract's entries so far; None for an estimate.

    `post_to` is the first open month where the event's own is locked: the entry is then dated on its first day, and its
    postings keep the day of the event.

    Raises:
        EventRefused: nothing is booked by guess.
    """
    if isinstance(event, Estimate):
        return None
    by = max(month_of(event.on), post_to or "")
    own = [one for one in booked if one.contract == event.contract and one.period <= by]
    if not own:
        raise EventRefused("nothing is booked of the contract by then", event=event.id, contract=event.contract)
    match event:
        case Payment():
            rule, text, postings = Rule.A2, "Payment received", _payment(event, own)
        case Expiry():
            rule, text, postings = Rule.A5, f"Expired: {event.grant}", _expiry(event, own, terms or RevenueTerms())
        case Unclaimed():
            text = f"Unclaimed property ({event.law}): {event.grant}"
            rule, postings = Rule.A8, _rest(event.id, event.grant, own, Account.UNCLAIMED)
        case CarriedUse():
            rule, text, postings = Rule.C7, f"Carried shortfall used: {event.grant}", _carried(event, own)
        case Termination():
            rule, text, postings = Rule.C8, f"Terminated by {event.clause}", _termination(event, own)
        case _:
            rule, text, postings = settlements.booked(event, own)
    some = tuple(one for one in postings if one.amount)
    if not some:
        return None
    day = event.on
    if post_to is not None and post_to > month_of(day):
        day = day.replace(year=int(post_to[:4]), month=int(post_to[5:]), day=1)
    return JournalEntry(
        key=key_of(event),
        rule=rule,
        customer=own[0].customer,
        contract=event.contract,
        period=month_of(day),
        posted_on=day,
        currency=own[0].currency,
        description=text,
        postings=some,
        statement=event.fingerprint(),
        invoice=getattr(event, "invoice", None),
    )


def key_of(event: Event) -> str:
    """Return the key of an event's entry."""
    return f"event/{event.contract}/{event.id}"[:128]


def refuse_negative_liabilities(entries: Iterable[JournalEntry], booked: Iterable[JournalEntry] = ()) -> None:
    """Refuse entries after which, at the end of any month from theirs on, a liability they take from is a debit.

    `booked` is what the journal holds already of their contracts.

    Raises:
        NegativeLiability: naming contract, account, grant or obligation, and month.
    """
    new = list(entries)
    taken = {_owed_at(entry, one) for entry in new for one in entry.postings if one.amount > 0}
    since = min((entry.period for entry in new), default="")
    held: dict[tuple[str, str, _Place], Decimal] = {}
    for month, of_month in groupby(sorted([*booked, *new], key=lambda entry: entry.period), key=lambda one: one.period):
        for entry in of_month:
            for one in entry.postings:
                if one.account in _NEVER_BELOW:
                    place = _owed_at(entry, one)
                    held[place] = held.get(place, ZERO) + one.amount
        for place, amount in held.items() if month >= since else ():
            if amount > 0 and place in taken:
                contract, currency, (account, grant, obligation) = place
                raise NegativeLiability(
                    f"{account.value} is {money_text(-amount, currency)}",
                    contract=contract,
                    grant=grant or obligation,
                    period=month,
                )


def _owed_at(entry: JournalEntry, one: Posting) -> tuple[str, str, _Place]:
    return entry.contract, entry.currency, _place(one)


def balances(entries: Iterable[JournalEntry]) -> dict[_Place, Decimal]:
    """Return what each account holds by grant, else by obligation; debits positive, zeros left out."""
    sums: dict[_Place, Decimal] = {}
    for entry in entries:
        for one in entry.postings:
            place = _place(one)
            sums[place] = sums.get(place, ZERO) + one.amount
    return {place: amount for place, amount in sums.items() if amount}


def _place(one: Posting) -> _Place:
    by_grant = one.account in (Account.PREPAID, Account.CONTRACT_ASSET)
    return (one.account, one.grant, None) if by_grant else (one.account, None, one.obligation)


def _payment(event: Payment, own: Sequence[JournalEntry]) -> list[Posting]:
    due = due_of(event.invoice, own)
    if due <= 0:
        raise EventRefused("the invoice is not open", event=event.id, invoice=event.invoice)
    if event.amount > due:
        raise EventRefused("more is paid than is due", event=event.id, invoice=event.invoice, due=due)
    return [
        Posting(account=Account.CLEARING, amount=event.amount - event.fee),
        Posting(account=Account.PAYMENT_FEES, amount=event.fee),
        Posting(account=Account.RECEIVABLE, amount=-event.amount),
    ]


def _expiry(event: Expiry, own: Sequence[JournalEntry], terms: RevenueTerms) -> list[Posting]:
    said = terms.of(event.grant)
    to = Account.REFUND_LIABILITY if said.refundable else Account.UNCLAIMED if said.unclaimed else Account.BREAKAGE
    return _rest(event.id, event.grant, own, to)


def _rest(event: str, grant: str, own: Sequence[JournalEntry], to: Account) -> list[Posting]:
    owed = -balances(own).get((Account.PREPAID, grant, None), ZERO)
    if owed <= 0:
        raise EventRefused("nothing is owed of the grant", event=event, grant=grant)
    return [
        Posting(account=Account.PREPAID, amount=owed, obligation=grant, grant=grant),
        Posting(account=to, amount=-owed, obligation=grant, grant=grant),
    ]


def _carried(event: CarriedUse, own: Sequence[JournalEntry]) -> list[Posting]:
    owed = -balances(own).get((Account.PREPAID, event.grant, None), ZERO)
    if event.amount > owed:
        raise EventRefused("more is used than was carried", event=event.id, grant=event.grant, carried=owed)
    return [
        Posting(account=Account.PREPAID, amount=event.amount, obligation=event.grant, grant=event.grant),
        Posting(account=Account.USAGE_PREPAID, amount=-event.amount, obligation=event.grant, grant=event.grant),
    ]


def _termination(event: Termination, own: Sequence[JournalEntry]) -> list[Posting]:
    """Return what empties the contract's liabilities and contract assets; the fee is due at once, and pays assets."""
    postings = [Posting(account=Account.RECEIVABLE, amount=event.fee)]
    assets = ZERO
    for (account, grant, obligation), held in sorted(balances(own).items(), key=str):
        if account is Account.CONTRACT_ASSET:
            assets += held
            postings.append(Posting(account=account, amount=-held, obligation=grant, grant=grant))
        if account in _OWED:
            revenue = Account.BREAKAGE if account is Account.PREPAID else Account.PLATFORM_FEE
            to = revenue if event.rest == "forfeited" else Account.REFUND_LIABILITY
            postings.append(Posting(account=account, amount=-held, obligation=obligation or grant, grant=grant))
            postings.append(Posting(account=to, amount=held, obligation=obligation or grant, grant=grant))
    postings.append(Posting(account=Account.SHORTFALL, amount=assets - event.fee, obligation="termination"))
    return postings
