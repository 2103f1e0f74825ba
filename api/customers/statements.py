"""Statements: what the newest month is on track to be billed, and each month as it stands."""

from typing import Annotated

from fastapi import APIRouter, Path, Request, Response

from api.answers import tagged
from api.customers.callers import Reader
from api.pages import AsPages, Page, page_of
from api.refused import not_found
from api.v1 import MonthOf
from billing.bridge import Bridge, BridgeStep, totals_by_kind
from billing.pool_views import PoolView
from models.access import CustomerScope
from models.money import Currency
from models.period import Month
from models.reports import StatementView
from models.statement import Statement
from models.value import Exact, Frozen, Instant
from runtime.portal import CustomerBooks

router = APIRouter(prefix="/v1")


class WhoAsks(Frozen):
    """Whose key this is, and what it may do now."""

    key: str
    name: str
    customer: str
    scopes: tuple[CustomerScope, ...]


class StatementHead(Frozen):
    """A month's total as it stands: issued, rated by its close, or on track while the month runs."""

    month: Month
    contract: str
    total: Exact
    tax: Exact
    currency: Currency
    fingerprint: str
    as_of: Instant
    issued: bool
    on_track: bool
    complete_up_to: Instant | None


class WholeStatement(Frozen):
    """A month with every line and its explanation."""

    head: StatementHead
    made_up: tuple[BridgeStep, ...]
    statement: Statement


class Overview(Frozen):
    """The newest month: its total, how it is made up, what is left of pools, why it differs; null: none is rated."""

    head: StatementHead | None
    made_up: tuple[BridgeStep, ...] = ()
    pools: tuple[PoolView, ...] = ()
    why: Bridge | None = None


@router.get("/key", response_model=WhoAsks)
def key(request: Request, caller: Reader) -> Response:
    """Return whose key this is."""
    holder = caller.holder
    return tagged(request, WhoAsks(key=holder.id, name=holder.name, customer=holder.customer, scopes=holder.scopes))


@router.get("/overview", response_model=Overview)
def overview(request: Request, caller: Reader) -> Response:
    """Return what the newest month is on track to be billed."""
    newest = caller.books.newest()
    if newest is None:
        return tagged(request, Overview(head=None))
    told = newest.statement
    return tagged(
        request,
        Overview(
            head=head_of(newest),
            made_up=totals_by_kind(told),
            pools=tuple(view for view in caller.books.pools() if any(row.period == told.period for row in view.rows)),
            why=caller.books.why(told),
        ),
    )


@router.get("/statements", response_model=Page[StatementHead])
def statements(request: Request, caller: Reader, asked: AsPages) -> Response:
    """List the months, newest first."""
    months, following = page_of(caller.books.months(), lambda month: (month,), asked, newest_first=True)
    found = [view for month in months if (view := caller.books.newest(month)) is not None]
    return tagged(request, Page[StatementHead](items=tuple(map(head_of, found)), next=following))


@router.get("/statements/{month}", response_model=WholeStatement)
def statement(request: Request, caller: Reader, month: Annotated[MonthOf, Path()]) -> Response:
    """Return a month as it stands."""
    view = month_of(caller.books, month)
    return tagged(
        request,
        WholeStatement(head=head_of(view), made_up=totals_by_kind(view.statement), statement=view.statement),
    )


def month_of(books: CustomerBooks, month: str | None) -> StatementView:
    """Return the statement that stands for a month, or for the newest; raises Problem 404."""
    view = books.newest(month)
    if view is None:
        raise not_found()
    return view


def head_of(view: StatementView) -> StatementHead:
    """Return what stands at a statement's head."""
    told = view.statement
    return StatementHead(
        month=told.period,
        contract=told.contract,
        total=told.total,
        tax=told.tax,
        currency=told.currency,
        fingerprint=view.kept_as,
        as_of=view.stored_at,
        issued=view.issued,
        on_track=view.draft,
        complete_up_to=view.complete_up_to,
    )
