"""Journal: entries with their postings, the trial balance, each grant's roll-forward, and the reports of a close."""

from collections.abc import Iterable
from datetime import date
from itertools import groupby
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request, Response

from api.answers import tagged
from api.finance.callers import Asks, caller
from api.finance.shared import OfMonth
from api.pages import AsPages, Cursor, Page, count_place, none_of_ours, page_of
from api.refused import not_found
from api.v1 import Chosen, MonthOf, Name
from billing.reports.registry import REPORTS
from models.journal import Account, Rule
from models.money import Currency
from models.period import Month
from models.reports import Balance, JournalLine, Report, RollForward
from models.value import Day, Exact, Frozen, Instant

router = APIRouter(prefix="/v1")
AsOf = Annotated[date | None, Query(description="of entries effective up to and with this day")]
OfPeriod = Annotated[MonthOf, Query()]


class PostingShown(Frozen):
    """One side of an entry: a debit positive."""

    account: Account
    amount: Exact
    obligation: str | None
    grant: str | None
    meter: str | None
    model: str | None
    rated_line: str | None
    service_from: Day | None
    service_until: Day | None


class EntryShown(Frozen):
    """An entry with its place on the chain; of its postings those that were asked for."""

    position: int
    key: str
    rule: Rule
    customer: str
    contract: str
    period: Month
    posted_on: Day
    currency: Currency
    statement: str
    invoice: str | None
    accrued: bool
    preparer: str
    recorded_at: Instant
    hash: str
    postings: tuple[PostingShown, ...]


class ReportName(Frozen):
    """A report there is."""

    name: str


@router.get("/journal", response_model=Page[EntryShown])
def journal(
    request: Request,
    asks: Asks,
    asked: AsPages,
    period: OfMonth = None,
    customer: Chosen = None,
    account: Annotated[Account | None, Query()] = None,
    as_of: AsOf = None,
) -> Response:
    """List entries in the order they were posted."""
    after = _position(asked.cursor) if asked.cursor else 0
    lines = asks.console.books.journal_after(after, asked.limit + 1, period, customer, account, as_of)
    entries = list(_entries(lines))
    page = entries[: asked.limit]
    more = len(entries) > len(page)
    following = Cursor(after=(count_place(page[-1].position),)).text() if more else None
    return tagged(request, Page[EntryShown](items=tuple(page), next=following))


@router.get("/trial-balance", response_model=Page[Balance])
def trial_balance(request: Request, asks: Asks, asked: AsPages, period: OfPeriod, as_of: AsOf = None) -> Response:
    """List each account's balance by currency, through a period."""
    found = asks.console.books.trial_balance(period, as_of=as_of)
    rows, following = page_of(found, lambda one: (one.currency, one.account.value), asked)
    return tagged(request, Page[Balance](items=rows, next=following))


@router.get("/roll-forward", response_model=Page[RollForward])
def roll_forward(request: Request, asks: Asks, asked: AsPages, period: OfPeriod, customer: Chosen = None) -> Response:
    """List each grant's liability over a month."""
    found = asks.console.books.roll_forward(period, customer)
    rows, following = page_of(found, lambda one: (one.customer, one.contract, one.grant, one.currency), asked)
    return tagged(request, Page[RollForward](items=rows, next=following))


@router.get("/reports", response_model=Page[ReportName], dependencies=[Depends(caller)])
def reports(request: Request, asked: AsPages) -> Response:
    """List which reports there are, by name."""
    rows, following = page_of(REPORTS, lambda name: (name,), asked)
    return tagged(request, Page[ReportName](items=tuple(ReportName(name=name) for name in rows), next=following))


@router.get("/reports/{name}", response_model=Report)
def report(request: Request, asks: Asks, name: Annotated[Name, Path()], period: OfPeriod) -> Response:
    """Return a report of a period; of a locked one it is the same bytes whenever asked."""
    found = asks.console.report(name, period)
    if found is None:
        raise not_found()
    return tagged(request, found)


def _entries(lines: Iterable[JournalLine]) -> Iterable[EntryShown]:
    for _, group in groupby(lines, key=lambda one: one.position):
        postings = tuple(group)
        first = postings[0]
        yield EntryShown(
            position=first.position,
            key=first.key,
            rule=first.rule,
            customer=first.customer,
            contract=first.contract,
            period=first.period,
            posted_on=first.posted_on,
            currency=first.currency,
            statement=first.statement,
            invoice=first.invoice,
            accrued=first.accrued,
            preparer=first.preparer,
            recorded_at=first.recorded_at,
            hash=first.hash,
            postings=tuple(
                PostingShown(
                    account=one.account,
                    amount=one.amount,
                    obligation=one.obligation,
                    grant=one.grant,
                    meter=one.meter,
                    model=one.model,
                    rated_line=one.rated_line,
                    service_from=one.service_from,
                    service_until=one.service_until,
                )
                for one in postings
            ),
        )


def _position(cursor: Cursor) -> int:
    [place] = cursor.after if len(cursor.after) == 1 else [""]
    if not (place.isascii() and place.isdigit() and len(place) == len(count_place(0)) and int(place) < 2**63):
        raise none_of_ours()
    return int(place)
