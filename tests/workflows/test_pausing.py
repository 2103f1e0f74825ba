"""A paused close begins no new stage of any customer, says by whom and why, and goes on where it stood."""

import asyncio
from collections.abc import Awaitable, Callable
from threading import Event
from typing import Any

from temporalio.client import Client, WorkflowHandle
from temporalio.service import RPCError, RPCStatusCode
from temporalio.testing import WorkflowEnvironment

from activities.messages import CloseMonth, Decide, Hold, MonthClosed
from models.approval import Verdict
from models.close import EVERYONE, DecisionKind, Stage, State
from tests.workflows.conftest import skipping, workers
from tests.workflows.fakes import Deeds, refused
from tests.workflows.test_customer_close import STAGES, Handle, approve, play, told, until
from workflows import options
from workflows.customer_close import CustomerClose
from workflows.monthly_close import MonthlyClose

Month = WorkflowHandle[MonthlyClose, MonthClosed]
Play = Callable[[Month, WorkflowEnvironment], Awaitable[None]]
WHY = "paused by pia: the bank is closed"


def play_month(deeds: Deeds, act: Play, cache: int = 1000) -> MonthClosed:
    """Run a month's close with a person at work; return how it ended."""

    async def run() -> MonthClosed:
        async with skipping() as env, workers(env.client, deeds, cache):
            handle: Month = await env.client.start_workflow(
                MonthlyClose.run, CloseMonth(month="2026-10"), id="close/2026-10", task_queue=options.CLOSE_QUEUE
            )
            await act(handle, env)
            return await handle.result()

    return asyncio.run(asyncio.wait_for(run(), 200))


def decided(deeds: Deeds, id_: str, kind: DecisionKind, person: str = "pia", **more: Any) -> Decide:
    """Write a decision on the month, and return the message that names it."""
    more = {"customer": EVERYONE, "reason": "the bank is closed", **more}
    return Decide(decision=deeds.decide(id_, kind, person, "2026-10", **more))


async def pause(handle: Month, deeds: Deeds, kind: DecisionKind = DecisionKind.PAUSE, id_: str = "p") -> Verdict:
    """Pause or resume the month by update."""
    return await handle.execute_update(MonthlyClose.pause_or_resume, decided(deeds, id_, kind), id=id_)


async def until_started(client: Client, workflow_id: str) -> None:
    """Wait until a child is there to be asked."""
    while True:
        try:
            await client.get_workflow_handle(workflow_id).describe()
        except RPCError as error:
            assert error.status is RPCStatusCode.NOT_FOUND  # noqa: PT017
            await asyncio.sleep(0.02)
        else:
            return


async def customer(env: WorkflowEnvironment, name: str) -> Handle:
    """Return a customer's close once it waits for its approval."""
    handle: Handle = env.client.get_workflow_handle_for(CustomerClose.run, f"close/2026-10/{name}")
    await until_started(env.client, handle.id)
    await until(handle, State.WAITING, Stage.APPROVE)
    return handle


def test_a_customer_that_is_told_begins_no_stage_and_goes_on_with_the_next(cache: int) -> None:
    deeds = Deeds()

    async def act(handle: Handle, env: WorkflowEnvironment) -> None:
        await until(handle, State.WAITING, Stage.APPROVE)
        await handle.signal("hold", Hold(why=WHY))
        await approve(handle, deeds)  # what waits for a person still takes their decision
        view = await until(handle, State.PAUSED)
        assert (view.stage, view.detail) == (Stage.INVOICE, WHY)
        assert "draft" not in deeds.calls
        await handle.signal("hold", Hold(why="paused by cora: the rates are wrong"))
        while deeds.notes[-1] != (State.PAUSED, "paused by cora: the rates are wrong"):
            await asyncio.sleep(0.02)
        await handle.signal("hold", Hold(why=""))

    assert play(deeds, act, cache).state is State.DONE
    assert [call for call in deeds.calls if call in STAGES] == STAGES
    assert deeds.notes == [(State.PAUSED, WHY), (State.PAUSED, "paused by cora: the rates are wrong")]


