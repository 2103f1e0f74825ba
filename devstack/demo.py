"""make demo: a whole month on the embedded stack, from usage in three sources to a journal that ties out.

Exit code 0 only if every number of every customer is one number, every planted fault was found and nothing
else, a second run of every deed changes nothing, and the evidence re-performs to the same fingerprints.
"""

import asyncio
import os
import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Annotated

import httpx
import typer
from rich.console import Console
from rich.table import Table
from temporalio.client import Client as TemporalClient
from temporalio.client import ScheduleBackfill, ScheduleOverlapPolicy, WorkflowFailureError
from temporalio.exceptions import ActivityError

from activities.deeds import Outside
from adapters.object_store import s3_client
from adapters.postgres.books import Books
from adapters.postgres.closes import PostgresCloses
from adapters.postgres.desk import PostgresDesk
from adapters.postgres.journals import PostgresJournal
from adapters.postgres.terms import PostgresTerms
from billing import cost_drift
from devstack import kept_pages, pictures
from devstack.book import again, breaks, expected, faults, findings, lock, seed, sources, tie_out, traces, webhooks
from devstack.book.calls import HABITS, Usage, true_usage
from devstack.book.script import Script
from devstack.book.traces import Client
from devstack.faces import Faces
from devstack.failure import ServiceFailed
from devstack.state import running_environment
from devstack.up import DEFAULT_STATE, Stack
from devstack.workers import EMBEDDED, Workers
from migrations.upgrade import upgrade
from models.close import Standing, State
from models.money import money_text
from models.notice import month_words
from models.period import next_month
from models.rate_card import RateVersion
from models.refusal import Refusal
from models.value import decimal_text
from runtime import exports, schedule, settings, temporal, wiring
from runtime.audit import Audit
from runtime.clock import SystemClock
from runtime.desk import DeskDoor
from runtime.engine import engine_id
from workflows import options
from workflows.send_notices import SendNotices

ENDED = frozenset({State.DONE, State.SKIPPED})
CLOSE_WITHIN = timedelta(minutes=6)
console = Console(highlight=False, width=None if sys.stdout.isatty() else 160)


class DemoFailed(Exception):
    """Something does not tie out; says which customer and stage."""


def _text(message: EmailMessage) -> str:
    """Return the plain text of a message."""
    part = message.get_body(("plain",))
    return str(part.get_content()) if part is not None else ""


@contextmanager
def step(words: str) -> Iterator[None]:
    """Print a step with the seconds it took."""
    began = time.monotonic()
    yield
    console.print(f"  {words} [dim]{time.monotonic() - began:.1f} s[/dim]")


def main(
    month: Annotated[str, typer.Option(help="The month to close.")] = "2026-10",
    book: Annotated[str, typer.Option(help="demo, or traces (with --data).")] = "demo",
    break_: Annotated[
        str | None, typer.Option("--break", help="Break something: rate, usage, stripe or journal.")
    ] = None,
    data: Annotated[Path | None, typer.Option(help="The folder of shared data, for BOOK=traces.")] = None,
    state: Annotated[Path, typer.Option(help="The state folder; it is made anew.")] = DEFAULT_STATE,
) -> None:
    """Close a month on the embedded stack and prove that it ties out."""
    if break_ is not None and break_ not in breaks.KINDS:
        raise typer.BadParameter(f"expected one of {', '.join(breaks.KINDS)}", param_hint="--break")
    if book not in ("demo", "traces"):
        raise typer.BadParameter("expected demo or traces", param_hint="--book")
    try:
        traffic = traces.clients(data or Path("../shared/data")) if book == "traces" else ()
    except traces.NoTraces as missing:
        raise typer.BadParameter(str(missing), param_hint="--data") from missing
    began = time.monotonic()
    clear(state)
    try:
        with Stack(state) as stack:
            os.environ.update(EMBEDDED)
            os.environ.update(stack.endpoints.as_environment())
            os.environ["TIEOUT_CACHE_FOLDER"] = str(stack.state.root / "cache")
            asyncio.run(Demo(stack, month, break_, traffic).run())
    except (DemoFailed, ServiceFailed, Refusal) as failure:
        console.print(f"[bold red]does not tie out[/bold red]: {failure}")
        leave(1)
    console.print(f"[bold]{month} ties out[/bold], in {time.monotonic() - began:.0f} s. `make up` shows it all again.")
    leave(0)


def clear(state: Path) -> None:
    """Remove an earlier demo's state; a stack that runs on it is not touched and will refuse."""
    if running_environment(state) is None and state.is_dir():
        shutil.rmtree(state)


