"""Shared: the parts of an address that finance's questions have in common, and how a decision is told."""

from collections.abc import Callable, Coroutine
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import Path, Query, Response

from api.answers import told
from api.once import Once
from api.v1 import MonthOf, Name
from models.approval import Verdict
from models.value import Frozen

Month = Annotated[MonthOf, Path()]
Revision = Annotated[int, Query(ge=1, le=100_000, description="above 1 once reopened, above 1000 for a dry run")]
Customer = Annotated[Name, Path()]
OfMonth = Annotated[MonthOf | None, Query()]


class Decided(Frozen):
    """The workflow's verdict on a decision; null (202): it is written, and judged when a worker is back."""

    verdict: Verdict | None


async def decided(once: Once, act: Callable[[], Coroutine[Any, Any, Verdict | None]]) -> Response:
    """Return the answer to one decision."""

    async def answer() -> Response:
        verdict = await act()
        return told(Decided(verdict=verdict), HTTPStatus.OK if verdict else HTTPStatus.ACCEPTED)

    return await once.answered(answer)


ACCEPTED: dict[int | str, dict[str, Any]] = {202: {"model": Decided, "description": "written, and judged later"}}
