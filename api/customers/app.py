"""The customers' app: everything their pages show, for their own programs, one customer a key."""

from fastapi import FastAPI

from api import v1
from api.customers import alerts, contacts, exports, invoices, pools, settings, statements, usage, webhooks
from api.customers.callers import Door


def customers_of(door: Door) -> FastAPI:
    """Return the app over a portal to the books."""
    app = v1.app_of(
        "Tieout for customers",
        "What a customer is billed, and why. A key is made in the settings of the pages by an administrator. Amounts"
        " are exact decimals in quotes, stored and never computed here; times are instants in UTC.",
        [one.router for one in (statements, usage, pools, invoices, exports, alerts, contacts, settings, webhooks)],
    )
    app.state.door = door
    return app
