"""collect: seal each source once for all customers, and tell a customer's close when its slices are there."""

import hashlib
import io
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from contextvars import copy_context
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event, Lock, Thread

import pyarrow as pa
import pyarrow.parquet as pq
from temporalio import activity

from activities.deeds import Outside
from activities.messages import (
    CloseMonth,
    CustomerRef,
    Opened,
    Population,
    Readiness,
    SealSource,
    Slices,
    SnapshotRef,
    SourceState,
)
from activities.ports import CrossChecked, UsageSource
from billing import cross_check, sealing, terms
from billing.rating import cuts
from models.close import Stage, State
from models.period import Period, month_period
from models.refusal import Refusal
from models.reports import OpenBalance
from models.snapshot import Artifact, Snapshot

ONE_PASS = Lock()
"""One pass over what was read at a time in a process: it has the whole of the memory that the setting allows."""

BEAT_SECONDS = 10
"""How often a pass says that it is alive; its heartbeat times out after a minute (workflows/options.py)."""

IDENTITY_MONTHS = 3
"""How many earlier months' ids are looked up: the backdating limit (35 days) plus one period, rounded up."""


class NobodyToClose(Refusal):
    """No contract is in force in the month."""

    remedy = "Add contracts, or name another month."


class UnknownSource(Refusal):
    """The close names a source that is not wired."""

    remedy = "Declare the source in the usage policy and wire its adapter."


class SourceIncomplete(Refusal):
    """A source is not complete up to the period's end."""

    remedy = "Wait: the close asks again by itself."


