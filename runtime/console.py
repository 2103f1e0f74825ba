"""The console's door: what finance sees of every customer, and the desks by which a signed-in person decides."""

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID, uuid4

from temporalio.client import Client

from activities.messages import PeriodReopened, TiedOut, close_id, customer_close_id
from activities.ports import Clock
from adapters.postgres.books import Books
from adapters.postgres.catalog import PostgresCatalog
from adapters.postgres.closes import PostgresCloses
from adapters.postgres.controls import PostgresControls
from adapters.postgres.desk import PostgresDesk
from adapters.postgres.journals import PostgresJournal
from adapters.postgres.progress import PostgresProgress
from adapters.postgres.rate_changes import PostgresRateChanges
from adapters.postgres.sessions import Database
from adapters.postgres.term_changes import PostgresTermChanges
from adapters.postgres.terms import PostgresTerms
from adapters.postgres.web_sessions import SessionDesk
from billing import controls
from billing.reports.registry import REPORTS
from billing.sampling import sample
from models.approval import Decision, Person, Verdict
from models.close import DRY_RUNS_FROM, EVERYONE, DecisionKind, Stage, Standing, State
from models.control import PeriodStatus, TieOutName
from models.entity import DEFAULT, Entity
from models.flux import Flux
from models.money import total
from models.period import next_month
from models.rate_change import RateProposal
from models.reconciliation import Cause
from models.refusal import Refusal
from models.reports import CloseSummary, OpenFinding, RatedView, Report, Sampled
from models.statement import Statement
from models.value import fingerprint_of
from runtime import close_desk, list_changes, rate_drafts, reports, schedule
from runtime.attempts import Attempt, attempt_of
from runtime.clock import SystemClock
from runtime.comparisons import Comparisons
from runtime.desk import DeskDoor, kept, refuse_role
from runtime.finding_desk import Fanned, FindingDesk
from runtime.rate_desk import RateDesk
from runtime.reach import Reach


class ListChanged(Refusal):
    """The statements that wait are not those of the list that was signed."""

    remedy = "Read the list again and sign it as it is now."


class NumbersMoved(Refusal):
    """A tie-out is signed whose numbers are not those that were seen."""

    remedy = "Look at it as it is now, and sign that."


@dataclass(frozen=True)
class Waiting:
    """A statement that waits for its approval, beside the month before."""

    standing: Standing
    rated: RatedView
    open_findings: int


@dataclass(frozen=True)
class Approval:
    """What a close's signature rests on: where all stand, what holds them, what waits, and the month before."""

    standings: tuple[Standing, ...]
    held: tuple[OpenFinding, ...]
    waiting: tuple[Waiting, ...]
    flux: Flux
    engines: tuple[str, ...]
    engines_before: tuple[str, ...]

    @property
    def clean(self) -> tuple[Waiting, ...]:
        """What waits and is held by no finding: what may be signed as one list."""
        return tuple(one for one in self.waiting if not one.open_findings)

    @property
    def sample(self) -> tuple[Sampled, ...]:
        """The ten statements that a reviewer looks into before the list is signed."""
        return sample(one.rated for one in self.waiting)


@dataclass(frozen=True)
class Links:
    """Where an engineer looks on: the Temporal UI."""

    ui_url: str = "http://127.0.0.1:8233"
    namespace: str = "default"

    def close(self, month: str, revision: int) -> str:
        """Return the address of a month's workflow."""
        return self._workflow(close_id(month, revision))

    def customer(self, month: str, revision: int, customer: str) -> str:
        """Return the address of a customer's workflow."""
        return self._workflow(customer_close_id(month, revision, customer))

    def _workflow(self, workflow_id: str) -> str:
        name = workflow_id.replace("/", "%2F").replace("@", "%40")
        return f"{self.ui_url}/namespaces/{self.namespace}/workflows/{name}"


def listed(waiting: Sequence[Waiting]) -> dict[str, str]:
    """Return statements that wait as a list of them names each: its fingerprint by customer."""
    return {one.standing.customer: one.standing.references["statement"] for one in waiting}


