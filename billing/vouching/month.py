"""Vouching: hold each entry of a month that no close made against the document it was made from.

Corrections, payments, booked events and opening positions go through the rules that posted them, with the journal as it
stood before each. Where an entry was posted, into which open month and on which day of it, is the journal's own word:
PostgreSQL refused a locked one. No database, no platform, no clock.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from billing import approval, events, openings
from billing.reperform import Check
from billing.revenue_terms import RevenueTerms
from billing.vouching import differences
from billing.vouching.corrections import correction_checks
from billing.vouching.payments import Fact, facts_of
from models.close import DecisionKind
from models.correction import CorrectionStep
from models.journal import JournalEntry
from models.period import month_of
from models.refusal import Refusal
from models.support import BookedEvent, KeptCorrection, OpenedContract, PostedEntry, Support


@dataclass(frozen=True)
class _Document:
    """What entries were made from: its own entries, the month it is of without any, and its checks."""

    mine: tuple[PostedEntry, ...]
    month: str | None
    checks: Callable[[], Iterator[Check]]


def vouch(support: Support) -> tuple[Check, ...]:
    """Return the checks of one customer's month: of each of its documents, and of each entry that has none.

    A document is of every month it has an entry in; without any, of the month it was settled or happened in.
    """
    backed: set[str] = set()
    found: list[Check] = []
    for document in _documents(support):
        backed |= {one.entry.key for one in document.mine}
        months = {one.entry.period for one in document.mine}
        if support.month in months or (not months and document.month == support.month):
            found += document.checks()
    for one in support.entries:
        entry = one.entry
        if entry.period == support.month and entry.close_run is None and entry.key not in backed:
            found += differences.of_entries("no document", [entry], [])
    return tuple(found)


def _documents(support: Support) -> Iterator[_Document]:
    for kept in support.corrections:
        yield _correction(support, kept)
    for booked in support.booked:
        yield _booked(support, booked)
    for opened in support.openings:
        yield _opening(support, opened)
    for fact in facts_of(support):
        yield _fact(support, fact)


def _correction(support: Support, kept: KeptCorrection) -> _Document:
    name = f"correction/{kept.correction.id}"
    mine = tuple(one for one in support.entries if one.entry.key == name or one.entry.key.startswith(f"{name}/"))
    posted = [month_of(step.at.date()) for step in kept.steps if step.step is CorrectionStep.POSTED]
    return _Document(mine, posted[0] if posted else None, lambda: correction_checks(support, kept, mine))


def _booked(support: Support, booked: BookedEvent) -> _Document:
    event = booked.event
    mine = _keyed(support, events.key_of(event))

    def checks() -> Iterator[Check]:
        name = f"event {event.id}"
        yield _two_people(name, booked)
        said = RevenueTerms(booked.contracts, support.entity, booked.estimates)
        before = _before(support, mine, booked.booked_at)
        post_to = mine[0].entry.period if mine else month_of(event.on)
        yield from _again(name, mine, lambda: events.entry_for(event, before, said, post_to))

    return _Document(mine, month_of(event.on), checks)


def _two_people(name: str, booked: BookedEvent) -> Check:
    """Return whether the people who stand behind an event are those it names, and may: judged again."""
    event, proposal, approved = booked.event, booked.proposal, booked.approval
    people = f"{getattr(event, 'by', proposal.person.id)}, {getattr(event, 'approved_by', approved.person.id)}"
    kinds = (DecisionKind.PROPOSE_EVENT, DecisionKind.APPROVE_EVENT)
    where = (proposal.customer, month_of(event.on))
    verdicts = approval.judge_both(proposal, approved, kinds, event.fingerprint(), where)
    no = [one.message for one in verdicts if not one.taken]
    said = "; ".join(dict.fromkeys(no)) or f"{proposal.person.id}, {approved.person.id}"
    return Check(name=f"{name}: two people", evidence=people, recomputed=said)


def _opening(support: Support, opened: OpenedContract) -> _Document:
    opening = opened.opening
    mine = _keyed(support, opening.key)
    post_to = mine[0].entry.period if mine else None

    def checks() -> Iterator[Check]:
        yield from _again(
            f"opening {opening.contract}", mine, lambda: openings.entry_for(opening, opened.contracts, post_to)
        )

    return _Document(mine, month_of(opening.as_of - timedelta(days=1)), checks)


def _fact(support: Support, fact: Fact) -> _Document:
    def checks() -> Iterator[Check]:
        yield from fact.checks(lambda mine, at: _before(support, mine, at))

    return _Document(fact.mine, fact.month, checks)


def _again(name: str, mine: Sequence[PostedEntry], made: Callable[[], JournalEntry | None]) -> Sequence[Check]:
    """Return a document's entries beside the one its rule makes; a rule that refuses now says why."""
    try:
        entry = made()
    except Refusal as refusal:
        return [Check(name=name, evidence=f"{len(mine)} entries", recomputed=str(refusal))]
    return differences.of_entries(name, [one.entry for one in mine], [entry] if entry else [])


def _keyed(support: Support, key: str) -> tuple[PostedEntry, ...]:
    return tuple(one for one in support.entries if one.entry.key == key)


def _before(support: Support, mine: Sequence[PostedEntry], at: datetime) -> list[JournalEntry]:
    """Return the journal before a document's first entry; before an instant, where it has none."""
    if mine:
        return [one.entry for one in support.entries[: support.entries.index(mine[0])]]
    return [one.entry for one in support.entries if one.at < at]