class Collect:
    """The deeds of the first stage."""

    def __init__(self, outside: Outside) -> None:
        self.outside = outside

    @activity.defn(name="collect.open_close")
    def open_close(self, task: CloseMonth) -> Opened:
        """Record that a close was started, by whom, and return what there is to seal.

        Raises:
            NobodyToClose: no contract is in force in the month.
        """
        outside = self.outside
        window = window_of(self.outside, task.month)
        outside.closes.open_close(task.month, task.revision, task.started_by, task.by_hand, outside.clock.now())
        return Opened(
            sources=tuple(sorted(outside.sources)),
            ends_at=window.ends_at,
            poll_seconds=outside.poll_seconds,
            reminder_hours=outside.reminder_hours,
        )

    @activity.defn(name="collect.source_state")
    def source_state(self, task: SealSource) -> SourceState:
        """Return whether a source is complete past the end of every customer's month."""
        watermark = self._complete_up_to(self._source(task.source))
        complete = watermark >= window_of(self.outside, task.month).ends_at
        return SourceState(source=task.source, complete=complete, watermark=watermark)

    @activity.defn(name="collect.seal_source")
    def seal_source(self, task: SealSource) -> SnapshotRef:
        """Seal a source for a month in one pass, or return the snapshot that is sealed already.

        The rows go to the object store as Parquet, under their fingerprint; the books keep the first snapshot
        of (source, month, revision), so that a second pass changes nothing.

        Raises:
            SourceIncomplete, UnusableQuantity, CrossCheckDiffers: nothing was sealed.
        """
        outside = self.outside
        kept = outside.evidence.snapshot(task.source, task.month, task.revision)
        if kept is not None:
            return _ref(kept)
        source = self._source(task.source)
        window = window_of(self.outside, task.month)
        watermark = self._complete_up_to(source)
        if watermark < window.ends_at:
            raise SourceIncomplete(f"{task.source} is complete up to {watermark.isoformat()}", needs=window.ends_at)
        outside.scratch.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=outside.scratch, prefix="seal-") as folder:
            spooled = sealing.spool(beating(iter(source.read(window))), Path(folder) / "spool.parquet")
            with still_alive():
                return _ref(self._sealed(task, source, window, watermark, spooled))

    def _sealed(
        self, task: SealSource, source: UsageSource, window: Period, watermark: datetime, spooled: Path
    ) -> Snapshot:
        """Seal what was read, hold it against the source's own count, keep the files, and return what is kept."""
        outside, declared = self.outside, self.outside.policy.sources[task.source]
        with ONE_PASS:
            sealed = sealing.seal(
                spooled,
                window,
                declared,
                spooled.parent,
                earlier=earlier_ids(outside, task.source, task.month),
                cuts=cuts_by_customer(outside, task.month),
                memory_mib=outside.usage_memory_mib,
            )
        if isinstance(source, CrossChecked) and (counted := source.totals(window)) is not None:
            cross_check.refuse_difference(
                cross_check.totals_of(sealed.rows), counted, declared, sealed.counts.seen_before
            )
        where = f"snapshots/{task.month}@{task.revision}/{task.source}"
        snapshot = Snapshot(
            source=task.source,
            period=task.month,
            window=window,
            grain=source.grain,
            match=declared.match,
            watermark=watermark,
            sealed_at=outside.clock.now(),
            counts=sealed.counts,
            rows=keep_file(outside, f"{where}/rows", sealed.rows, sealed.fingerprint),
            buckets=keep_file(outside, f"{where}/buckets", sealed.buckets, sealed.fingerprint),
            duplicates=keep_file(
                outside,
                f"{where}/duplicates",
                sealed.duplicates,
                sealing.fingerprint_of_rows(sealed.duplicates, declared.match),
            ),
            customers=sealed.customers,
        )
        return outside.evidence.keep_snapshot(snapshot, task.revision)

    @activity.defn(name="collect.population")
    def population(self, task: CloseMonth) -> Population:
        """Return who is closed: contracts in force, accounts with usage beside them, customers with open balances.

        An account with usage and no contract is held as a customer of its own: usage that nobody is billed for must be
        seen. So must a pool, a liability or a receivable that a contract which ended left behind.
        """
        known = set(task.customers or self.outside.terms.population(task.month))
        unknown: set[str] = set()
        left: set[str] = set()
        if not task.customers:
            for name in sorted(self.outside.sources):
                snapshot = self.outside.evidence.snapshot(name, task.month, task.revision)
                if snapshot is not None:
                    unknown |= set(snapshot.customers) - known
            left = {one.customer for one in self._open_balances(task.month, known)} - known - unknown
        everyone = sorted(known | unknown | left)
        size = self.outside.shard_size
        shards = tuple(tuple(everyone[start : start + size]) for start in range(0, len(everyone), size))
        return Population(shards=shards, unknown=tuple(sorted(unknown)), open_balances=tuple(sorted(left)))

    @activity.defn(name="collect.readiness")
    def readiness(self, task: CustomerRef) -> Readiness:
        """Return when the customer's own month is over and which sources are not sealed past it."""
        ends_at = self._period(task).ends_at
        behind = []
        for name in sorted(self.outside.sources):
            snapshot = self.outside.evidence.snapshot(name, task.month, task.revision)
            if snapshot is None or snapshot.watermark < ends_at:
                behind.append(name)
        return Readiness(ends_at=ends_at, behind=tuple(behind))

    @activity.defn(name="collect.take_slices")
    def take_slices(self, task: CustomerRef) -> Slices:
        """Return the sealed snapshots the customer's month is read from, or why there is nothing in it to bill.

        There is nothing where no contract is in force and nothing was used; what is still open is in the reason, and
        stays for a person to settle.
        """
        refs = []
        for name in sorted(self.outside.sources):
            snapshot = self.outside.evidence.snapshot(name, task.month, task.revision)
            if snapshot is None:
                raise SourceIncomplete(f"{name} is not sealed", month=task.month)
            refs.append(_ref(snapshot))
        nothing = self._nothing(task)
        if nothing:
            return Slices(snapshots=tuple(refs), nothing=nothing)
        self.outside.closes.project(
            task.month, task.revision, task.customer, Stage.RECONCILE, State.RUNNING, self.outside.clock.now()
        )
        return Slices(snapshots=tuple(refs))

    def _nothing(self, task: CustomerRef) -> str:
        outside = self.outside
        if terms.is_in_force(outside.terms.contracts(task.customer), task.month):
            return ""
        for name in outside.sources:
            snapshot = outside.evidence.snapshot(name, task.month, task.revision)
            if snapshot is not None and task.customer in snapshot.customers:
                return ""
        left = self._open_balances(task.month, (), task.customer)
        balances = ", ".join(one.words for one in left)
        return f"zero: no contract is in force and nothing was used; still open: {balances}" if left else ""

    def _open_balances(self, month: str, known: Collection[str], customer: str | None = None) -> list[OpenBalance]:
        outside = self.outside
        booked = outside.journal.open_balances(month, customer)
        return [*booked, *outside.evidence.open_pools(month, known, customer)]

    def _source(self, name: str) -> UsageSource:
        if name not in self.outside.sources or name not in self.outside.policy.sources:
            raise UnknownSource("no such source", source=name)
        return self.outside.sources[name]

    def _complete_up_to(self, source: UsageSource) -> datetime:
        """Return up to when a source is complete, by what it has and by the freshness its policy declares."""
        return self.outside.policy.sources[source.name].complete_up_to(source.watermark())

    def _period(self, task: CustomerRef) -> Period:
        contracts = self.outside.terms.contracts(task.customer)
        if not contracts:  # an account nobody knows: its month is the policy's
            return month_period(task.month, self.outside.policy.timezone)
        return terms.month_of_customer(contracts, task.month)


