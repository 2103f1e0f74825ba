"""Report facts: what reports are made of, kept at hand. What is kept never changes, so a write costs what it wrote."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from threading import Lock
from typing import Any

from adapters.postgres.books import Books
from adapters.postgres.facts import PostgresFacts
from adapters.postgres.journals import NOTHING_BEFORE, PostgresJournal
from adapters.postgres.sessions import Database
from billing import recognition
from billing.reports.facts import Fact, Facts
from models.close import DecisionKind, Stage, Standing, State
from models.contract import Contract
from models.entity import DEFAULT, Entity
from models.facts import Billed, Booked, LineFacts, ScheduleFacts, StatementFacts, inputs_of
from models.opening import Opening
from models.period import month_of, next_month
from models.refusal import Refusal

MOST_POSTINGS = 1_000_000
MOST_INVOICES = 100_000
MOST_LINES = 10_000
"""How much is kept at hand: postings, invoices and as many statements, and statements with the sums of their lines.

What is more is read whenever it is asked for.
"""
_BY_HAND = (DecisionKind.RESOLVE, DecisionKind.CORRECT, DecisionKind.RETRY, DecisionKind.REJECT)
_STAMPS: Mapping[Fact, tuple[str, ...]] = {
    Fact.ENTRIES: ("entries",),
    Fact.STATEMENTS: ("invoices",),
    Fact.LINES: ("invoices",),
    Fact.SCHEDULES: ("invoices", "contracts", "openings", "estimates"),
    Fact.INVOICES: ("invoices",),
    Fact.CONTRACTS: ("invoices", "contracts"),
    Fact.ESTIMATES: ("invoices", "estimates"),
    Fact.STANDINGS: ("standings",),
    Fact.FINDINGS: ("reconciled", "verdicts"),
    Fact.BY_HAND: ("decisions", "standings"),
}


class ChainBroken(Refusal):
    """The journal's entries do not follow each other: no report is made of it."""

    remedy = "Run `tieout doctor`: it names the first entry that differs."


