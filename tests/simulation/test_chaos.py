"""Chaos: workers, Temporal, Postgres, object store and Stripe are killed in mid-close; nothing is lost or doubled."""

import asyncio
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from models.close import Stage, State
from tests.simulation.month import MONTH, Month, a_month

pytestmark = [pytest.mark.slow, pytest.mark.stack]

LOOK_EVERY_SECONDS = 0.01
CLOSED_WITHIN_SECONDS = 400


def _snapshots(month: Month) -> int:
    return month.count("SELECT count(*) FROM tieout.snapshots")


def _waiting_for_approval(month: Month) -> int:
    return month.count(
        "SELECT count(*) FROM tieout.customer_closes"
        f" WHERE stage = '{Stage.APPROVE.value}' AND state = '{State.WAITING.value}'"
    )


def _invoices(month: Month) -> int:
    return len(month.at_stripe())


def _posted(month: Month) -> int:
    return month.count("SELECT count(DISTINCT customer) FROM tieout.journal_entries")


@dataclass(frozen=True)
class Moment:
    """A moment of the close that can be seen from outside: something has begun and is not over."""

    name: str
    seen: Callable[[Month], int]
    at_least: int
    below: int

    def __str__(self) -> str:
        return self.name


COLLECTING = Moment("while the sources are sealed", _snapshots, 1, 3)
APPROVING = Moment("while customers wait for approval", _waiting_for_approval, 1, 6)
INVOICING = Moment("in the middle of invoicing", _invoices, 2, 5)
POSTING = Moment("while revenue is posted", _posted, 1, 5)


def _wait_for(month: Month, moment: Moment, given_up: threading.Event) -> int:
    """Return what was seen once the moment is there."""
    while not given_up.wait(LOOK_EVERY_SECONDS):
        if moment.at_least <= (seen := moment.seen(month)):
            return seen
    return 0


def _kill_workers_and_temporal(month: Month) -> None:
    month.workers.kill()
    month.stack.temporal.kill()
    month.stack.temporal.start()
    month.workers.start()


def _kill_postgres(month: Month) -> None:
    month.stack.postgres.kill()
    month.stack.postgres.start()


def _kill_objects(month: Month) -> None:
    month.stack.objects.kill()
    month.stack.objects.start()


def _kill_stripe(month: Month) -> None:
    month.stack.stripe.kill()
    month.stack.stripe.start()


async def _close(month: Month, moment: Moment, strike: Callable[[Month], None]) -> int:
    """Close the month and strike at the moment; return what was seen then."""
    client = await month.client()
    await month.start(client)
    given_up = threading.Event()

    def chaos() -> int:
        seen = _wait_for(month, moment, given_up)
        if seen:
            strike(month)
        return seen

    struck = asyncio.create_task(asyncio.to_thread(chaos))
    began = time.monotonic()
    try:
        await asyncio.wait_for(month.people(client, month.all_ended), CLOSED_WITHIN_SECONDS)
        await asyncio.wait_for(client.get_workflow_handle(f"close/{MONTH}").result(), CLOSED_WITHIN_SECONDS)
    except TimeoutError:
        pytest.fail(f"not closed in time; {month.where_it_stands()}")
    finally:
        given_up.set()
        seen = await struck
    print(f"{moment}: saw {seen}, closed in {time.monotonic() - began:.1f} s, people saw {month.outages}")
    return seen


@pytest.mark.parametrize("moment", [COLLECTING, APPROVING, INVOICING, POSTING], ids=str)
def test_workers_and_temporal_are_killed_and_the_close_goes_on_where_it_was(moment: Moment) -> None:
    with a_month() as month:
        seen = asyncio.run(_close(month, moment, _kill_workers_and_temporal))
        assert moment.at_least <= seen < moment.below, f"the moment had passed: {seen}"
        month.assert_ties_out()


@pytest.mark.parametrize(
    ("strike", "moment"),
    [(_kill_postgres, INVOICING), (_kill_objects, APPROVING), (_kill_stripe, INVOICING)],
    ids=["Postgres", "the object store", "Stripe"],
)
def test_a_store_is_killed_in_mid_close_and_the_close_goes_on(strike: Callable[[Month], None], moment: Moment) -> None:
    with a_month() as month:
        seen = asyncio.run(_close(month, moment, strike))
        assert moment.at_least <= seen < moment.below, f"the moment had passed: {seen}"
        month.assert_ties_out()
