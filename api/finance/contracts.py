"""Contracts: each customer's terms, every version, and what an amendment changed."""

from typing import Any

from fastapi import APIRouter, Request, Response

from api.answers import tagged
from api.finance.callers import Asks
from api.finance.shared import Customer
from api.pages import AsPages, Page, count_place, page_of
from api.refused import not_found
from billing.contract_diff import differences
from models.contract import Contract
from models.value import Frozen

router = APIRouter(prefix="/v1")


class ContractOf(Frozen):
    """A customer and a contract of theirs."""

    customer: str
    contract: str


class Changed(Frozen):
    """A place at which a version differs from the one before; null: it was not there."""

    place: str
    before: Any
    after: Any


class VersionShown(Frozen):
    """A version of a contract, numbered in the order they were agreed, and what it changed."""

    number: int
    fingerprint: str
    contract: Contract
    changed: tuple[Changed, ...]


@router.get("/contracts", response_model=Page[ContractOf])
def contracts(request: Request, asks: Asks, asked: AsPages) -> Response:
    """List every customer with each of their contracts, by customer."""
    rows, following = page_of(asks.console.books.customers(), lambda one: one, asked)
    shown = tuple(ContractOf(customer=customer, contract=contract) for customer, contract in rows)
    return tagged(request, Page[ContractOf](items=shown, next=following))


@router.get("/contracts/{customer}", response_model=Page[VersionShown])
def versions(request: Request, asks: Asks, asked: AsPages, customer: Customer) -> Response:
    """List a customer's contract versions, in the order they were agreed."""
    found = asks.console.terms.contracts(customer)
    if not found:
        raise not_found()
    shown = []
    for number, version in enumerate(found):
        before = next((one for one in reversed(found[:number]) if one.contract == version.contract), None)
        changed = tuple(Changed(**one) for one in differences(before, version)) if before else ()
        shown.append(
            VersionShown(number=number + 1, fingerprint=version.fingerprint(), contract=version, changed=changed)
        )
    rows, following = page_of(shown, lambda one: (count_place(one.number),), asked)
    return tagged(request, Page[VersionShown](items=rows, next=following))
