"""App: what both faces are made of. A face adds its pages; headers, forms, problems and files are the same for both."""

from pathlib import Path

from fastapi import Depends, FastAPI
from fastapi.staticfiles import StaticFiles

from web import answers, csrf, sessions, texts
from web.face import Face
from web.headers import SafeHeaders

STATIC = Path(__file__).resolve().parent / "static"


def app_of(face: Face, form_action: str | None = None) -> FastAPI:
    """Return a face's app without pages. `form_action`: another origin its forms may lead to (the identity provider).

    Every POST is checked for its CSRF token before a page sees it.
    """
    app = FastAPI(
        title=face.title,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        dependencies=[Depends(csrf.checked), Depends(texts.readable)],
    )
    app.state.face = face
    answers.told_by(app)
    sessions.told_by(app)
    app.add_middleware(SafeHeaders, secure=face.secure, form_action=form_action)
    app.mount("/static", StaticFiles(directory=STATIC), name="static")

    @app.get("/healthz")
    def healthz() -> dict[str, bool]:
        """Answer that pages are served; the books are asked by each page."""
        return {"serves": True}

    return app