class FactsAtHand:
    """Reads a month's facts, each only where it is asked for and only what was not read before."""

    def __init__(self, database: Database, entity: Entity = DEFAULT) -> None:
        self._books, self._journal = Books(database), PostgresJournal(database)
        self._facts, self._entity = PostgresFacts(database), entity
        self._one_reader = Lock()
        self._forget()

    def stamp(self, month: str, revision: int, of: Collection[Fact]) -> str:
        """Return a word that is another one once something that these facts are told from was written."""
        stamps = self._facts.stamps(month, revision)
        named = sorted({name for fact in of for name in _STAMPS[fact]})
        words = (f"{name}={getattr(stamps, name)}" for name in named)
        return f"{self._journal.locked_at(month)} {' '.join(words)}"

    def facts(self, month: str, revision: int, of: Collection[Fact]) -> Facts:
        """Return these facts of a month: entries up to it recorded by its lock, and what was issued by then.

        Raises:
            ChainBroken: the journal is not what it was.
            NoRule, StatementsMissing, CostUnknown: a schedule can't be made, where schedules are asked for.
        """
        with self._one_reader:
            return self._read(month, revision, frozenset(of))

    def _forget(self) -> None:
        self._entries: list[Booked] = []
        self._postings, self._last, self._hash = 0, 0, NOTHING_BEFORE
        self._billed: dict[str, Billed] = {}
        self._statements: dict[str, StatementFacts] = {}
        self._lines: dict[str, LineFacts] = {}
        self._schedules: dict[str, ScheduleFacts] = {}
        self._contracts: dict[str, Contract] = {}

    def _read(self, month: str, revision: int, of: frozenset[Fact]) -> Facts:
        locked_at = self._journal.locked_at(month)
        found: dict[str, Any] = {}
        if Fact.ENTRIES in of:
            found["entries"] = [
                one
                for one in self._booked()
                if one.period <= month and (locked_at is None or one.recorded_at <= locked_at)
            ]
        if of - {Fact.ENTRIES, Fact.STANDINGS, Fact.FINDINGS, Fact.BY_HAND}:
            found |= self._of_invoices(month, locked_at, of)
        if Fact.STANDINGS in of:
            found["standings"] = [at_lock(one, locked_at) for one in self._books.standings(month, revision)]
        if Fact.FINDINGS in of and locked_at is None:
            causes = self._facts.open_causes(month, revision)
            found["open_findings"] = Counter(customer for customer, _ in causes)
            found["causes"] = Counter(cause for _, cause in causes)
        if Fact.BY_HAND in of:
            found["by_hand"] = self._facts.decided(month, revision, [kind.value for kind in _BY_HAND], locked_at)
        return Facts(month=month, locked_at=locked_at, entity=self._entity, **found)

    def _of_invoices(self, month: str, locked_at: datetime | None, of: frozenset[Fact]) -> dict[str, Any]:
        invoices = [
            one for one in self._issued() if one.period <= month and (locked_at is None or one.issued_at <= locked_at)
        ]
        found: dict[str, Any] = {"invoices": invoices} if Fact.INVOICES in of else {}
        contracts = sorted({one.contract for one in invoices})
        statements: Mapping[str, StatementFacts] = {}
        if of & {Fact.STATEMENTS, Fact.LINES, Fact.SCHEDULES}:
            statements = self._told(sorted({one.statement for one in invoices}))
            found["statements"] = list(statements.values())
        if Fact.LINES in of:
            months = (month, next_month(month, -1))
            found["lines"] = self._told_lines([name for name, one in statements.items() if one.period in months])
        if of & {Fact.CONTRACTS, Fact.SCHEDULES}:
            versions = self._versions(sorted({one.customer for one in invoices}), locked_at)
            found["contracts"] = [one for _, one in versions]
        if of & {Fact.ESTIMATES, Fact.SCHEDULES}:
            found["estimates"] = [one for one in self._facts.estimates(contracts) if month_of(one.on) <= month]
        if Fact.SCHEDULES in of:
            known = Facts(month=month, statements=found["statements"], estimates=found["estimates"])
            found["schedules"] = self._scheduled(known, versions)
        return found

    def _booked(self) -> Sequence[Booked]:
        """Return the journal: entries after the last one read are read, and the chain goes on from it."""
        if self._last and self._facts.hash_at(self._last) != self._hash:
            self._forget()  # another database stands behind the same address: nothing of it is ours
        for before, link, entry in self._facts.booked(self._last):
            if (before, link.position) != (self._hash, self._last + 1):
                raise ChainBroken("an entry does not follow the one before it", key=link.key, position=link.position)
            self._entries.append(entry)
            self._postings += len(entry.postings)
            self._last, self._hash = link.position, link.hash
        entries = self._entries
        if self._postings > MOST_POSTINGS:
            self._entries, self._postings, self._last, self._hash = [], 0, 0, NOTHING_BEFORE
        return entries

    def _issued(self) -> list[Billed]:
        """Return the issued invoices; those are read that were not."""
        new = self._facts.issued() - self._billed.keys()
        billed = self._billed | {one.reference: one for one in self._facts.billed(sorted(new))}
        self._billed = billed if len(billed) <= MOST_INVOICES else {}
        return list(billed.values())

    def _told(self, names: Sequence[str]) -> dict[str, StatementFacts]:
        missing = [name for name in names if name not in self._statements]
        if len(self._statements) + len(missing) > MOST_INVOICES:
            self._statements, missing = {}, list(names)
        self._statements |= self._facts.statements(missing)
        return {name: self._statements[name] for name in names if name in self._statements}

    def _told_lines(self, names: Sequence[str]) -> dict[str, LineFacts]:
        missing = [name for name in names if name not in self._lines]
        if len(self._lines) + len(missing) > MOST_LINES:
            self._lines, missing = {}, list(names)
        self._lines |= self._facts.lines(missing)
        return {name: self._lines[name] for name in names}

    def _versions(self, customers: Sequence[str], locked_at: datetime | None) -> list[tuple[str, Contract]]:
        rows = self._facts.contracts(customers, locked_at)
        self._contracts = {name: self._contracts.get(name) or Contract.from_text(body) for name, body in rows}
        return [(name, self._contracts[name]) for name, _ in rows]

    def _scheduled(self, known: Facts, versions: Sequence[tuple[str, Contract]]) -> list[ScheduleFacts]:
        """Return each contract's schedule as its last statement leaves it: kept by its stage, or made here once."""
        openings, of = self._facts.openings(), dict[str, list[tuple[str, Contract]]]()
        for name, version in versions:
            of.setdefault(version.contract, []).append((name, version))
        made_of: dict[str, str] = {}
        for contract in sorted({one.contract for one in known.statements}):
            made_of[contract] = inputs_of(
                [one.statement for one in known.statements_of(contract)],
                [name for name, _ in of.get(contract, ())],
                openings.get(contract),
                self._entity,
                [one for one in known.estimates if one.contract == contract],
            )
        missing = [inputs for inputs in made_of.values() if inputs not in self._schedules]
        self._schedules = {inputs: self._schedules[inputs] for inputs in made_of.values() if inputs in self._schedules}
        self._schedules |= self._facts.schedules(missing)
        for contract, inputs in made_of.items():
            if inputs not in self._schedules:
                contracts = [one for _, one in of.get(contract, ())]
                self._schedules[inputs] = self._made(known, contract, contracts, openings.get(contract))
        return [self._schedules[inputs] for inputs in made_of.values()]

    def _made(
        self, known: Facts, contract: str, versions: Sequence[Contract], opening: Opening | None
    ) -> ScheduleFacts:
        names = [one.statement for one in known.statements_of(contract)]
        whole = dict(self._facts.bodies(names))
        *prior, last = (whole[name] for name in names)
        estimates = [one for one in known.estimates if one.contract == contract]
        return ScheduleFacts.of(recognition.schedule_for(last, prior, versions, opening, self._entity, estimates))


def at_lock(standing: Standing, locked_at: datetime | None) -> Standing:
    """Return a standing as a locked month shows it: who had not ended by the lock was open, wherever they stand now."""
    ended = standing.state in (State.DONE, State.SKIPPED)
    if locked_at is None or (ended and standing.at <= locked_at):
        return standing
    return standing.model_copy(
        update={
            "stage": Stage.POST,
            "state": State.WAITING,
            "detail": "open at the lock: accrued where it had a statement",
            "references": {},
            "at": locked_at,
        }
    )
