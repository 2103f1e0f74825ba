"""The customers' app: every page shows one customer's stored numbers."""

from collections.abc import Callable

from fastapi import FastAPI

from runtime.portal import Portal
from runtime.webhook_desk import DeskOf
from web.app import app_of
from web.face import Face
from web.portal import alerts, exports, invoices, overview, pools, settings, usage
from web.portal import webhooks as hooks
from web.signing_in import by_link

TITLE = "Billing"


def portal_of(
    face: Face,
    portal: Portal,
    mail: Callable[[str, str], None],
    issuer: str,
    webhooks: DeskOf,
    ask: str | None = None,
) -> FastAPI:
    """Return the app: the sign-in by link, and the pages over a reader of the books.

    `issuer` is who bills, `ask` the address that questions about a line are written to.
    """
    app = app_of(face)
    app.state.portal = portal
    app.state.issuer = issuer
    app.state.webhooks = webhooks
    app.state.ask = ask
    by_link(app, mail)
    for pages in (overview, usage, pools, invoices, exports, alerts, settings, hooks):
        app.include_router(pages.router)
    return app
