"""Fakes of the deeds: the same names, answers set by the test, every call written down."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from threading import Event
from typing import Any

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.messages import (
    ApplyEvent,
    ApprovalNeed,
    AskApproval,
    ChangeRate,
    CloseMonth,
    CompareSources,
    ConcludeChange,
    ConcludeCorrection,
    CorrectInvoice,
    CorrectionDeed,
    CorrectionPosted,
    CorrectionRef,
    CustomerClosed,
    CustomerRef,
    DraftRef,
    EventApplied,
    FinalizeDraft,
    InCatalog,
    IssuedRef,
    JudgeCorrection,
    JudgeRateChange,
    LockMonth,
    NightWatched,
    Opened,
    Park,
    PeriodReopened,
    Population,
    PostedRef,
    PostRevenue,
    PublishClose,
    PublishedRef,
    PutIntoCatalog,
    RateUsage,
    Readiness,
    ReconciliationRef,
    Remind,
    ReopenMonth,
    ScheduleRef,
    SealEvidence,
    SealMonth,
    SealSource,
    SettledRef,
    SimulationRef,
    Slices,
    SnapshotRef,
    SourceState,
    StatementDeed,
    StatementRef,
    TiedOut,
    TieOutMonth,
    VerifyDecision,
    VerifyPause,
    WatchNight,
    WatchTonight,
)
from billing import approval, corrections, rate_change
from models.approval import Decision, Person, Verdict
from models.close import EVERYONE, DecisionKind, Role, State
from models.correction import Correction, CorrectionStep
from models.stripe_event import Fate

LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)
PEOPLE = {
    "pia": (Role.PREPARER, Role.APPROVER),
    "aron": (Role.APPROVER,),
    "abby": (Role.APPROVER,),
    "cora": (Role.CONTROLLER,),
    "rita": (Role.PREPARER, Role.APPROVER),
    "erik": (Role.ENGINEER,),
}


class Deeds:
    """All deeds, faked. Decisions are rows here too, and judged by the product's own rule."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.notes: list[tuple[State, str]] = []
        self.decisions: dict[str, Decision] = {}
        self.answered: set[str] = set()
        self.pauses: list[Verdict] = []
        self.findings: tuple[str, ...] = ()
        self.people = 1
        self.ends_at = LONG_AGO
        self.behind: list[tuple[str, ...]] = []
        self.watermarks: list[datetime] = []
        self.failing: dict[str, list[Exception]] = {}
        self.statements = 0
        self.preparers: set[str] = set()
        self.customers: tuple[str, ...] = ("acme",)
        self.reminders = 0
        self.held: dict[str, Event] = {}
        self.rate_starts_at = LONG_AGO
        self.locked: tuple[str, ...] = ()
        self.concluded: list[ConcludeChange] = []
        self.given_up: list[ConcludeCorrection] = []
        self.correction: Correction | None = None
        self.months: tuple[str, ...] = ("2026-10",)

    def decide(self, id_: str, kind: DecisionKind, person: str, subject: str = "", **more: Any) -> str:
        """Write a decision row and return its id."""
        self.decisions[id_] = Decision(
            id=id_,
            kind=kind,
            period=more.pop("period", "2026-10"),
            revision=more.pop("revision", 1),
            customer=more.pop("customer", "acme"),
            subject=subject,
            person=Person(id=person, name=person, roles=PEOPLE[person]),
            reason=more.pop("reason", "because"),
            payload=more.pop("payload", {}),
            recorded_at=LONG_AGO,
        )
        return id_

    @property
    def fingerprint(self) -> str:
        """The current statement's fingerprint."""
        return f"statement-{self.statements}"

    def _did(self, name: str) -> None:
        self.calls.append(name)
        if name in self.held:
            assert self.held[name].wait(60), f"nobody let {name} go"
        if self.failing.get(name):
            raise self.failing[name].pop(0)

    def all(self) -> list[Callable[..., Any]]:
        """Return the fakes as activities."""
        did = self._did

        @activity.defn(name="collect.open_close")
        def open_close(task: CloseMonth) -> Opened:
            did("open_close")
            return Opened(sources=("clickhouse", "posthog"), ends_at=self.ends_at, poll_seconds=900, reminder_hours=24)

        @activity.defn(name="collect.population")
        def population(task: CloseMonth) -> Population:
            did("population")
            return Population(shards=(self.customers,) if self.customers else ())

        @activity.defn(name="collect.source_state")
        def source_state(task: SealSource) -> SourceState:
            did(f"source_state {task.source}")
            watermark = self.watermarks.pop(0) if task.source == "posthog" and self.watermarks else self.ends_at
            return SourceState(source=task.source, complete=watermark >= self.ends_at, watermark=watermark)

        @activity.defn(name="collect.seal_source")
        def seal_source(task: SealSource) -> SnapshotRef:
            did(f"seal_source {task.source}")
            return SnapshotRef(source=task.source, fingerprint=f"snap-{task.source}", rows=1, watermark=self.ends_at)

        @activity.defn(name="collect.readiness")
        def readiness(task: CustomerRef) -> Readiness:
            did("readiness")
            return Readiness(ends_at=self.ends_at, behind=self.behind.pop(0) if self.behind else ())

        @activity.defn(name="collect.take_slices")
        def take_slices(task: CustomerRef) -> Slices:
            did("collect")
            return Slices(
                snapshots=(SnapshotRef(source="clickhouse", fingerprint="snap", rows=1, watermark=self.ends_at),)
            )

        @activity.defn(name="reconcile.compare_sources")
        def compare_sources(task: CompareSources) -> ReconciliationRef:
            did("reconcile")
            holding = tuple(finding for finding in self.findings if finding not in self.answered)
            return ReconciliationRef(fingerprint="rec", findings=len(self.findings), holding=holding)

        @activity.defn(name="rate.rate_usage")
        def rate_usage(task: RateUsage) -> StatementRef:
            did("rate")
            self.statements += 1
            return StatementRef(
                fingerprint=self.fingerprint, contract_version="c@1", currency="USD", total_minor=123_45, lines=3
            )

        @activity.defn(name="approve.ask_approval")
        def ask_approval(task: AskApproval) -> ApprovalNeed:
            did("approve")
            return ApprovalNeed(people=self.people, queue="approver", why="test")

        @activity.defn(name="approve.verify_decision")
        def verify_decision(task: VerifyDecision) -> Verdict:
            did("verify")
            decision = self.decisions.get(task.decision)
            if decision is None:
                return approval.unknown(task.decision)
            verdict = approval.judge(
                decision,
                task.accepts,
                same_close=(decision.period, decision.customer) == (task.close.month, task.close.customer),
                statement=task.statement,
                holding=task.holding,
                preparers=self.preparers,
                approved_by=task.approved_by,
                answered=self.answered,
                issued=task.issued,
            )
            if verdict.taken and decision.kind is DecisionKind.RESOLVE:
                self.answered.add(decision.subject)
            if verdict.taken and decision.kind is DecisionKind.REVERSE:
                self.answered.discard(decision.subject)
            return verdict

        @activity.defn(name="approve.verify_pause")
        def verify_pause(task: VerifyPause) -> Verdict:
            did("verify_pause")
            decision = self.decisions.get(task.decision)
            if decision is None:
                return approval.unknown(task.decision)
            same = (decision.month_key, decision.customer) == ((task.month, task.revision), EVERYONE)
            paused = approval.is_paused(self.pauses)
            verdict = approval.judge_pause(decision, same_close=same, paused=paused)
            self.pauses.append(verdict)
            return verdict

        @activity.defn(name="approve.remind")
        def remind(task: Remind) -> None:
            did("remind")
            self.reminders = task.count

        @activity.defn(name="approve.note")
        def note(task: Park) -> None:
            did("note")
            self.notes.append((task.state, task.detail))

        @activity.defn(name="invoice.draft_invoice")
        def draft_invoice(task: StatementDeed) -> DraftRef:
            did("draft")
            return DraftRef(reference="ref", stripe_id="in_1", total_minor=123_45, lines=3)

        @activity.defn(name="invoice.finalize_invoice")
        def finalize_invoice(task: FinalizeDraft) -> IssuedRef:
            did("invoice")
            return IssuedRef(reference="ref", stripe_id="in_1", number="T-1", currency="USD", total_minor=123_45)

        @activity.defn(name="recognize.schedule_revenue")
        def schedule_revenue(task: StatementDeed) -> ScheduleRef:
            did("recognize")
            return ScheduleRef(fingerprint="sch", earned_minor=123_45, later_minor=0)

        @activity.defn(name="post.post_entries")
        def post_entries(task: PostRevenue) -> PostedRef:
            did("post")
            return PostedRef(entries=2, month="2026-10", debits_minor=246_90)

        @activity.defn(name="publish.publish_close")
        def publish_close(task: PublishClose) -> PublishedRef:
            did("publish")
            return PublishedRef(uri="s3://b/k", fingerprint="pack")

        @activity.defn(name="publish.seal_evidence")
        async def seal_evidence(task: SealEvidence) -> str:
            did(f"seal_evidence {task.close.customer}")
            return "s3://b/h"

        @activity.defn(name="publish.seal_month")
        def seal_month(task: SealMonth) -> str:
            did("seal_month")
            return "root"

        @activity.defn(name="publish.await_closed")
        def await_closed(task: CustomerRef) -> CustomerClosed:
            did("await_closed")
            return CustomerClosed(customer=task.customer, state=State.DONE)

        @activity.defn(name="rate_change.simulate")
        def simulate(task: ChangeRate) -> SimulationRef:
            did("simulate")
            return SimulationRef(
                proposal=task.proposal,
                fingerprint="sim",
                months=("2026-09", "2026-10"),
                rated=3,
                moved=1,
                refused=0,
                money_minor={"USD": 750},
            )

        @activity.defn(name="rate_change.judge")
        def judge(task: JudgeRateChange) -> Verdict:
            did("judge")
            decision = self.decisions.get(task.decision)
            if decision is None:
                return approval.unknown(task.decision)
            return rate_change.judge(decision, task.proposal, "rita", rate_change.DECIDING)

        @activity.defn(name="rate_change.put_into_catalog")
        def put_into_catalog(task: PutIntoCatalog) -> InCatalog:
            did("put_into_catalog")
            detail = f"{self.locked} billed without it" if self.locked else ""
            return InCatalog(version="list/m@", starts_at=self.rate_starts_at, locked=self.locked, detail=detail)

        @activity.defn(name="rate_change.conclude")
        def conclude(task: ConcludeChange) -> None:
            did("conclude")
            self.concluded.append(task)

        @activity.defn(name="correct.prepare")
        def prepare(task: CorrectInvoice) -> CorrectionRef:
            did("prepare")
            return CorrectionRef(
                correction=task.correction,
                fingerprint=self.correction.fingerprint() if self.correction else "f",
                step=CorrectionStep.PROPOSED,
                currency="USD",
                net_minor=-30_00,
                tax_minor=-3_00,
                lines=1,
                material=False,
            )

        @activity.defn(name="correct.judge")
        def judge_correction(task: JudgeCorrection) -> Verdict:
            did("judge_correction")
            decision = self.decisions.get(task.decision)
            if decision is None:
                return approval.unknown(task.decision)
            assert self.correction is not None
            return corrections.judge(decision, self.correction, task.accepts)

        @activity.defn(name="correct.settle")
        def settle(task: CorrectionDeed) -> SettledRef:
            did("settle")
            return SettledRef(references={"credit_note": "cn_1"})

        @activity.defn(name="correct.post")
        def post_correction(task: CorrectionDeed) -> CorrectionPosted:
            did("post_correction")
            return CorrectionPosted(entries=1, month="2026-11")

        @activity.defn(name="correct.conclude")
        def conclude_correction(task: ConcludeCorrection) -> None:
            did("conclude_correction")
            self.given_up.append(task)

        @activity.defn(name="payments.apply_event")
        def apply_event(task: ApplyEvent) -> EventApplied:
            did("apply_event")
            return EventApplied(event=task.event, fate=Fate.APPLIED, detail="1 entries")

        @activity.defn(name="control.tie_out")
        def tie_out(task: TieOutMonth) -> TiedOut:
            did("tie_out")
            return TiedOut(month=task.month, fingerprints={"stripe": "f"})

        @activity.defn(name="control.refuse_unsigned")
        def refuse_unsigned(task: LockMonth) -> None:
            did("refuse_unsigned")

        @activity.defn(name="control.reopen")
        def reopen(task: ReopenMonth) -> PeriodReopened:
            did("reopen")
            return PeriodReopened(month=task.month, expires_at="2026-12-01T00:00:00Z")

        @activity.defn(name="watch.months")
        def months(task: WatchTonight) -> tuple[str, ...]:
            did(f"months {task.night}")
            return self.months

        @activity.defn(name="watch.compare_night")
        def compare_night(task: WatchNight) -> NightWatched:
            did(f"watch {task.month} {task.night}")
            return NightWatched(month=task.month, night=task.night, up_to=LONG_AGO, concerns=2, alerts=1)

        return [
            months,
            compare_night,
            tie_out,
            refuse_unsigned,
            reopen,
            apply_event,
            prepare,
            judge_correction,
            settle,
            post_correction,
            conclude_correction,
            simulate,
            judge,
            put_into_catalog,
            conclude,
            open_close,
            population,
            source_state,
            seal_source,
            readiness,
            take_slices,
            compare_sources,
            rate_usage,
            ask_approval,
            verify_decision,
            verify_pause,
            remind,
            note,
            draft_invoice,
            finalize_invoice,
            schedule_revenue,
            post_entries,
            publish_close,
            seal_evidence,
            seal_month,
            await_closed,
        ]


def refused(code: str = "NoRate") -> ApplicationError:
    """Return what a refusal looks like to a plan."""
    return ApplicationError(f"{code}: a rule said no", type=code, non_retryable=True)


def days(count: int) -> timedelta:
    """Return so many days."""
    return timedelta(days=count)
