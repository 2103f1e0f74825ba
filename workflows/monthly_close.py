"""MonthlyClose: one month for all customers: seal each source once, close shard by shard, seal the evidence."""

import asyncio
from datetime import timedelta

from temporalio import workflow
from temporalio.common import SearchAttributePair, TypedSearchAttributes, WorkflowIDReusePolicy
from temporalio.exceptions import ActivityError, ApplicationError, WorkflowAlreadyStartedError
from temporalio.workflow import ParentClosePolicy

from activities.approve import Approve
from activities.collect import Collect
from activities.messages import (
    CloseMonth,
    CloseShardOf,
    Decide,
    Hold,
    MonthClosed,
    Opened,
    SealMonth,
    SealSource,
    ShardClosed,
    SourceState,
    TriggerClose,
    VerifyPause,
    close_id,
)
from activities.publish import Publish
from models.approval import Verdict
from models.close import DecisionKind, paused_words
from models.period import local_day, month_of, next_month
from workflows import options, pausing, search
from workflows.close_shard import CloseShard


@workflow.defn(name="MonthlyClose")
class MonthlyClose:
    """Close a month. Its id is the period, so that a schedule, a backfill and a hand start are one close."""

    @workflow.init
    def __init__(self, task: CloseMonth) -> None:
        self.task = task
        self.sources: dict[str, str] = {}
        self.shards = 0
        self.shards_done = 0
        self.behind: list[str] = []
        self.paused = ""
        self.deciding = asyncio.Lock()
        self.below: set[str] = set()

    @workflow.run
    async def run(self, task: CloseMonth) -> MonthClosed:
        """Return how the customers ended, and the root over the month's evidence."""
        opened = await workflow.execute_activity_method(
            Collect.open_close, task, **options.with_summary(options.BOOKS, f"open the close of {task.key}")
        )
        self.show()
        wait = opened.ends_at - workflow.now()
        if task.dry_run and wait > timedelta(0):
            return self.not_yet(f"{task.month} is over in every customer's zone at {opened.ends_at.isoformat()}")
        if wait > timedelta(0):
            await workflow.sleep(wait, summary=f"until {task.month} is over in every customer's zone")
        await asyncio.gather(*(self.seal(source, opened.poll_seconds) for source in opened.sources))
        if self.behind:
            return self.not_yet(*sorted(self.behind))
        population = await workflow.execute_activity_method(
            Collect.population, task, **options.with_summary(options.BOOKS, f"who is closed for {task.key}")
        )
        self.shards = len(population.shards)
        self.show()
        shards = await asyncio.gather(
            *(self.close_shard(number, customers, opened) for number, customers in enumerate(population.shards, 1))
        )
        states: dict[str, int] = {}
        for shard in shards:
            for state, count in shard.states.items():
                states[state] = states.get(state, 0) + count
        if task.dry_run:
            return MonthClosed(month=task.month, revision=task.revision, states=states, evidence_root="")
        await self.unless_paused()
        root = await workflow.execute_activity_method(
            Publish.seal_month,
            SealMonth(month=task.month, revision=task.revision),
            **options.with_summary(options.SEAL_MONTH, f"seal the evidence of {task.key}"),
        )
        await workflow.wait_condition(workflow.all_handlers_finished)
        return MonthClosed(month=task.month, revision=task.revision, states=states, evidence_root=root)

    async def seal(self, source: str, poll_seconds: int) -> None:
        """Seal a source once it is complete; what cannot be read yet is waited for by timer, never given up.

        A dry run asks once: what it would wait for is in `behind`.
        """
        task = SealSource(month=self.task.month, revision=self.task.revision, source=source)
        while True:
            try:
                state: SourceState = await workflow.execute_activity_method(
                    Collect.source_state,
                    task,
                    **options.with_summary(options.READ_A_SOURCE, f"is {source} complete for {self.task.month}?"),
                )
                if state.complete:
                    sealed = await workflow.execute_activity_method(
                        Collect.seal_source,
                        task,
                        **options.with_summary(options.READ_A_SOURCE, f"collect {source} {self.task.month}"),
                    )
                    self.sources[source] = f"sealed, {sealed.rows} rows"
                    self.show()
                    return
                self.sources[source] = f"complete up to {state.watermark.isoformat()}: waiting"
            except ActivityError as error:
                self.sources[source] = f"cannot be read: {error.cause or error}"
            self.show()
            if self.task.dry_run:
                self.behind.append(f"{source} {self.sources[source]}")
                return
            await workflow.sleep(timedelta(seconds=poll_seconds), summary=f"waiting for {source}")

    def not_yet(self, *waiting: str) -> MonthClosed:
        """Return the end of a dry run that cannot begin: it waits for nothing, it says for what it would."""
        return MonthClosed(
            month=self.task.month, revision=self.task.revision, states={}, evidence_root="", waiting=waiting
        )

    async def close_shard(self, number: int, customers: tuple[str, ...], opened: Opened) -> ShardClosed:
        """Run one shard as a child that outlives this workflow."""
        await self.unless_paused()
        shard_id = f"{close_id(self.task.month, self.task.revision)}/shard-{number:03}"
        shard = await workflow.start_child_workflow(
            CloseShard.run,
            CloseShardOf(
                month=self.task.month,
                revision=self.task.revision,
                shard=number,
                customers=customers,
                poll_seconds=opened.poll_seconds,
                reminder_hours=opened.reminder_hours,
                dry_run=self.task.dry_run,
            ),
            id=shard_id,
            id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE_FAILED_ONLY,
            parent_close_policy=ParentClosePolicy.ABANDON,
            search_attributes=TypedSearchAttributes([SearchAttributePair(search.PERIOD, self.task.month)]),
            static_summary=f"shard {number}: {len(customers)} customers",
        )
        self.below.add(shard_id)
        if self.paused:
            await pausing.tell([shard_id], Hold(why=self.paused))
        closed = await shard
        self.below.discard(shard_id)
        self.shards_done += 1
        self.show()
        return closed

    async def unless_paused(self) -> None:
        """Wait for as long as the close is paused."""
        if self.paused:
            await workflow.wait_condition(lambda: not self.paused)

    @workflow.update
    async def pause_or_resume(self, message: Decide) -> Verdict:
        """Pause the close, or resume it, as the decision's row says; the caller is told the verdict."""
        verdict = await self.held(message.decision)
        if not verdict.taken:
            raise ApplicationError(verdict.message, type=verdict.code.value)
        return verdict

    @workflow.signal
    async def pause_or_resume_by_signal(self, message: Decide) -> None:
        """Take a decision that is durable with no worker running."""
        await self.held(message.decision)

    async def held(self, decision: str) -> Verdict:
        """Have a decision judged, one after the other, and tell every shard that runs."""
        async with self.deciding:
            verdict: Verdict = await workflow.execute_activity_method(
                Approve.verify_pause,
                VerifyPause(month=self.task.month, revision=self.task.revision, decision=decision),
                **options.with_summary(options.BOOKS, f"verify a decision on the close of {self.task.key}"),
            )
            if verdict.taken and verdict.person:
                pauses = verdict.kind is DecisionKind.PAUSE
                self.paused = paused_words(verdict.person, verdict.message) if pauses else ""
                self.show()
                await pausing.tell(sorted(self.below), Hold(why=self.paused))
        return verdict

    @workflow.query
    def progress(self) -> dict[str, str]:
        """Return the sources and shards in words."""
        paused = {"paused": self.paused} if self.paused else {}
        return {**self.sources, "shards": f"{self.shards_done} of {self.shards} done", **paused}

    def show(self) -> None:
        """Set the current details an engineer reads in the Temporal UI."""
        rows = [f"**{self.task.key}** started by {self.task.started_by}"]
        rows += [f"- {self.paused}"] if self.paused else []
        rows += [f"- {source}: {state}" for source, state in sorted(self.sources.items())]
        rows.append(f"- shards: {self.shards_done} of {self.shards} done")
        workflow.set_current_details("\n".join(rows))


@workflow.defn(name="CloseTrigger")
class CloseTrigger:
    """What the Schedule starts: the close of the month before the scheduled instant, once whoever asks.

    The month comes from the *scheduled* time, not from the clock, so that a catch-up or a backfill closes
    the month it stands for.
    """

    @workflow.run
    async def run(self, task: TriggerClose) -> str:
        """Return what was started, or that it is running already."""
        scheduled = workflow.info().typed_search_attributes.get(search.SCHEDULED_START) or workflow.info().start_time
        month = next_month(month_of(local_day(scheduled, task.zone)), -1)
        try:
            await workflow.start_child_workflow(
                MonthlyClose.run,
                CloseMonth(month=month),
                id=close_id(month, 1),
                id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
                parent_close_policy=ParentClosePolicy.ABANDON,
                search_attributes=TypedSearchAttributes([SearchAttributePair(search.PERIOD, month)]),
                static_summary=f"close of {month}",
            )
        except WorkflowAlreadyStartedError:
            return f"already running {close_id(month, 1)}"
        return f"started {close_id(month, 1)}"
