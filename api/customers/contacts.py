"""Contacts: who is mailed beside the contract's own address."""

from typing import Annotated

from fastapi import APIRouter, Path, Request, Response
from pydantic import Field
from starlette.concurrency import run_in_threadpool

from api.answers import tagged, told
from api.customers.callers import AsOnce, Reader, Writer
from api.pages import AsPages, Page, at_place, page_of
from api.refused import not_found
from api.v1 import Name
from models.value import Frozen
from models.visitor import ADDRESS, Contact

router = APIRouter(prefix="/v1")


class ContactAsked(Frozen):
    """An address that is to be mailed what the contract's is."""

    email: str = Field(pattern=ADDRESS, max_length=254)


class ContactEnded(Frozen):
    """That an address is mailed no more."""

    id: str


@router.get("/contacts", response_model=Page[Contact])
def contacts(request: Request, caller: Reader, asked: AsPages) -> Response:
    """List who is mailed beside the contract's address, oldest first."""
    rows, following = page_of(caller.books.kept.contacts(), lambda one: (at_place(one.made_at), one.id), asked)
    return tagged(request, Page[Contact](items=rows, next=following))


@router.post("/contacts", response_model=Contact)
async def add(caller: Writer, once: AsOnce, asked: ContactAsked) -> Response:
    """Have an address mailed; one that is there already is returned as it is."""

    async def act() -> Response:
        return told(await run_in_threadpool(caller.desk.add_contact, once.id.hex, asked.email))

    return await once.answered(act)


@router.post("/contacts/{contact_id}/end", response_model=ContactEnded)
async def end(caller: Writer, once: AsOnce, contact_id: Annotated[Name, Path()]) -> Response:
    """Mail an address no more."""

    async def act() -> Response:
        if not await run_in_threadpool(caller.books.kept.end_contact, contact_id, caller.clock.now()):
            raise not_found()
        return told(ContactEnded(id=contact_id))

    return await once.answered(act)
