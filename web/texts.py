"""Texts: what no form of ours sends and no book can hold is refused before a page sees it."""

from http import HTTPStatus

from fastapi import Request

from web.csrf import SAFE
from web.problem import Problem

NUL = "\x00"


async def readable(request: Request) -> None:
    """Refuse a NUL, which PostgreSQL keeps in no text; the dependency of both apps, after `csrf.checked`.

    Raises:
        Problem: 422, for one in the path, the query or a form.
    """
    texts = [str(request.scope["path"]), *request.query_params.keys(), *request.query_params.values()]
    if request.method not in SAFE:
        form = await request.form()
        texts += [*form.keys(), *(value for value in form.values() if isinstance(value, str))]
    if any(NUL in text for text in texts):
        raise Problem(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            "This text holds a character that can't be kept.",
            "Write it again without.",
        )