def leave(code: int) -> None:
    """End the process; the SDK's native threads may crash an ordinary interpreter exit (sdk-python issue 300)."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


class Demo:
    """The demo's month, step by step."""

    def __init__(self, stack: Stack, month: str, break_: str | None, traffic: Sequence[Client] = ()) -> None:
        self.stack = stack
        self.month = month
        self.break_ = break_
        self.traffic = traffic
        self.config = settings.load()
        self.root = stack.state.root
        self.workers = Workers(self.root, stack.endpoints.as_environment())

    async def run(self) -> None:
        """Close the month and prove it; raises DemoFailed naming customer and stage."""
        console.print(f"[bold]The stack is up[/bold]: Temporal UI {self.config.temporal_ui_url}")
        tokens = self._seed()
        usage = self._write_sources()
        self.workers.start()
        try:
            standings = await self._close(tokens)
            await self._prove(standings, usage, tokens)
        finally:
            self.workers.stop()

    def _seed(self) -> dict[str, str]:
        owner = str(self.stack.endpoints.database_url)
        with step("database, roles and people"):
            upgrade(owner)
            tokens = seed.seed_demo_people(owner, self.root)
            webhooks.add(self.config, owner, self.stack.webhooks)
        with step("12 contracts, rates, January to September of 3 customers"):
            seed.seed_terms(PostgresTerms(wiring.database(self.config, "worker")), seed.contracts(), self._rates())
            outside = self._outside()
            for contract in seed.contracts():
                if HABITS[contract.customer].history:
                    seed.issue_history(outside, contract, "2026-01", next_month(self.month, -1), self.traffic)
        return tokens

    def _rates(self) -> tuple[RateVersion, ...]:
        return breaks.rates(seed.rates()) if self.break_ == "rate" else seed.rates()

    def _write_sources(self) -> list[Usage]:
        until = datetime(2026, 11, 2, tzinfo=UTC)
        with step("calls drawn, three sources written with planted faults"):
            usage = list(true_usage(self.month, until, traffic=self.traffic))
            reported = breaks.usage(usage) if self.break_ == "usage" else usage
            s3 = s3_client(self.config.s3_url, self.stack.endpoints.s3_access_key, self.stack.endpoints.s3_secret_key)
            events = sources.write_clickhouse(self.stack.endpoints.clickhouse_url, reported)
            files = sources.write_posthog(
                s3, self.config.sources_bucket, reported, sources.double_of(self.config.posthog_url)
            )
            cells = sources.write_sheet(s3, self.config.sources_bucket, self.month, reported)
        console.print(f"  ClickHouse {events:,} rows · PostHog {files} export files · sheet {cells} rows")
        return usage

    async def _close(self, tokens: dict[str, str]) -> Sequence[Standing]:
        client = await temporal.connect(self.config, "demo")
        if self.break_ == "stripe":
            breaks.stripe(self.config)
        console.print(f"[bold]The scheduler starts the close of {self.month}[/bold]")
        await schedule.apply(client, self.config.entity_zone)
        scheduled = datetime.fromisoformat(f"{next_month(self.month)}-01T12:00:00+00:00")
        await client.get_schedule_handle(schedule.SCHEDULE_ID).backfill(
            ScheduleBackfill(
                start_at=scheduled - timedelta(days=1),
                end_at=scheduled + timedelta(days=1),
                overlap=ScheduleOverlapPolicy.ALLOW_ALL,
            )
        )
        console_role = wiring.database(self.config, "console")
        books = Books(console_role)
        desk = DeskDoor(PostgresDesk(console_role), PostgresCloses(console_role), client, SystemClock())
        script = Script(self.month, books, desk, client, tokens, lambda words: console.print(f"  {words}"))
        began = time.monotonic()
        customers = len(seed.contracts())

        def over(standings: Sequence[Standing]) -> bool:
            if not self.workers.running:
                raise DemoFailed("the workers ended; see their log under the state folder")
            if time.monotonic() - began > CLOSE_WITHIN.total_seconds():
                open_ = [
                    f"{one.customer} at {one.stage.value}: {one.detail}" for one in standings if one.state not in ENDED
                ]
                raise DemoFailed(f"not closed in time: {'; '.join(open_)}")
            parked = [one for one in standings if one.state is State.NEEDS_ATTENTION and "NoContract" not in one.detail]
            if parked:
                one = parked[0]
                raise DemoFailed(f"{one.customer} at {one.stage.value}: {one.detail}")
            return len(standings) >= customers and all(one.state in ENDED for one in standings)

        standings = await script.play(over)
        handle = client.get_workflow_handle(f"close/{self.month}")
        await asyncio.wait_for(handle.result(), CLOSE_WITHIN.total_seconds())
        console.print(
            f"  closed in {time.monotonic() - began:.1f} s: {script.approvals} approvals by people, "
            f"refused: {'; '.join(script.refusals) or 'none'}"
        )
        return standings

    async def _prove(self, standings: Sequence[Standing], usage: list[Usage], tokens: dict[str, str]) -> None:
        outside = self._outside()
        books = Books(wiring.database(self.config, "auditor"))
        if self.break_ == "journal":
            breaks.journal(str(self.stack.endpoints.database_url), self.month)
        self._cross_check()
        self._findings(outside, standings)
        self._tie_out(outside, books, standings, usage)
        await self._told(outside)
        self._costs(outside)
        faces = Faces(self.stack.state, self.stack.endpoints.as_environment())
        faces.seed(seed.contracts())
        served = asyncio.create_task(asyncio.to_thread(faces.start))  # they start while this proves on
        try:
            await self._again(outside, standings)
            self._chain()
            await self._lock(tokens)
            self._export(books)
            self._audit()
            await served
            await asyncio.to_thread(self._pages, faces)
        finally:
            await asyncio.wait([served])
            faces.stop()

    def _pages(self, faces: Faces) -> None:
        """Keep what the pages show of the closed month, and pictures of it where a Chromium is found."""
        folder = self.root / "out" / self.month / "pages"
        kept = kept_pages.keep(faces, self.month, folder)
        console.print(f"  pages: {len(kept)} of finance and two customers kept, open {folder / 'index.html'}")
        browser = pictures.chromium()
        if browser is None and pictures.required():
            raise pictures.NoChromium("pictures of the pages are required")
        if browser is None:
            console.print("  pictures: none, as no Chromium is installed (Debian: chromium)")
            return
        taken = pictures.take([folder / one for one in kept_pages.to_picture(kept, self.month)], browser)
        console.print(f"  pictures: {len(taken)} PNG beside them, by {Path(browser).name}")

    def _findings(self, outside: Outside, standings: Sequence[Standing]) -> None:
        counted = findings.count(outside, self.month, [one.customer for one in standings])
        table = Table(title="Faults by kind", title_justify="left", box=None)
        for column in ("fault", "planted", "found", "missed", "false"):
            table.add_column(column, justify="left" if column == "fault" else "right")
        for one in counted:
            table.add_row(one.cause.value, str(one.planted), str(one.found), str(len(one.missed)), str(len(one.false)))
        console.print(table)
        for one in counted:
            if one.missed or one.false:
                raise DemoFailed(f"{one.cause.value} at reconcile: missed {one.missed}, false {one.false}")

    def _tie_out(self, outside: Outside, books: Books, standings: Sequence[Standing], usage: list[Usage]) -> None:
        outside_view = expected.invoices(usage, self.month, self.traffic)
        found = tie_out.rows(outside, books, self.month, standings, outside_view.totals, outside_view.quantities)
        table = Table(title=f"Tie-out of {self.month}", title_justify="left", box=None)
        columns = ("customer", "minutes: clickhouse", "posthog", "sheet", "statement", "invoice", "Stripe", "journal")
        for column in (*columns, "expected", ""):
            table.add_column(column, justify="left" if column in ("customer", "") else "right")
        for row in found:
            money = [
                money_text(amount, row.currency) if amount is not None else "–"
                for amount in (row.statement, row.invoice, row.stripe, row.journal, row.expected)
            ]
            said = [
                f"{row.minutes[name]:,.2f}" if name in row.minutes else "–"
                for name in ("clickhouse", "posthog", "sheet")
            ]
            table.add_row(row.customer, *said, *money, "all equal" if row.problem is None else "DIFFERS")
        console.print(table)
        wrong = [f"{row.customer} at {row.problem}" for row in found if row.problem]
        if wrong:
            raise DemoFailed("; ".join(wrong))
        missing = sorted(set(outside_view.totals) - {row.customer for row in found})
        if missing:
            raise DemoFailed(f"{', '.join(missing)} at invoice: nothing was billed")

    async def _told(self, outside: Outside) -> None:
        """Send the mail of the month, and see that every invoice was told of once, to the cent."""
        client = await temporal.connect(self.config, "demo")
        await client.execute_workflow(SendNotices.run, id=f"send-notices-{self.month}", task_queue=options.CLOSE_QUEUE)
        mail = [one for one in self.stack.mail.messages if f"/invoices/{self.month}@" in _text(one)]
        for invoice, issued in outside.controls.issued(self.month):
            said = f"Invoice {issued.number} for {month_words(self.month)}: {money_text(issued.total, issued.currency)}"
            if sum(said in _text(one) for one in mail) != 1:
                raise DemoFailed(f"{invoice.customer} at publish: was not told of {issued.number} once")
        console.print(f"  mail: {len(mail)} customers told of their invoice, once each, to the cent")
        await self._told_by_webhook(outside, client)

    async def _told_by_webhook(self, outside: Outside, client: TemporalClient) -> None:
        """See that the customer's own system was told of its invoice once, signed, to the cent."""
        customer = webhooks.CUSTOMER
        [issued] = [found for asked, found in outside.controls.issued(self.month) if asked.customer == customer]
        total = decimal_text(issued.total)
        wrong = await webhooks.told(self.config, client, self.stack.webhooks, issued.reference, total)
        if wrong:
            raise DemoFailed(f"{customer} at publish: its own system was not told of {issued.number}: {wrong}")
        console.print(f"  webhook: {customer}'s own system told of its invoice, once, signed, to the cent")

    def _cross_check(self) -> None:
        """Say how often PostHog was asked for its own totals; no export was sealed that they did not agree with."""
        double = sources.double_of(self.config.posthog_url)
        if double is not None:
            asked = httpx.get(f"{double}/_state", timeout=10).raise_for_status().json()["asked"]
            if not asked:
                raise DemoFailed("posthog at collect: the export was held against nothing")
            console.print(f"  PostHog's own totals agree with the export: {asked} queries")

    def _costs(self, outside: Outside) -> None:
        """Find where a source's own cost left the catalog's: the one model and day that were planted, nothing else."""
        found: list[cost_drift.Drift] = []
        for source in sorted(outside.sources):
            snapshot = outside.evidence.snapshot(source, self.month, 1)
            if snapshot is not None:
                rows, zone = outside.store.path(snapshot.rows), outside.policy.timezone
                found += cost_drift.drifts(source, rows, outside.terms.rates(), outside.cost_card, zone)
        for one in found:
            console.print(
                f"  {one.source}'s own cost of {one.dimensions.get('model')} leaves the catalog's on {one.first_day}:"
                f" {money_text(one.cost, one.currency)}, not {money_text(one.catalog, one.currency)}"
            )
        planted = faults.COST_DRIFT
        told = {(one.source, one.dimensions.get("model"), one.first_day) for one in found}
        if told != {(planted.source, planted.model, planted.first_day)}:
            raise DemoFailed(f"cost drift at collect: planted {planted.what}; found {sorted(map(str, told))}")

    async def _lock(self, tokens: dict[str, str]) -> None:
        client = await temporal.connect(self.config, "demo")
        role = wiring.database(self.config, "console")
        desk = DeskDoor(PostgresDesk(role), PostgresCloses(role), client, SystemClock())
        with step(f"{lock.SIGNER} signs the tie-outs, {lock.CONTROLLER} locks {self.month}"):
            try:
                tied, _ = await lock.sign_and_lock(client, desk, tokens, self.month, "reviewed")
            except WorkflowFailureError as failed:
                cause = failed.cause.cause if isinstance(failed.cause, ActivityError) else failed.cause
                raise DemoFailed(f"{self.month} is not locked: {cause}") from failed
        console.print(f"  {len(tied.fingerprints)} tie-outs signed, {len(tied.untied)} lines untied")

    async def _again(self, outside: Outside, standings: Sequence[Standing]) -> None:
        with step("every deed run a second time"):
            changed = await asyncio.to_thread(again.run, outside, self.month, standings)
        if changed:
            raise DemoFailed(f"a second run changed something: {'; '.join(changed)}")
        console.print("  a second run of every deed changed nothing")

    def _chain(self) -> None:
        state = PostgresJournal(wiring.database(self.config, "auditor")).verify_chain()
        if not state.whole:
            customer = breaks.customer_of(state.first_difference or "")
            raise DemoFailed(f"{customer} at post: journal entry {state.first_difference} differs: {state.reason}")
        console.print(f"  journal: {state.entries} entries, chain whole, head {state.head[:12]}")

    def _export(self, books: Books) -> None:
        journal = PostgresJournal(wiring.database(self.config, "auditor"))
        for checked in exports.check(exports.write(journal, books, self.root / "out" / self.month)):
            console.print(f"  {checked.path.name}: {checked.words}")
            if checked.accepted is False:
                raise DemoFailed(f"the journal at post: {checked.words}")

    def _audit(self) -> None:
        audit = Audit(wiring.store_of(self.config), engine_id())
        manifest = audit.manifest(self.month, 1, None)
        with step(f"evidence of {len(manifest.packs)} customers re-performed"):
            wrong = [
                f"{one.subject} at {check.name}" for one in audit.verify(manifest, None) for check in one.differing
            ]
        if wrong:
            raise DemoFailed(f"the evidence does not re-perform: {'; '.join(wrong)}")
        console.print(f"  audit: the evidence agrees, root {manifest.fingerprint()[:12]}")

    def _outside(self) -> Outside:
        return wiring.outside_of(self.config, temporal.NoHistories())


if __name__ == "__main__":
    typer.run(main)
