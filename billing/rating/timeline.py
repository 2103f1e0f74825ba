"""Timeline: the versions of one contract, the period they are applied to, and how long each clause stands."""

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import Generic, Protocol, TypeVar

from billing.rating.windows import Life, Window, windows_of
from models.contract import Contract
from models.period import Period, midnight
from models.refusal import Refusal


class NoContract(Refusal):
    """No contract version was given, or none is in force in the period."""

    remedy = "Add the contract's version for the period, or close a period inside its term."


class ContractGap(Refusal):
    """No version of the contract is in force at the instant of a usage."""

    remedy = "Extend the term or add the version that was in force; usage outside every term is never billed by guess."


class MixedContracts(Refusal):
    """The versions given are not versions of one contract, or two take effect on one day."""

    remedy = "Give every version of one contract once: same contract, customer, currency and time zone."


class AmbiguousPeriod(Refusal):
    """Two billing periods begin in the month, or none does."""

    remedy = "Name the day on which the billing period begins, such as 2026-10-15."


class Named(Protocol):
    """A clause with an id of its own."""

    @property
    def id(self) -> str: ...


ClauseT = TypeVar("ClauseT", bound=Named)


@dataclass(frozen=True, slots=True)
class Reign:
    """A contract version and the days it is in force, the last excluded."""

    contract: Contract
    starts_on: date
    ends_on: date
    starts_at: datetime
    ends_at: datetime


@dataclass(frozen=True, slots=True)
class Standing(Generic[ClauseT]):
    """One clause through the versions that hold it without a break: what it says from which instant on."""

    id: str
    life: Life
    starts_at: datetime
    ends_at: datetime
    said: tuple[tuple[datetime, Contract, ClauseT], ...]

    def at(self, instant: datetime) -> ClauseT:
        """Return what the clause says at an instant; before its life, its first words, after it, its last."""
        return self.said[self._index(instant)][2]

    def version_at(self, instant: datetime) -> Contract:
        """Return the contract version that speaks at an instant."""
        return self.said[self._index(instant)][1]

    @property
    def latest(self) -> ClauseT:
        """What the clause says last."""
        return self.said[-1][2]

    def _index(self, instant: datetime) -> int:
        return max(0, bisect_right(self.said, instant, key=lambda words: words[0]) - 1)


@dataclass(frozen=True, slots=True)
class Timeline:
    """The versions of one contract, oldest first, and a billing period: its span inside the term, and the next."""

    month: str
    reigns: tuple[Reign, ...]
    period: Window
    following: Period
    periods: tuple[Window, ...]

    @property
    def contract(self) -> Contract:
        """The version in force at the period's last instant (the first one there is, when none is)."""
        last = [reign for reign in self.reigns if reign.starts_at < self.span.ends_at]
        return (last or list(self.reigns))[-1].contract

    @property
    def span(self) -> Period:
        """The period's instants."""
        return self.period.span

    @property
    def last_instant(self) -> datetime:
        """The period's last instant: where what belongs to the whole period is counted."""
        return self.span.ends_at - timedelta(microseconds=1)

    @property
    def first(self) -> bool:
        """Whether it is the contract's first period."""
        return self.period.index == 0

    def reign_at(self, at: datetime) -> Reign:
        """Return the version in force at an instant; raises ContractGap."""
        for reign in self.reigns:
            if reign.starts_at <= at < reign.ends_at:
                return reign
        raise ContractGap(
            "no version of the contract is in force", contract=self.reigns[0].contract.contract, at=at.isoformat()
        )

    def standings(self, clauses: Callable[[Contract], Sequence[ClauseT]]) -> tuple[Standing[ClauseT], ...]:
        """Return each clause of a sort through the versions that hold it, in the order they first appear."""
        runs: dict[str, list[list[tuple[Reign, ClauseT]]]] = {}
        for reign in self.reigns:
            for clause in clauses(reign.contract):
                before = runs.setdefault(clause.id, [])
                if before and before[-1][-1][0].ends_at == reign.starts_at:
                    before[-1].append((reign, clause))
                else:
                    before.append([(reign, clause)])
        return tuple(self._standing(name, run) for name, both in runs.items() for run in both)

    def _standing(self, name: str, run: list[tuple[Reign, ClauseT]]) -> Standing[ClauseT]:
        first, last = run[0][0], run[-1][0]
        contract = first.contract
        life = Life(
            self.reigns[0].contract.term.starts_on,
            self.reigns[-1].contract.term.ends_on,
            first.starts_on,
            last.ends_on,
            contract.timezone,
            contract.invoice.anchor,
        )
        said = tuple((reign.starts_at, reign.contract, clause) for reign, clause in run)
        return Standing(name, life, first.starts_at, last.ends_at, said)


def timeline_of(contracts: Sequence[Contract], month: str) -> Timeline:
    """Return the timeline of a contract's versions and the billing period that begins in a month (or on a day).

    Without `invoice.anchor` the periods are calendar months in the contract's zone, cut to its term; with it they
    begin on that day of each month, after a first stub. `month` is 2026-10, or 2026-10-15 to name the period by day.

    Raises:
        NoContract, MixedContracts, AmbiguousPeriod: nothing is chosen for the contract.
    """
    if not contracts:
        raise NoContract("no contract version was given", period=month)
    versions = sorted(contracts, key=lambda one: one.starts_at)
    _refuse_mixed(versions)
    reigns = tuple(_reigns(versions))
    life = Life(
        versions[0].term.starts_on,
        versions[-1].term.ends_on,
        reigns[0].starts_on,
        reigns[-1].ends_on,
        versions[0].timezone,
        versions[0].invoice.anchor,
    )
    periods = windows_of("month", "calendar", life)
    chosen = [window for window in periods if window.starts_on.isoformat().startswith(month)]
    if not chosen:
        raise NoContract("no billing period of the contract begins then", contract=versions[0].contract, period=month)
    if len(chosen) > 1:
        days = ", ".join(window.starts_on.isoformat() for window in chosen)
        raise AmbiguousPeriod("several billing periods begin in the month", period=month, begin=days)
    period = chosen[0]
    after = [window.span for window in periods if window.span.starts_at >= period.span.ends_at]
    following = (
        after[0]
        if after
        else Period(starts_at=period.span.ends_at, ends_at=period.span.ends_at + timedelta(microseconds=1))
    )
    return Timeline(month[:7], reigns, period, following, periods)


def _refuse_mixed(versions: Sequence[Contract]) -> None:
    first = versions[0]
    for one in versions[1:]:
        mine = (one.contract, one.customer, one.currency, one.timezone, one.invoice.anchor)
        if mine != (first.contract, first.customer, first.currency, first.timezone, first.invoice.anchor):
            raise MixedContracts("these are not versions of one contract", one=first.version, other=one.version)
    days = [one.effective or one.term.starts_on for one in versions]
    for day, following in pairwise(days):
        if day == following:
            raise MixedContracts("two versions take effect on one day", contract=first.contract, effective=day)


def _reigns(versions: Sequence[Contract]) -> Iterator[Reign]:
    starts = [one.effective or one.term.starts_on for one in versions]
    for index, (one, start) in enumerate(zip(versions, starts, strict=True)):
        end = one.term.ends_on if index + 1 == len(versions) else min(one.term.ends_on, starts[index + 1])
        if start < end:
            yield Reign(one, start, end, midnight(start, one.timezone), midnight(end, one.timezone))