def test_what_is_tried_again_begins_again() -> None:
    deeds = Deeds()
    deeds.failing["draft"] = [refused()]

    async def act(handle: Handle, env: WorkflowEnvironment) -> None:
        await approve(handle, deeds)
        await until(handle, State.NEEDS_ATTENTION, Stage.INVOICE)
        await handle.signal("hold", Hold(why=WHY))
        again = deeds.decide("again", DecisionKind.RETRY, "erik", "invoice")
        await handle.execute_update(CustomerClose.retry_step, Decide(decision=again))
        assert (await until(handle, State.PAUSED)).stage is Stage.INVOICE
        assert deeds.calls.count("draft") == 1
        await handle.signal("hold", Hold(why=""))

    assert play(deeds, act).state is State.DONE
    assert deeds.calls.count("draft") == 2


def test_a_paused_month_holds_every_customer_until_it_is_resumed(cache: int) -> None:
    deeds = Deeds()
    deeds.customers = ("acme", "bolt")

    async def act(handle: Month, env: WorkflowEnvironment) -> None:
        closes = {name: await customer(env, name) for name in deeds.customers}
        verdict = await pause(handle, deeds)
        assert (verdict.taken, verdict.person) == (True, "pia")
        assert (await handle.query(MonthlyClose.progress))["paused"] == WHY
        for name, close in closes.items():
            statement = (await close.query(CustomerClose.snapshot)).statement or ""
            deeds.decide(f"yes-{name}", DecisionKind.APPROVE, "aron", statement, customer=name)
            await close.execute_update(CustomerClose.decide, Decide(decision=f"yes-{name}"))
            assert (await until(close, State.PAUSED)).detail == WHY
        assert "draft" not in deeds.calls
        resumed = await pause(handle, deeds, DecisionKind.RESUME, "r")
        assert resumed.taken
        assert "paused" not in await handle.query(MonthlyClose.progress)

    assert play_month(deeds, act, cache).states == {"done": 2}
    assert deeds.calls.count("draft") == 2


def test_a_month_that_is_paused_early_begins_no_customer() -> None:
    deeds = Deeds()
    deeds.people, deeds.held = 0, {"population": Event()}

    async def act(handle: Month, env: WorkflowEnvironment) -> None:
        while "population" not in deeds.calls:
            await asyncio.sleep(0.02)
        await handle.signal(MonthlyClose.pause_or_resume_by_signal, decided(deeds, "p", DecisionKind.PAUSE))
        while (await handle.query(MonthlyClose.progress)).get("paused") != WHY:
            await asyncio.sleep(0.02)
        deeds.held["population"].set()
        while (await handle.query(MonthlyClose.progress))["shards"] != "0 of 1 done":
            await asyncio.sleep(0.02)
        assert "readiness" not in deeds.calls
        await pause(handle, deeds, DecisionKind.RESUME, "r")

    assert play_month(deeds, act).states == {"done": 1}


def test_who_may_not_pause_and_what_changes_nothing_is_refused() -> None:
    deeds = Deeds()

    async def act(handle: Month, env: WorkflowEnvironment) -> None:
        close = await customer(env, "acme")
        ask = MonthlyClose.pause_or_resume
        named = {
            "wrong_role": decided(deeds, "a", DecisionKind.PAUSE, "aron"),
            "reason_missing": decided(deeds, "b", DecisionKind.PAUSE, reason=" "),
            "already_decided": decided(deeds, "c", DecisionKind.RESUME),
            "wrong_close": decided(deeds, "d", DecisionKind.PAUSE, period="2026-09"),
            "not_waiting": decided(deeds, "e", DecisionKind.LOCK, "cora"),
            "unknown_decision": Decide(decision="forged"),
        }
        for code, message in named.items():
            assert await told(handle.execute_update(ask, message)) == code
        await pause(handle, deeds)
        assert await told(handle.execute_update(ask, decided(deeds, "f", DecisionKind.PAUSE))) == "already_decided"
        await pause(handle, deeds, DecisionKind.RESUME, "r")
        await approve(close, deeds)

    assert play_month(deeds, act).states == {"done": 1}
