"""Finance's app: everything its pages show and decide, for programs that act as a person of the desk."""

from fastapi import FastAPI

from api import v1
from api.finance import approvals, audit, closes, contracts, customers, findings, invoices, journal, period, rates
from api.finance.callers import Door


def finance_of(door: Door) -> FastAPI:
    """Return the app over a console to the books and the workflows."""
    app = v1.app_of(
        "Tieout for finance",
        "Closes, findings, approvals, the journal and the catalog. The key is a person's own desk token, the one the"
        " terminal takes; who prepared may not approve here either. Amounts are exact decimals in quotes, stored and"
        " never computed here; times are instants in UTC.",
        [
            one.router
            for one in (closes, customers, findings, approvals, period, invoices, journal, rates, contracts, audit)
        ],
    )
    app.state.door = door
    return app
