"""Settings: what the contract says of billing, who may look, which mail is wanted, which links and keys are out."""

from typing import Annotated

from fastapi import APIRouter, Request, Response
from pydantic import Field
from starlette.concurrency import run_in_threadpool

from api.answers import tagged, told
from api.customers.callers import AsOnce, Caller, Reader, Writer
from api.refused import not_found
from models.access import CustomerKey
from models.money import Currency
from models.notice import CHOICES, NoticeKind
from models.value import Day, Frozen
from models.visitor import PortalUser, Share

router = APIRouter(prefix="/v1")


class Billing(Frozen):
    """How a customer is billed, by the newest version of their contract."""

    contract: str
    version: str
    starts_on: Day
    ends_on: Day
    email: str | None
    purchase_order: str | None
    net_days: int
    currency: Currency
    timezone: str


class Choice(Frozen):
    """Whether a kind of mail is wanted."""

    kind: Annotated[NoticeKind, Field(strict=False)]
    wanted: bool


class Settings(Frozen):
    """A customer's settings. Invoices and corrections are always told of."""

    billing: Billing | None
    users: tuple[PortalUser, ...]
    notices: tuple[Choice, ...]
    shares: tuple[Share, ...]
    keys: tuple[CustomerKey, ...]


@router.get("/settings", response_model=Settings)
def settings(request: Request, caller: Reader) -> Response:
    """Return the settings."""
    kept = caller.books.kept
    return tagged(
        request,
        Settings(
            billing=_billing(caller),
            users=kept.users(),
            notices=_choices(caller),
            shares=kept.shares(),
            keys=kept.program_keys(),
        ),
    )


@router.post("/settings/notices", response_model=Choice)
async def choose(caller: Writer, once: AsOnce, asked: Choice) -> Response:
    """Choose whether a kind of mail is wanted; of what is owed by contract there is no choice."""

    async def act() -> Response:
        if asked.kind not in CHOICES:
            raise not_found()
        who, now = caller.holder.who, caller.clock.now()
        await run_in_threadpool(caller.books.notices.choose, caller.holder.customer, asked.kind, asked.wanted, who, now)
        return told(asked)

    return await once.answered(act)


def _choices(caller: Caller) -> tuple[Choice, ...]:
    unwanted = caller.books.notices.unwanted(caller.holder.customer)
    return tuple(Choice(kind=kind, wanted=kind not in unwanted) for kind in CHOICES)


def _billing(caller: Caller) -> Billing | None:
    contract = caller.books.contract()
    if contract is None:
        return None
    return Billing(
        contract=contract.contract,
        version=contract.version,
        starts_on=contract.term.starts_on,
        ends_on=contract.term.ends_on,
        email=contract.email,
        purchase_order=contract.invoice.purchase_order,
        net_days=contract.invoice.net_days,
        currency=contract.currency,
        timezone=contract.timezone,
    )
