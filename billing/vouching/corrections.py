"""A correction's checks: worked out again from the statements it names, judged again, and booked again."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import zip_longest

from billing import corrected, correcting, corrections
from billing.reperform import Check
from billing.vouching import differences
from models.close import DecisionKind
from models.correction import Correction, CorrectionStep, CorrectionView, DeltaLine
from models.money import money_text
from models.refusal import Refusal
from models.support import KeptCorrection, PostedEntry, Support


def correction_checks(support: Support, kept: KeptCorrection, mine: Sequence[PostedEntry]) -> Iterator[Check]:
    """Yield the checks of a correction that was posted; `mine` are its entries, in posting order."""
    correction, name = kept.correction, f"correction {kept.correction.id}"
    statements = {one.fingerprint(): one for one in support.statements}
    yield _people(name, kept)
    for named in (correction.statement, correction.corrected):
        if named is not None and named not in statements:
            yield Check(name=f"{name}: statement", evidence=named, recomputed="none has this fingerprint")
            return
    issued = statements[correction.statement]
    try:
        again = corrected.worked_out(
            correction.request,
            issued,
            statements[correction.corrected] if correction.corrected else None,
            _as_of(support, correction, kept.kept_at),
            correction.materiality.revenue,
            next_issued=False,  # it only refuses more
            proposed_by=correction.proposed_by,
            known_at=correction.known_at,
        )
    except Refusal as refusal:
        yield Check(name=f"{name}: worked out", evidence=correction.fingerprint(), recomputed=str(refusal))
    else:
        yield from _lines(name, correction, again)
        yield Check(name=f"{name}: worked out", evidence=correction.fingerprint(), recomputed=again.fingerprint())
    taken = next((step.at for step in kept.steps if step.step is CorrectionStep.POSTED), kept.kept_at)
    posted = mine[0].at if mine else taken
    first = support.entries.index(mine[0]) if mine else len(support.entries)
    month = min((one.entry.period for one in mine), default=correction.period)
    try:
        entries = corrected.entries(
            correction,
            issued,
            _as_of(support, correction, posted),
            [one.entry for one in support.entries[:first]],
            correcting.booking(correction.period, month, posted.date()),
        )
    except Refusal as refusal:
        yield Check(name=name, evidence=f"{len(mine)} entries", recomputed=str(refusal))
        return
    yield from differences.of_entries(name, [one.entry for one in mine], entries)


def _as_of(support: Support, correction: Correction, at: datetime) -> tuple[CorrectionView, ...]:
    """Return the other corrections of its invoice as they stood at an instant."""
    return tuple(
        CorrectionView(correction=one.correction, steps=tuple(step for step in one.steps if step.at <= at))
        for one in support.corrections
        if one.correction.request.invoice == correction.request.invoice
        and one.correction.id != correction.id
        and one.kept_at <= at
    )


def _people(name: str, kept: KeptCorrection) -> Check:
    """Return whether who proposed and who approved it still may, of this content: judged again."""
    correction = kept.correction
    taken = [step.person for step in kept.steps if step.step is CorrectionStep.APPROVED]
    asked = {
        one.person.id
        for one in kept.decisions
        if (one.kind, one.subject) == (DecisionKind.PROPOSE_CORRECTION, correction.request.fingerprint())
        and (one.customer, one.period) == (correction.customer, correction.period)
    }
    approves = (DecisionKind.APPROVE_CORRECTION,)
    stands = {one.person.id for one in kept.decisions if corrections.judge(one, correction, approves).taken}
    return Check(
        name=f"{name}: two people",
        evidence=f"{correction.proposed_by}, {taken[0] if taken else 'nobody'}",
        recomputed=f"{_if(correction.proposed_by, asked)}, {_if(taken[0] if taken else None, stands)}",
    )


def _if(person: str | None, among: set[str]) -> str:
    return person if person in among and person is not None else "nobody"


def _lines(name: str, kept: Correction, again: Correction) -> Iterator[Check]:
    for number, (left, right) in enumerate(zip_longest(kept.lines, again.lines), 1):
        was, is_ = _line(left, kept.currency), _line(right, kept.currency)
        if was != is_:
            yield Check(name=f"{name}: line {number}", evidence=was, recomputed=is_)


def _line(line: DeltaLine | None, currency: str) -> str:
    if line is None:
        return "nothing"
    return f"{line.name} {money_text(line.before, currency)} to {money_text(line.after, currency)}"
