"""A parked customer never delays revenue: accrued at the lock, invoiced in the next open month, earned once."""

import asyncio
from collections.abc import Sequence
from decimal import Decimal

import pytest
from temporalio.client import Client

from activities.messages import MonthLocked
from adapters.postgres.books import Books
from billing import posting, recognition
from devstack.book.lock import sign_and_lock
from models.close import Stage, Standing, State
from models.journal import Account, JournalEntry, PeriodLocked
from models.reports import JournalLine
from tests.simulation.month import ENDED, MONTH, Month, a_month

pytestmark = [pytest.mark.slow, pytest.mark.stack]

NEXT = "2026-11"
WITHIN_SECONDS = 400


async def _lock(month: Month, client: Client) -> MonthLocked:
    """Tie out, sign and lock the month as people do, while a customer still waits."""
    tied, locked = await sign_and_lock(client, month.desk(client), month.tokens, MONTH, "the board meets on the tenth")
    assert tied.untied == ()
    return locked


def _only_waits(standings: Sequence[Standing], parked: str) -> bool:
    """Return whether everybody has ended but the parked customer, who waits for a signature."""
    ended = {one.customer for one in standings if one.state in ENDED}
    waits = {one.customer for one in standings if (one.stage, one.state) == (Stage.APPROVE, State.WAITING)}
    return waits == {parked} and ended == {one.customer for one in standings} - {parked} and len(ended) >= 5


def _lines(month: Month, customer: str) -> tuple[JournalLine, ...]:
    return Books(month.door("auditor")).journal(customer=customer)


def _sum(lines: Sequence[JournalLine], *accounts: Account) -> Decimal:
    return sum((line.amount for line in lines if line.account in accounts), Decimal(0))


REVENUE = tuple(account for account in Account if account.is_revenue)


def _as_if_never_locked(month: Month, customer: str) -> tuple[JournalEntry, ...]:
    """Return the entries of the customer's statement in an open month, by the rules alone."""
    outside = month.outside()
    statement = outside.evidence.latest_statement(MONTH, 1, customer)
    assert statement is not None
    found = outside.invoices.invoice(f"{MONTH}@1/{customer}/USD")
    assert found is not None
    return posting.entries_for(statement, found[0], recognition.schedule_for(statement, ()), post_to=MONTH)


@pytest.mark.parametrize(
    "parked",
    ["bolt", "kite"],
    ids=["usage under a monthly floor", "usage drawn from a prepayment its own invoice bills"],
)
def test_who_waits_at_the_lock_is_accrued_and_invoiced_in_the_next_open_month(parked: str) -> None:
    async def play(month: Month) -> None:
        client = await month.client()
        await month.start(client)
        await month.people(client, lambda standings: _only_waits(standings, parked), unsigned={parked})

        locked = await _lock(month, client)
        assert locked == MonthLocked(month=MONTH, accrued=(parked,))
        accrued = _lines(month, parked)
        outside = month.outside()
        statement = outside.evidence.latest_statement(MONTH, 1, parked)
        assert statement is not None
        assert {(line.accrued, line.period, line.statement) for line in accrued} == {
            (True, MONTH, statement.fingerprint())
        }
        assert _sum(accrued, Account.RECEIVABLE) == 0
        earned = -_sum(accrued, *REVENUE)
        assert earned > 0
        assert _sum(accrued, Account.UNBILLED, Account.CONTRACT_ASSET) == earned

        sample = outside.journal.entries(MONTH, parked)[0]
        late = sample.model_copy(update={"key": f"{sample.key}/late", "accrued": False})
        with pytest.raises(PeriodLocked):
            outside.journal.post([late], preparer="system", at=outside.clock.now())

        await month.people(client, month.all_ended)
        await client.get_workflow_handle(f"close/{MONTH}").result()

        lines = _lines(month, parked)
        posted = [line for line in lines if not line.accrued]
        assert {line.period for line in posted} == {NEXT}
        assert _sum(lines, Account.UNBILLED) == 0
        assert _sum(lines, Account.CONTRACT_ASSET) == 0
        unlocked = _as_if_never_locked(month, parked)
        as_open = {
            account: sum((p.amount for entry in unlocked for p in entry.postings if p.account is account), Decimal(0))
            for account in Account
        }
        assert {account: _sum(lines, account) for account in Account} == as_open
        assert -_sum(accrued, *REVENUE) == -_sum(lines, *REVENUE) == earned  # the lock moved no revenue
        receivable = [line for line in lines if line.account is Account.RECEIVABLE]
        assert {line.invoice for line in receivable} == {f"{MONTH}@1/{parked}/USD"}
        assert _sum(receivable, Account.RECEIVABLE) == statement.total
        month.assert_ties_out()

    with a_month() as month:
        asyncio.run(asyncio.wait_for(play(month), WITHIN_SECONDS))
