"""Contracts: each customer's terms clause by clause, and what an amendment changed."""

from typing import Any

from fastapi import APIRouter, Request, Response

from billing.contract_diff import clauses_of, differences
from models.contract import Contract
from web.console.customers import Customer
from web.console.reading import console_of
from web.face import face_of
from web.problem import not_found
from web.sessions import SignedIn

router = APIRouter()
CLAUSES = (
    "prices", "fees", "entitlements", "commitments", "credits", "discounts", "minimums", "maximums", "tax",
)  # fmt: skip


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
    shown = []
    for number, version in enumerate(versions):
        before = next((one for one in reversed(versions[:number]) if one.contract == version.contract), None)
        shown.append((version, _clauses(version), list(differences(before, version)) if before else []))
    return face_of(request).page(
        request, "console/contract.html", visitor=person, customer=customer, versions=list(reversed(shown))
    )


def _clauses(version: Contract) -> list[tuple[str, str, list[tuple[str, str]]]]:
    """Return each clause of a contract: its kind, its name, and what it says."""
    found = []
    for kind, content in clauses_of(version).items():
        if kind in CLAUSES and isinstance(content, dict):
            for name, clause in content.items():
                found.append((kind, name, [(place, text) for place, text in _said(clause) if text]))
    return found


def _said(content: Any, place: str = "") -> list[tuple[str, str]]:
    """Return places of a clause and what stands there, as text."""
    if isinstance(content, dict):
        return [one for key, value in content.items() for one in _said(value, f"{place}.{key}" if place else key)]
    if content is None or content == [] or content is False:
        return []
    return [(place, ", ".join(map(str, content)) if isinstance(content, list) else str(content))]
