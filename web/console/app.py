"""Finance's app: closes as the books have them, and what a person may do about them."""

from fastapi import FastAPI
from fastapi.responses import RedirectResponse

from runtime.console import Console
from web.app import app_of
from web.console import closes
from web.face import Face
from web.signing_in import Provider, by_provider

TITLE = "Close"


def console_of(face: Face, console: Console, provider: Provider, word: str) -> FastAPI:
    """Return the app: the sign-in at a provider, and the pages over a reader of the books."""
    app = app_of(face, form_action=provider.issuer)
    app.state.console = console
    by_provider(app, provider, word)

    @app.get("/")
    def home() -> RedirectResponse:
        return RedirectResponse("/close", 303)

    for pages in (closes,):
        app.include_router(pages.router)
    return app