def window_of(outside: Outside, month: str) -> Period:
    """Return the span from the first customer's start of the month to the last one's end; raises NobodyToClose."""
    customers = outside.terms.population(month)
    if not customers:
        raise NobodyToClose("no contract is in force", month=month)
    zones = {versions[-1].timezone for versions in outside.terms.contracts_by_customer(customers).values()}
    months = [month_period(month, zone) for zone in sorted(zones | {outside.policy.timezone})]
    return Period(starts_at=min(one.starts_at for one in months), ends_at=max(one.ends_at for one in months))


def earlier_ids(outside: Outside, source: str, month: str) -> list[Path]:
    """Return the rows a source sealed for the months before: what is among them was billed before."""
    sealed = outside.evidence.snapshots_before(source, month)[:IDENTITY_MONTHS]
    return [outside.store.path(snapshot.rows) for snapshot in sealed]


def cuts_by_customer(outside: Outside, month: str) -> dict[str, tuple[datetime, ...]]:
    """Return where each customer's terms change inside the month, its own bounds among them."""
    rates = outside.terms.rates()
    found = {}
    for customer, versions in outside.terms.contracts_by_customer(outside.terms.population(month)).items():
        contracts = terms.in_force(versions, customer, month)
        period = terms.month_of_customer(contracts, month)
        found[customer] = (*cuts.cuts_of(contracts, rates, month), period.starts_at, period.ends_at)
    return found


PARQUET = "application/vnd.apache.parquet"


def keep_file(outside: Outside, folder: str, path: Path, fingerprint: str) -> Artifact:
    """Keep a Parquet file and return where, with its checksum and size."""
    uri, sha256 = outside.store.put_file(folder, path, PARQUET)
    rows = pq.read_metadata(path).num_rows
    return Artifact(uri=uri, content_fingerprint=fingerprint, sha256=sha256, rows=rows, bytes=path.stat().st_size)


def keep_table(outside: Outside, folder: str, rows: pa.Table, fingerprint: str) -> Artifact:
    """Keep a table as Parquet under its fingerprint and return where, with its checksum and size."""
    sink = io.BytesIO()
    pq.write_table(rows, sink, compression="zstd", row_group_size=sealing.ROW_GROUP)
    body = sink.getvalue()
    uri = outside.store.put_table(f"{folder}/{fingerprint}.parquet", body)
    return Artifact(
        uri=uri,
        content_fingerprint=fingerprint,
        sha256=hashlib.sha256(body).hexdigest(),
        rows=rows.num_rows,
        bytes=len(body),
    )


def _ref(snapshot: Snapshot) -> SnapshotRef:
    return SnapshotRef(
        source=snapshot.source,
        fingerprint=snapshot.rows.content_fingerprint,
        rows=snapshot.rows.rows,
        watermark=snapshot.watermark,
    )


@contextmanager
def still_alive() -> Iterator[None]:
    """Tell Temporal from beside that a pass is alive while it waits and computes; its time to finish is its bound."""
    context, over = copy_context(), Event()

    def beat() -> None:
        while not over.wait(BEAT_SECONDS):
            context.run(activity.heartbeat)

    beside = Thread(target=beat, name="beat", daemon=True)
    beside.start()
    try:
        yield
    finally:
        over.set()
        beside.join()


def beating(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Pass batches through, telling Temporal after each that the pass is alive."""
    for count, batch in enumerate(batches, 1):
        activity.heartbeat(count)
        yield batch
