"""refresh: rate a running month with what was used so far, by the close's own code, so that customers see it coming."""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from temporalio import activity

from activities.collect import ONE_PASS, beating, cuts_by_customer, earlier_ids, still_alive, window_of
from activities.deeds import Outside
from activities.messages import Refreshed, RefreshMonth
from activities.rate import rated
from activities.telling import told_of
from billing import sealing, slices, spread, terms, usage_table
from billing.pool_views import Running
from billing.rating import cuts
from billing.reconciliation.reconcile import Reconciled, reconcile
from models.draft import Draft
from models.period import Period, month_of, next_month
from models.refusal import Refusal
from models.snapshot import Artifact, Snapshot


class BeforeIsOpen(Refusal):
    """The month before is not issued yet, so nobody knows what pools this one opens with."""

    remedy = "Close the month before; until then the last stored statement stands."


class Refresh:
    """The deed of the refresh. What it reads is in a folder of its own and goes with it: a draft is no evidence."""

    def __init__(self, outside: Outside) -> None:
        self.outside = outside

    @activity.defn(name="refresh.refresh_month")
    def refresh_month(self, task: RefreshMonth) -> Refreshed:
        """Rate every customer's month so far and keep the drafts; whom a rule refuses keeps the one before."""
        outside, drafts = self.outside, self.outside.drafts
        customers = outside.terms.population(task.month)
        if drafts is None or not customers:
            return Refreshed(month=task.month, rated=0)
        now, left = outside.clock.now(), []
        outside.scratch.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=outside.scratch, prefix="refresh-") as folder:
            read = self._read(task.month, Path(folder), now)
            for customer in customers:
                activity.heartbeat(customer)
                try:
                    draft = self._draft(customer, task.month, read, now)
                    drafts.keep(draft)
                    self._tell(draft, now)
                except Refusal as refusal:
                    left.append(f"{customer}: {refusal.code}")
        return Refreshed(month=task.month, rated=len(customers) - len(left), left=tuple(left))

    def _draft(self, customer: str, month: str, read: Mapping[str, Snapshot], now: datetime) -> Draft:
        outside = self.outside
        contracts = terms.in_force(outside.terms.contracts(customer), customer, month)
        self._refuse_an_open_month_before(contracts[-1].contract, customer, month)
        compared = self._compare(customer, month, read)
        statement = rated(outside, customer, month, compared.usage, now)
        spoke = set(compared.usage["source"].unique().to_pylist()) & read.keys() or set(read)
        return Draft(
            statement=statement,
            days=spread.days_of(statement, usage_table.to_lines(compared.usage)),
            complete_up_to=min(now, *(read[name].watermark for name in spoke)),
            refreshed_at=now,
        )

    def _tell(self, draft: Draft, now: datetime) -> None:
        """Write what the customer is to be told of their month so far; nothing where nobody is told anything."""
        outside, statement = self.outside, draft.statement
        alerts = outside.notices.alerts(statement.customer) if outside.tells else ()
        if not outside.tells or not (alerts or statement.pools):
            return
        issued = outside.evidence.issued_statements(statement.contract, statement.period)
        running = Running(month=statement.period, on=draft.complete_up_to.date())
        for notice in told_of(outside, statement, issued, alerts, now, running):
            outside.notices.keep(notice)

    def _compare(self, customer: str, month: str, read: Mapping[str, Snapshot]) -> Reconciled:
        outside = self.outside
        contracts = terms.in_force(outside.terms.contracts(customer), customer, month)
        period = terms.month_of_customer(contracts, month)
        policy = outside.policy.model_copy(update={"authority": outside.terms.authorities()})
        instants = cuts.cuts_of(contracts, outside.terms.rates(), month)
        parts = slices.slices_of(
            customer,
            list(read.values()),
            outside.policy,
            lambda: outside.terms.population(month),
            lambda artifact: Path(artifact.uri),
            (*instants, period.starts_at, period.ends_at),
        )
        return reconcile(customer, month, period, parts, policy, (), instants)

    def _refuse_an_open_month_before(self, contract: str, customer: str, month: str) -> None:
        before = next_month(month, -1)
        versions = [one for one in self.outside.terms.contracts(customer) if one.contract == contract]
        issued = self.outside.evidence.issued_statements(contract, month)
        opening = self.outside.terms.opening(contract)
        begins_here = opening is not None and month_of(opening.as_of) == month
        if terms.is_in_force(versions, before) and not begins_here and (not issued or issued[-1].period != before):
            raise BeforeIsOpen(f"{before} is not issued", contract=contract)

    def _read(self, month: str, folder: Path, now: datetime) -> dict[str, Snapshot]:
        """Return each source as it is now, in files of this refresh, sealed the way the close seals it."""
        outside, window = self.outside, window_of(self.outside, month)
        known = cuts_by_customer(outside, month)
        return {name: self._sealed(name, month, window, folder / name, known, now) for name in sorted(outside.sources)}

    def _sealed(
        self,
        name: str,
        month: str,
        window: Period,
        folder: Path,
        known: Mapping[str, tuple[datetime, ...]],
        now: datetime,
    ) -> Snapshot:
        outside, source, declared = self.outside, self.outside.sources[name], self.outside.policy.sources[name]
        watermark = declared.complete_up_to(source.watermark())
        folder.mkdir()
        spooled = sealing.spool(beating(iter(source.read(window))), folder / "spool.parquet")
        with still_alive(), ONE_PASS:
            sealed = sealing.seal(
                spooled,
                window,
                declared,
                folder,
                earlier=earlier_ids(outside, name, month),
                cuts=known,
                memory_mib=outside.usage_memory_mib,
            )
        return Snapshot(
            source=name,
            period=month,
            window=window,
            grain=source.grain,
            match=declared.match,
            watermark=watermark,
            sealed_at=now,
            counts=sealed.counts,
            rows=_here(sealed.rows),
            buckets=_here(sealed.buckets),
            duplicates=_here(sealed.duplicates),
            customers=sealed.customers,
        )


def _here(path: Path) -> Artifact:
    """Return a file of this refresh as slices are read from; it is kept nowhere."""
    return Artifact(uri=str(path), content_fingerprint="", sha256="", rows=0, bytes=path.stat().st_size)
