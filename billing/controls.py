"""Controls: a period's tie-outs from numbers, which signatures stand, and the state that follows from both."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal

from billing import approval
from models.approval import Decision
from models.close import EVERYONE, DecisionKind, Role, Standing, State
from models.control import (
    KeptTieOut,
    PeriodState,
    PeriodStatus,
    Reopening,
    Signature,
    TieLine,
    TieOut,
    TieOutName,
)
from models.money import ZERO
from models.refusal import Refusal

ENDED = frozenset({State.DONE, State.SKIPPED})
MONEY = Decimal(0)
"""Tolerance of amounts: they tie to the cent, or a person overrides with a reason."""

Subject = tuple[str, str]
"""What a number is about, and its unit."""


class NotSigned(Refusal):
    """A period is locked when its tie-outs hold and are signed as they are now."""

    remedy = "See what is missing: tieout period status MONTH. Then tie out, sign, and lock."


def tie_out(
    name: TieOutName,
    month: str,
    left: Mapping[Subject, Decimal],
    right: Mapping[Subject, Decimal],
    tolerance: Decimal = MONEY,
) -> TieOut:
    """Return two sides beside each other, by subject; what only one side knows stands beside zero."""
    return TieOut(
        name=name,
        month=month,
        tolerance=tolerance,
        lines=tuple(
            TieLine(
                subject=subject, unit=unit, left=left.get((subject, unit), ZERO), right=right.get((subject, unit), ZERO)
            )
            for subject, unit in sorted(left.keys() | right.keys())
        ),
    )


def summed(rows: Iterable[tuple[Subject, Decimal]]) -> dict[Subject, Decimal]:
    """Return the sum of each subject's numbers."""
    sums: dict[Subject, Decimal] = {}
    for subject, number in rows:
        sums[subject] = sums.get(subject, ZERO) + number
    return sums


def signatures(
    newest: Mapping[TieOutName, KeptTieOut], decisions: Sequence[Decision], reopened_at: datetime | None
) -> tuple[Signature, ...]:
    """Return every signature on a period's tie-outs, oldest first, and whether it stands.

    A signature dies when the numbers it names move, and when the period was reopened since. A tie-out that does not tie
    takes two people, the controller among them, and a reason of each.
    """
    found = []
    for decision in decisions:
        if decision.kind is not DecisionKind.SIGN_TIE_OUT or decision.customer != EVERYONE:
            continue
        name = TieOutName(decision.payload["tie_out"])
        why = _against(decision, newest.get(name), reopened_at)
        found.append(
            Signature(
                name=name,
                person=decision.person.id,
                at=decision.recorded_at,
                subject=decision.subject,
                reason=decision.reason,
                stands=not why,
                why=why,
            )
        )
    return tuple(found)


def _against(decision: Decision, kept: KeptTieOut | None, reopened_at: datetime | None) -> str:
    if not approval.ROLES_FOR[decision.kind] & set(decision.person.roles):
        return f"{decision.person.id} may not sign"
    if reopened_at is not None and decision.recorded_at <= reopened_at:
        return "the period was reopened since"
    if kept is None or kept.tie_out.fingerprint() != decision.subject:
        return "its numbers moved since"
    if kept.tie_out.untied and not decision.reason.strip():
        return "it does not tie, and no reason is given"
    return ""


def missing(
    newest: Mapping[TieOutName, KeptTieOut], found: Sequence[Signature], controllers: Iterable[str]
) -> tuple[str, ...]:
    """Return what stands in the way of a lock, in words; nothing where all tie out and are signed."""
    reasons = []
    leading = set(controllers)
    for name in TieOutName:
        kept = newest.get(name)
        signed = {one.person for one in found if one.name is name and one.stands}
        if kept is None:
            reasons.append(f"{name.value} is not tied out")
        elif not kept.tie_out.untied and not signed:
            reasons.append(f"{name.value} is not signed as it is now")
        elif kept.tie_out.untied and (len(signed) < 2 or not signed & leading):
            count = len(kept.tie_out.untied)
            reasons.append(f"{name.value} does not tie in {count} lines: the controller and another person sign it")
    return tuple(reasons)


def controllers_of(decisions: Iterable[Decision]) -> frozenset[str]:
    """Return who signed as a controller."""
    return frozenset(one.person.id for one in decisions if Role.CONTROLLER in one.person.roles)


def status(
    month: str,
    standings: Sequence[Standing],
    newest: Mapping[TieOutName, KeptTieOut],
    decisions: Sequence[Decision],
    reopenings: Sequence[Reopening],
    *,
    locked: bool,
) -> PeriodStatus:
    """Return how a period stands: what is in the books decides, nobody's word."""
    last = reopenings[-1] if reopenings else None
    found = signatures(newest, decisions, last.at if last else None)
    waiting = [one.customer for one in standings if one.state not in ENDED]
    reasons = missing(newest, found, controllers_of(decisions))
    if waiting:
        reasons = (f"{len(waiting)} customers are under way: {', '.join(sorted(waiting)[:5])}", *reasons)
    if locked:
        state = PeriodState.LOCKED
    elif last is not None and last.ended_at is None:
        state = PeriodState.REOPENED
    elif not standings:
        state = PeriodState.OPEN
    elif waiting:
        state = PeriodState.CLOSING
    else:
        state = PeriodState.PENDING if reasons else PeriodState.READY
    return PeriodStatus(
        month=month,
        state=state,
        customers=len(standings),
        ended=len(standings) - len(waiting),
        tie_outs=tuple(newest[name] for name in TieOutName if name in newest),
        signatures=found,
        reopening=last,
        blockers=() if locked else reasons,
    )
