"""watch: compare a month so far on a night, without sealing any of it, and keep what is wrong and what of it is new."""

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from temporalio import activity

from activities.collect import ONE_PASS, beating, cuts_by_customer, earlier_ids, still_alive, window_of
from activities.deeds import Outside
from activities.messages import CustomerRef, NightWatched, WatchNight, WatchTonight
from activities.ports import CrossChecked, UsageSource
from activities.reconcile import biller
from billing import cost_drift, cross_check, sealing, slices, terms, watching
from billing.rating import cuts
from billing.reconciliation.exposure import exposures
from billing.reconciliation.reconcile import reconcile
from billing.reconciliation.since_seal import changed
from models.period import Period, month_of, next_month
from models.refusal import Refusal
from models.snapshot import Snapshot
from models.usage_policy import UsagePolicy
from models.watch import Concern, Watch

FIRST_REVISION = 1
"""The close whose seals a watch looks after."""


class WatchDeeds:
    """The deeds of the nightly watch. They read the sources and write nothing that a close reads."""

    def __init__(self, outside: Outside) -> None:
        self.outside = outside

    @activity.defn(name="watch.months")
    def months(self, task: WatchTonight) -> tuple[str, ...]:
        """Return the months a night looks at: that of the day before, and the one before it while its close is open."""
        current = month_of(task.night - timedelta(days=1))
        previous = next_month(current, -1)
        return (previous, current) if self.outside.closes.waiting(previous, FIRST_REVISION) else (current,)

    @activity.defn(name="watch.compare_night")
    def compare_night(self, task: WatchNight) -> NightWatched:
        """Compare a month up to a night, keep what is wrong and alert on what is new; return how much of each.

        A night is kept once: run again, it answers as it did. A month that is sealed is only compared with its seals.
        """
        outside = self.outside
        kept = outside.watches.watch(task.month, task.night)
        if kept is None:
            tonight = self._watch(task)
            new = watching.alerts(tonight, outside.watches.before(task.month, task.night))
            kept = outside.watches.keep(tonight, new, outside.clock.now())
            for one in new:
                activity.logger.warning(
                    "watch.alert",
                    extra={
                        "month": task.month,
                        "night": task.night.isoformat(),
                        "kind": one.kind.value,
                        "subject": one.subject,
                        "words": one.words,
                    },
                )
        told = outside.watches.alerts(task.month, task.night)
        return NightWatched(
            month=task.month, night=task.night, up_to=kept.up_to, concerns=len(kept.concerns), alerts=len(told)
        )

    def _watch(self, task: WatchNight) -> Watch:
        outside = self.outside
        window = window_of(outside, task.month)
        seals = self._seals(task.month)
        sealed = set(seals) == set(outside.sources)
        complete = {
            name: outside.policy.sources[name].complete_up_to(source.watermark())
            for name, source in outside.sources.items()
        }
        up_to, silent = watching.reach(task.night, outside.policy.timezone, complete)
        concerns = watching.silences(task.night, outside.policy.timezone, silent)
        if sealed:
            window, silent = next(iter(seals.values())).window, {}
        else:
            window = Period(starts_at=window.starts_at, ends_at=min(window.ends_at, up_to))
        passes: dict[str, sealing.Sealed] = {}
        outside.scratch.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=outside.scratch, prefix="watch-") as folder:
            for name, source in sorted(outside.sources.items()):
                if name in silent or window.ends_at <= window.starts_at:
                    continue
                try:
                    passes[name] = self._pass(source, task.month, window, Path(folder) / name)
                except Refusal as refused:
                    concerns.append(watching.refusal(name, f"{name} cannot be read: {refused}"))
            if sealed:
                concerns += self._since_seal(task.month, seals, passes)
                customers: Collection[str] = ()
            else:
                customers = outside.terms.population(task.month)
                concerns += self._compared(task.month, up_to, passes, customers)
                concerns += self._costs(passes)
        return Watch(
            month=task.month,
            night=task.night,
            up_to=window.ends_at,
            compared=tuple(passes),
            customers=len(customers),
            concerns=tuple(sorted(concerns, key=lambda one: (one.kind, one.subject))),
        )

    def _seals(self, month: str) -> dict[str, Snapshot]:
        found = {name: self.outside.evidence.snapshot(name, month, FIRST_REVISION) for name in self.outside.sources}
        return {name: snapshot for name, snapshot in found.items() if snapshot is not None}

    def _pass(self, source: UsageSource, month: str, window: Period, folder: Path) -> sealing.Sealed:
        """Read a source as a seal would, into a folder that is thrown away."""
        outside, declared = self.outside, self.outside.policy.sources[source.name]
        folder.mkdir()
        spooled = sealing.spool(beating(iter(source.read(window))), folder / "spool.parquet")
        with still_alive():
            with ONE_PASS:
                found = sealing.seal(
                    spooled,
                    window,
                    declared,
                    folder,
                    earlier=earlier_ids(outside, source.name, month),
                    cuts=cuts_by_customer(outside, month),
                    memory_mib=outside.usage_memory_mib,
                )
            if isinstance(source, CrossChecked) and (counted := source.totals(window)) is not None:
                cross_check.refuse_difference(
                    cross_check.totals_of(found.rows), counted, declared, found.counts.seen_before
                )
        return found

    def _compared(
        self, month: str, up_to: datetime, passes: Mapping[str, sealing.Sealed], customers: Collection[str]
    ) -> list[Concern]:
        policy = self.outside.policy.model_copy(update={"authority": self.outside.terms.authorities()})
        strangers: dict[str, set[str]] = {}
        for name, one in passes.items():
            for account in set(one.customers) - set(customers):
                strangers.setdefault(account, set()).add(name)
        found = watching.unknown_accounts(strangers)
        for number, customer in enumerate(sorted(customers)):
            activity.heartbeat(number)
            try:
                found += self._customer(customer, month, up_to, passes, policy, customers)
            except Refusal as refused:
                found.append(watching.refusal(customer, f"{customer} cannot be compared: {refused}", customer))
        return found

    def _customer(
        self,
        customer: str,
        month: str,
        up_to: datetime,
        passes: Mapping[str, sealing.Sealed],
        policy: UsagePolicy,
        known: Collection[str],
    ) -> list[Concern]:
        outside = self.outside
        contracts = terms.in_force(outside.terms.contracts(customer), customer, month)
        whole = terms.month_of_customer(contracts, month)
        if up_to <= whole.starts_at or not passes:
            return []
        period = Period(starts_at=whole.starts_at, ends_at=min(whole.ends_at, up_to))
        instants = tuple(
            at for at in cuts.cuts_of(contracts, outside.terms.rates(), month) if period.starts_at < at < period.ends_at
        )
        bounds = (*instants, period.starts_at, period.ends_at)
        mine = [
            slices.slice_of(customer, name, one, policy.sources[name], known, bounds) for name, one in passes.items()
        ]
        compared = reconcile(customer, month, period, mine, policy, (), instants)
        close = CustomerRef(month=month, revision=FIRST_REVISION, customer=customer)
        held = compared.holding
        at_risk = exposures(held, compared.usage, compared.instead, biller(outside, close)) if held else ()
        return watching.differences(held, at_risk)

    def _costs(self, passes: Mapping[str, sealing.Sealed]) -> list[Concern]:
        rates, card, zone = self.outside.terms.rates(), self.outside.cost_card, self.outside.policy.timezone
        return [
            concern
            for name, one in passes.items()
            for concern in watching.cost_drifts(cost_drift.drifts(name, one.rows, rates, card, zone))
        ]

    def _since_seal(
        self, month: str, seals: Mapping[str, Snapshot], passes: Mapping[str, sealing.Sealed]
    ) -> list[Concern]:
        found = []
        for name, one in passes.items():
            seal = seals[name]
            findings = changed(name, month, self.outside.store.path(seal.buckets), one.buckets, seal.sealed_at)
            found += watching.differences(findings, ())
        return found
