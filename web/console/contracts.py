"""Contracts: each customer's terms clause by clause, what each means and made last month, what an amendment changed."""

from typing import Any

from fastapi import APIRouter, Request, Response

from billing.contract_diff import differences
from billing.meaning import Meaning, examples, meanings
from models.contract import Contract
from models.statement import RatedLine, Statement
from web.console.customers import Customer
from web.console.reading import console_of
from web.face import face_of
from web.problem import not_found
from web.sessions import SignedIn

router = APIRouter()
MOST_EXAMPLES = 3
"""Lines of the last issued month that are shown under a clause."""


@router.get("/contracts")
def contracts(request: Request, person: SignedIn) -> Response:
    """Show every customer with its contracts."""
    return face_of(request).page(
        request, "console/contracts.html", visitor=person, customers=console_of(request).books.customers()
    )


@router.get("/contracts/{customer}")
def contract(request: Request, person: SignedIn, customer: Customer) -> Response:
    """Show a customer's contract versions, newest first, each with what it changed."""
    versions = console_of(request).terms.contracts(customer)
    if not versions:
        raise not_found()
    shown, issued = [], {}
    for number, version in enumerate(versions):
        before = next((one for one in reversed(versions[:number]) if one.contract == version.contract), None)
        if version.contract not in issued:
            issued[version.contract] = console_of(request).newest_issued(version.contract)
        worked = issued[version.contract]
        changes = list(differences(before, version)) if before else []
        shown.append((version, _clauses(version, worked), changes, worked))
    return face_of(request).page(
        request, "console/contract.html", visitor=person, customer=customer, versions=list(reversed(shown))
    )


def _clauses(
    version: Contract, worked: Statement | None
) -> list[tuple[Meaning, list[tuple[str, str]], tuple[RatedLine, ...]]]:
    """Return each clause of a contract: what it means, what it says, and lines it made in the last issued month."""
    found = []
    for one in meanings(version):
        said = [(place, text) for place, text in _said(one.clause.model_dump(mode="json")) if text]
        found.append((one, said, examples(one, worked)[:MOST_EXAMPLES] if worked else ()))
    return found


def _said(content: Any, place: str = "") -> list[tuple[str, str]]:
    """Return places of a clause and what stands there, as text."""
    if isinstance(content, dict):
        return [one for key, value in content.items() for one in _said(value, f"{place}.{key}" if place else key)]
    if content is None or content == [] or content is False:
        return []
    return [(place, ", ".join(map(str, content)) if isinstance(content, list) else str(content))]
