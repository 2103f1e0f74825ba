"""Reading: the console's reader of the books."""

from typing import cast

from fastapi import Request

from runtime.console import Console


def console_of(request: Request) -> Console:
    """Return the reader of the app that was asked."""
    return cast(Console, request.app.state.console)
