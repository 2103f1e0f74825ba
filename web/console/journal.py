"""Journal: postings with their entries, the trial balance, and each grant's roll-forward; all of one period."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response

from models.journal import Account
from models.reports import JournalLine
from web.console.reading import Chosen, Name, OneDay, OneMonth, console_of
from web.face import face_of
from web.sessions import SignedIn, visitor
from web.tables import download

router = APIRouter()
MOST = 300
"""Postings a page shows; the CSV has all."""

AccountCode = Annotated[Account | None, Chosen, Query()]
COLUMNS = (
    "position", "entry", "rule", "customer", "contract", "period", "posted_on", "account", "amount", "currency",
    "invoice", "statement", "preparer", "recorded_at", "hash",
)  # fmt: skip


@router.get("/journal")
def journal(
    request: Request,
    person: SignedIn,
    period: OneMonth = None,
    customer: Name = None,
    account: AccountCode = None,
    as_of: OneDay = None,
) -> Response:
    """Show a period of the journal; the newest that has a close, when none is chosen."""
    console = console_of(request)
    month = period or _newest(request)
    books, whose = console.books, customer or None
    return face_of(request).page(
        request,
        "console/journal.html",
        visitor=person,
        month=month,
        lines=books.journal(month, whose, account, as_of=as_of, first=MOST) if month else (),
        count=books.count_postings(month, whose, account, as_of) if month else 0,
        balances=console.books.trial_balance(month, as_of=as_of) if month else (),
        grants=console.books.roll_forward(month, customer or None) if month else (),
        accounts=list(Account),
        filters={"period": month, "customer": customer, "account": account.value if account else None, "as_of": as_of},
    )


@router.get("/journal.csv", dependencies=[Depends(visitor)])
def journal_csv(
    request: Request,
    period: OneMonth = None,
    customer: Name = None,
    account: AccountCode = None,
    as_of: OneDay = None,
) -> Response:
    """Return the postings as they are chosen, all of them."""
    month = period or _newest(request)
    lines = console_of(request).books.journal(month, customer or None, account, as_of=as_of) if month else ()
    return download(f"journal-{month}", COLUMNS, map(_cells, lines))


def _newest(request: Request) -> str | None:
    closes = console_of(request).closes()
    return closes[0].month if closes else None


def _cells(line: JournalLine) -> tuple[object, ...]:
    return (
        line.position, line.key, line.rule.value, line.customer, line.contract, line.period, line.posted_on,
        line.account.value, line.amount, line.currency, line.invoice, line.statement, line.preparer,
        line.recorded_at.isoformat(), line.hash,
    )  # fmt: skip