class Console:
    """Reads what the pages of finance show, and takes what is decided on them to the workflows.

    A write takes a `key`: sent again with the same one, it is the same decision.
    """

    def __init__(
        self,
        database: Database,
        connect: Callable[[], Awaitable[Client]] | None = None,
        *,
        clock: Clock | None = None,
        zone: str = "UTC",
        entity: Entity = DEFAULT,
        links: Links | None = None,
        desk: Callable[[Database, datetime], PostgresDesk] = SessionDesk,
    ) -> None:
        self.database = database
        self.books = Books(database)
        self.closes_book = PostgresCloses(database)
        self.terms = PostgresTerms(database)
        self.catalog = PostgresCatalog(database)
        self.controls = PostgresControls(database)
        self.rate_changes = PostgresRateChanges(database)
        self.progress = PostgresProgress(database)
        self.clock = clock or SystemClock()
        self.zone = zone
        self.links = links or Links()
        self._comparisons = Comparisons(self.books)
        self.term_changes = PostgresTermChanges(database)
        self._reports = reports.ReportsAtHand(database, entity)
        self.reach = Reach(connect)
        self._desk_of = desk  # what a token is: a session's at the pages, a person's own at the API

    def closes(self) -> tuple[CloseSummary, ...]:
        """Return the closes, newest first; dry runs are in a list of their own."""
        return tuple(one for one in self.books.closes() if one.revision < DRY_RUNS_FROM)

    def close(self, month: str, revision: int) -> CloseSummary | None:
        """Return a month's close, or None."""
        return next((one for one in self.books.closes(month) if one.revision == revision), None)

    def standing(self, month: str, revision: int, customer: str) -> Standing | None:
        """Return where a customer's close stands, or None."""
        return next(iter(self.books.standings(month, revision, customer)), None)

    def at_risk(self, findings: Sequence[OpenFinding]) -> dict[str, Decimal]:
        """Return the money at risk of findings that hold somebody, by currency, whichever way it would go."""
        amounts: dict[str, list[Decimal]] = {}
        for one in findings:
            if one.holds and one.at_risk and one.at_risk.amount is not None and one.at_risk.currency:
                amounts.setdefault(one.at_risk.currency, []).append(abs(one.at_risk.amount))
        return {currency: total(parts) for currency, parts in sorted(amounts.items())}

    def approval(self, month: str, revision: int) -> Approval:
        """Return what a close's signature rests on."""
        standings, rated = self.books.standings(month, revision), self.books.rated(month, revision)
        held = tuple(one for one in self.books.exceptions(month, revision) if one.holds)
        findings = Counter(one.finding.customer for one in held)
        by_customer = {one.customer: one for one in rated}
        waiting = tuple(
            Waiting(one, by_customer[one.customer], findings[one.customer])
            for one in standings
            if (one.stage, one.state) == (Stage.APPROVE, State.WAITING) and one.customer in by_customer
        )
        views = [one.rated for one in waiting]
        engines, before = self._comparisons.engines(month, views), self._comparisons.engines_before(month, views)
        return Approval(standings, held, waiting, self._comparisons.flux(month, rated), engines, before)

    def prior(self, statement: Statement) -> Statement | None:
        """Return the issued statement of the contract's month before, or None."""
        before = next_month(statement.period, -1)
        issued = self.books.issued_statements(statement.contract, before)
        return next((one for one in issued if one.period == before), None)

    def newest_issued(self, contract: str) -> Statement | None:
        """Return the statement of a contract that was issued last, or None."""
        issued = self.books.issued_statements(contract)
        return issued[-1] if issued else None

    @staticmethod
    def list_fingerprint(waiting: Sequence[Waiting]) -> str:
        """Return the fingerprint of a list of statements, as the terminal prints it."""
        return fingerprint_of(list_changes.text_of(listed(waiting)))

    def flux(self, month: str, revision: int) -> Flux:
        """Return a month's statements, issued or not, beside those of the month before."""
        return self._comparisons.flux(month, self.books.rated(month, revision))

    def decisions(self, month: str, revision: int, customer: str) -> list[tuple[Decision, Verdict | None]]:
        """Return the decisions on a customer's close, newest first, each with the workflow's verdict."""
        judged = {one.decision: one for one in self.closes_book.verdicts(month, revision, customer)}
        written = self.closes_book.decisions(month, revision, customer)
        return [(one, judged.get(one.id)) for one in reversed(written)]

    def report(self, name: str, month: str, revision: int = 1) -> Report | None:
        """Return a report of a month, or None where there is none of this name."""
        if name not in REPORTS:
            return None
        return self._reports.report(name, month, revision)

    async def client(self) -> Client:
        """Return the way to the workflows; raises TemporalUnreachable."""
        return await self.reach.client()

    async def start(self, token: str, month: str, dry_run: bool) -> str:
        """Start a close as whose session this is, and return its workflow's id."""
        close_desk.refuse_unfinished(month, self.zone, self.clock)
        person = self.person(token)
        known = [one.revision for one in self.books.closes(month) if one.revision >= DRY_RUNS_FROM]
        revision = max(known, default=DRY_RUNS_FROM - 1) + 1 if dry_run else 1
        return (await close_desk.start(await self.client(), person, month, revision, dry_run)).id

    async def pause_or_resume(
        self, token: str, kind: DecisionKind, month: str, revision: int, reason: str, key: UUID | None = None
    ) -> Verdict | None:
        """Pause a close, or resume it, as whose session this is; None where no worker answered in time.

        Raises:
            DecisionNotTaken: they may not, give no reason, or it changes nothing.
        """
        client = await self.client()
        close_desk.refuse_pausing(self.person(token), kind, reason)
        return await close_desk.pause_or_resume(
            client, self._write(token, kind, month, revision, month, reason, {}, key)
        )

    def period(self, month: str, revision: int) -> PeriodStatus:
        """Return how an accounting period stands: tie-outs, their signatures, and what is in the way of its lock."""
        return controls.status(
            month,
            self.books.standings(month, revision),
            self.controls.newest(month),
            self.closes_book.decisions(month, revision, EVERYONE),
            self.controls.reopenings(month),
            locked=PostgresJournal(self.database).locked(month),
        )

    async def tie_out(self, month: str) -> TiedOut:
        """Tie a period out anew."""
        return await close_desk.tie_out(await self.client(), month)

    def sign(
        self,
        token: str,
        month: str,
        revision: int,
        name: TieOutName,
        seen: str,
        reason: str,
        key: UUID | None = None,
    ) -> None:
        """Sign a tie-out's numbers as they were seen; the signature dies when they move.

        Raises:
            NumbersMoved: they are others now.
        """
        if kept(self.closes_book, key, DecisionKind.SIGN_TIE_OUT, seen):
            return
        found = self.controls.newest(month).get(name)
        if found is None or found.tie_out.fingerprint() != seen:
            raise NumbersMoved("the numbers are others now", tie_out=name.value)
        self._write(token, DecisionKind.SIGN_TIE_OUT, month, revision, seen, reason, {"tie_out": name.value}, key)

    async def lock(
        self, token: str, month: str, revision: int, reason: str, key: UUID | None = None
    ) -> tuple[str, ...]:
        """Lock a period as whose session this is; return who was accrued."""
        client = await self.client()
        decision = self._write(token, DecisionKind.LOCK, month, revision, month, reason, {}, key)
        return (await close_desk.lock(client, decision)).accrued

    def asked_to_reopen(self, month: str, revision: int) -> Decision | None:
        """Return the newest ask to open a period that was not answered yet, or None."""
        return close_desk.asked_to_reopen(self.closes_book.decisions(month, revision, EVERYONE))

    async def reopen(
        self, token: str, month: str, revision: int, reason: str, for_: timedelta
    ) -> PeriodReopened | None:
        """Ask to open a locked period, or approve what another person asked; None while it waits for the second.

        Raises:
            NotLocked, NoReason, DecisionNotTaken: nothing was written, or the deed refused.
        """
        client = await self.client()
        if not PostgresJournal(self.database).locked(month):
            raise close_desk.NotLocked("this period is not locked", month=month)
        asked, person = self.asked_to_reopen(month, revision), self._own_desk().person(token)
        if asked is None or asked.person.id == person.id:
            close_desk.refuse_no_reason(reason)
            row = {"expires_at": close_desk.reopened_until(self.clock.now(), for_)}
            self._write(token, DecisionKind.ASK_REOPEN, month, revision, month, reason, row)
            return None
        approved = self._write(token, DecisionKind.REOPEN, month, revision, asked.id, reason, {})
        return await close_desk.reopen(client, asked, approved)

    async def decide(
        self,
        token: str,
        kind: DecisionKind,
        month: str,
        revision: int,
        customer: str,
        subject: str,
        reason: str,
        key: UUID | None = None,
        payload: Mapping[str, str] | None = None,
    ) -> Verdict | None:
        """Decide about a customer's close as whose session this is; None where no worker answered in time.

        Raises:
            DecisionNotTaken: the workflow refused it, and says why.
        """
        desk = self._desk(await self.client())
        decision = desk.write(kind, token, month, revision, customer, subject, reason, payload or {}, key)
        return await desk.deliver(decision)

    async def approve_list(
        self, token: str, month: str, revision: int, seen: str, reason: str, key: UUID | None = None
    ) -> Mapping[str, str]:
        """Approve every statement of the list that was seen; return why each that was not taken was not, by customer.

        Raises:
            ListChanged: the statements that wait are others now. DecisionNotTaken: the person may sign none.
        """
        whole = kept(self.closes_book, key, DecisionKind.APPROVE_LIST, seen)
        clean = self.approval(month, revision).clean if whole is None else ()
        if whole is None and self.list_fingerprint(clean) != seen:
            raise ListChanged("the list changed since it was shown", now=self.list_fingerprint(clean)[:12])
        desk = self._desk(await self.client())
        if whole is None:
            refuse_role(desk.person(token), DecisionKind.APPROVE_LIST)
            signed = list_changes.text_of(listed(clean))
            whole = desk.write(
                DecisionKind.APPROVE_LIST, token, month, revision, EVERYONE, seen, reason, {"statements": signed}, key
            )
        refused: dict[str, str] = {}
        for line in whole.payload["statements"].splitlines():
            customer, _, statement = line.partition(" ")
            part = desk.part_of(whole, DecisionKind.APPROVE, customer, statement, {"list": seen})
            try:
                await desk.deliver(part)
            except Refusal as refusal:
                refused[customer] = refusal.what
        return refused

    async def next_close(self) -> datetime | None:
        """Return when the scheduler starts a close next; None where it does not, or nobody answers."""
        found = await self.reach.asked(schedule.describe)
        return next(iter(found.info.next_action_times), None) if found else None

    async def attempt(self, month: str, revision: int, customer: str) -> Attempt | None:
        """Return the deed that a customer's close tries again; None where none is, or nobody answers."""
        workflow_id = customer_close_id(month, revision, customer)
        return await self.reach.asked(lambda client: attempt_of(client, workflow_id))

    async def findings(self) -> FindingDesk:
        """Return the desk for findings, as whose session is given to it."""
        return FindingDesk(self._desk(await self.client()), self.books, self.closes_book)

    async def resolve_kind(
        self,
        token: str,
        month: str,
        revision: int,
        kind: Cause,
        findings: Sequence[str],
        answer: str,
        reason: str,
        key: UUID | None = None,
    ) -> Fanned:
        """Answer findings of one cause by one decision."""
        desk = await self.findings()
        return await desk.resolve_kind(token, month, revision, kind, findings, {"answer": answer}, reason, key)

    def draft_rate(self, said: Mapping[str, str]) -> RateProposal:
        """Return the proposal a form makes, beside what the catalog says; nothing is written. Raises NotARate."""
        return rate_drafts.proposal_of(said, self.terms.rates())

    async def propose_rate(self, token: str, said: Mapping[str, str]) -> str:
        """Propose a rate as whose session this is, have it simulated, and return the proposal's id."""
        proposal, desk = self.draft_rate(said), await self.rates()
        desk.propose(token, [proposal])
        return (await desk.simulate(proposal.id)).id

    async def rates(self) -> RateDesk:
        """Return the desk for rate changes."""
        return RateDesk(self._own_desk(), self.rate_changes, await self.client(), self.clock)

    def now(self) -> datetime:
        """Return the present instant."""
        return self.clock.now()

    def _write(
        self, token: str, kind: DecisionKind, month: str, revision: int, subject: str, reason: str,
        payload: Mapping[str, str], key: UUID | None = None,
    ) -> Decision:  # fmt: skip
        """Write a decision about a whole period."""
        desk = self._own_desk()
        person = desk.person(token)
        refuse_role(person, kind)
        return desk.write(
            Decision(
                id=str(key or uuid4()), kind=kind, period=month, revision=revision, customer=EVERYONE, subject=subject,
                person=person, reason=reason, payload=dict(payload), recorded_at=self.clock.now(),
            )
        )  # fmt: skip

    def person(self, token: str) -> Person:
        """Return whose token this is; raises NotAuthenticated."""
        return self._own_desk().person(token)

    def _own_desk(self) -> PostgresDesk:
        return self._desk_of(self.database, self.clock.now())

    def _desk(self, client: Client) -> DeskDoor:
        return DeskDoor(self._own_desk(), self.closes_book, client, self.clock)
