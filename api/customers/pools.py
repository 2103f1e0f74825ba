"""Pools: commitments, credits and allowances, each window with its months and how long it lasts."""

from fastapi import APIRouter, Request, Response

from api.answers import tagged
from api.customers.callers import Caller, Reader
from api.pages import AsPages, Page, Paging, at_place, page_of
from billing.pool_views import PoolView

router = APIRouter(prefix="/v1")
COMMITMENTS = frozenset({"prepaid", "postpaid", "minimum"})
CREDITS = frozenset({"paid", "promotional"})
ENTITLEMENTS = frozenset({"entitlement"})


@router.get("/commitments", response_model=Page[PoolView])
def commitments(request: Request, caller: Reader, asked: AsPages) -> Response:
    """List commitments, by name and window."""
    return _listed(request, caller, asked, COMMITMENTS)


@router.get("/credits", response_model=Page[PoolView])
def credits(request: Request, caller: Reader, asked: AsPages) -> Response:
    """List credits that were bought or given, by name and window."""
    return _listed(request, caller, asked, CREDITS)


@router.get("/entitlements", response_model=Page[PoolView])
def entitlements(request: Request, caller: Reader, asked: AsPages) -> Response:
    """List allowances, by name and window."""
    return _listed(request, caller, asked, ENTITLEMENTS)


def _listed(request: Request, caller: Caller, asked: Paging, kinds: frozenset[str]) -> Response:
    found = [view for view in caller.books.pools() if view.kind in kinds]
    rows, following = page_of(found, lambda one: (one.pool, at_place(one.window.starts_at)), asked)
    return tagged(request, Page[PoolView](items=rows, next=following))
