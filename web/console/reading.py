"""Reading: the console's reader of the books, and the parts of an address and a form that its pages share."""

from collections.abc import Sequence
from datetime import date
from typing import Annotated, Any, cast
from uuid import UUID, uuid4

from anyio import from_thread
from fastapi import Form, Path, Query, Request
from pydantic import BeforeValidator, StringConstraints

from models.close import Standing
from models.value import Instant
from runtime.console import Console
from web.problem import not_found

PERIOD = r"^\d{4}-(0[1-9]|1[0-2])$"

Month = Annotated[str, Path(pattern=PERIOD)]
"""A period in an address, such as 2026-10."""

Chosen = BeforeValidator(lambda given: given or None)
"""A filter that a form left empty chooses nothing."""

OneMonth = Annotated[Annotated[str, StringConstraints(pattern=PERIOD)] | None, Chosen, Query()]
"""A period chosen by a filter."""

OneDay = Annotated[date | None, Chosen, Query()]
"""A day chosen by a filter."""

OneInstant = Annotated[Instant | None, Chosen, Query()]
"""An instant chosen by a filter, with its zone."""

Revision = Annotated[int, Query(ge=1, le=100_000)]
"""A close's revision; above 1 once reopened, above 1000 for a dry run."""

Name = Annotated[str | None, Query(max_length=200)]
"""A name chosen by a filter."""

Reason = Annotated[str, Form(max_length=2_000)]
"""Why somebody decides so."""

Key = Annotated[UUID, Form()]
"""What makes a form sent twice one decision."""


def console_of(request: Request) -> Console:
    """Return the reader of the app that was asked."""
    return cast(Console, request.app.state.console)


def known(request: Request, month: str, revision: int) -> None:
    """Raise not_found unless there is such a close."""
    if console_of(request).close(month, revision) is None:
        raise not_found()


def reach(request: Request, standings: Sequence[Standing] = ()) -> dict[str, Any]:
    """Return what `console/degraded.html` needs: whether the workflows answer, and when what is shown last moved.

    Called from a page's thread, not from the event loop.
    """
    moved = max((one.at for one in standings), default=None)
    return {"answers": from_thread.run(console_of(request).reach.answers), "moved_at": moved}


def new_key() -> str:
    """Return a key for a form: sent twice, it decides once."""
    return str(uuid4())


def back(month: str, revision: int, page: str = "") -> str:
    """Return the address of a page of a close."""
    return f"/close/{month}{page}" + (f"?revision={revision}" if revision != 1 else "")
