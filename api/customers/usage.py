"""Usage: a month by day and group, by day and line, and one day by hour; subtotals, never the amount due."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response

from api.answers import tagged
from api.customers.callers import Reader
from api.customers.statements import month_of
from api.pages import AsPages, Page, at_place, page_of
from api.v1 import MonthOf, Name
from billing.spread import COMPONENT, Hour, UsageView, hours_of, view_of
from models.draft import DayOfLine
from models.period import Month
from models.period import month_of as month_of_day
from models.value import Day, Frozen, Instant, canonical_json

router = APIRouter(prefix="/v1")
Asked = Annotated[MonthOf | None, Query(description="the newest, where none is named")]


class UsageOfMonth(Frozen):
    """A month's usage by day and group, before pools, credits and minimums; null: no usage is kept of it."""

    month: Month
    as_of: Instant
    fingerprint: str
    meters: tuple[str, ...]
    groupings: tuple[str, ...]
    usage: UsageView | None


@router.get("/usage", response_model=UsageOfMonth)
def usage(
    request: Request,
    caller: Reader,
    month: Asked = None,
    by: Annotated[Name, Query(min_length=1, description="a dimension, or `component` for the meter")] = COMPONENT,
    meter: Annotated[Name | None, Query(min_length=1, description="of this meter alone")] = None,
) -> Response:
    """Return a month's usage by day and group; what lacks the dimension is in the group of its meter."""
    newest = month_of(caller.books, month)
    days = caller.books.days(newest.statement)
    only = {COMPONENT: meter} if meter is not None else {}
    return tagged(
        request,
        UsageOfMonth(
            month=newest.statement.period,
            as_of=newest.stored_at,
            fingerprint=newest.kept_as,
            meters=tuple(sorted({one.meter for one in days})),
            groupings=(COMPONENT, *sorted({name for one in days for name in one.dimensions})),
            usage=view_of(days, by, newest.statement.currency, only) if days else None,
        ),
    )


@router.get("/usage/days", response_model=Page[DayOfLine])
def days(request: Request, caller: Reader, asked: AsPages, month: Asked = None) -> Response:
    """List each billed line's share of each day, by day and line."""
    rows, following = page_of(caller.books.days(month_of(caller.books, month).statement), _place, asked)
    return tagged(request, Page[DayOfLine](items=rows, next=following))


@router.get("/usage/days/{day}/hours", response_model=Page[Hour])
def hours(request: Request, caller: Reader, asked: AsPages, day: Annotated[Day, Path()]) -> Response:
    """List one day of a closed month by hour, as the sources were reconciled; an hour has no price."""
    newest = month_of(caller.books, month_of_day(day))
    found = hours_of(caller.books.usage(newest.statement), day, newest.statement.timezone)
    rows, following = page_of(found, _hour_place, asked)
    return tagged(request, Page[Hour](items=rows, next=following))


def _place(one: DayOfLine) -> tuple[str, ...]:
    return one.day.isoformat(), one.line, at_place(one.since), canonical_json(one.dimensions)


def _hour_place(one: Hour) -> tuple[str, ...]:
    return at_place(one.starts_at), one.meter, canonical_json(one.dimensions), one.source
