"""Corrections: what an issued invoice should have been, line by line; what may not be corrected, and who decides."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from decimal import Decimal

from billing import approval, grants
from billing.net_lines import NetLine, net_lines
from billing.rating.exact import exactly, settled
from models.approval import ApprovalCode, Decision, Verdict
from models.close import DecisionKind, Role
from models.correction import (
    Correction,
    CorrectionRequest,
    CorrectionView,
    DeltaLine,
    Materiality,
    Settlement,
)
from models.journal import JournalEntry
from models.money import ZERO, rounded, total
from models.refusal import Refusal
from models.statement import LineKind, Statement
from models.usage import Dimensions

MATERIAL_FROM = Decimal(1000)
"""In the functional currency; the greater of it and MATERIAL_SHARE of the month's revenue is the default threshold."""

MATERIAL_SHARE = Decimal("0.01")

DECIDING = (DecisionKind.APPROVE_CORRECTION, DecisionKind.REJECT_CORRECTION)
"""What a prepared correction waits for."""

_PURCHASES = frozenset({LineKind.COMMITMENT, LineKind.CREDIT_PURCHASE})
_Place = tuple[LineKind, str, tuple[tuple[str, str], ...]]


class NothingToCorrect(Refusal):
    """What is known now comes to what was issued."""

    remedy = "Look whether the usage or the rate that is missed is in the books: tieout rates show, close exceptions."


class OverCredited(Refusal):
    """More would be given back than was billed and not given back before."""

    remedy = "See what was credited already: tieout correction list; credit at most what is left."


class NoSuchLine(Refusal):
    """The issued statement has no line of this id that can be credited."""

    remedy = "Take an id from tieout invoice explain MONTH CUSTOMER; draws, discounts and tax follow their lines."


class PoolsMove(Refusal):
    """Rated again, prepaid pools or credits would stand elsewhere, and later months go on from where they stand."""

    remedy = "Grant the credits by an amendment of the contract, or void and re-bill before the next month is issued."


class NotByCredit(Refusal):
    """A purchase of credits is not undone by a credit note: the credits would stay."""

    remedy = "End the grant by an amendment of the contract, or void and re-bill the invoice."


class WrongSettlement(Refusal):
    """The difference cannot reach the customer in this way."""

    remedy = "Owed to the customer: credit_note while unpaid, balance or refund once paid. Owed by him: next_period."


def rated_again(
    request: CorrectionRequest,
    issued: Statement,
    corrected: Statement,
    earlier: Sequence[CorrectionView],
    *,
    next_issued: bool,
) -> tuple[DeltaLine, ...]:
    """Return the places where an issued statement and the one rated again differ, corrections made before counted in.

    Raises:
        NothingToCorrect, PoolsMove, NotByCredit, OverCredited: nothing is proposed.
    """
    if request.settlement is not Settlement.REBILL or next_issued:
        _refuse_moved_pools(issued, corrected)
    before, after = _places(issued), _places(corrected)
    done = _corrected_so_far(earlier)
    lines = []
    for place in sorted(before.keys() | after.keys(), key=lambda one: (one[0].value, one[1], one[2])):
        was = total(one.billed for one in before.get(place, ())) + done.get(place, ZERO)
        is_ = total(one.billed for one in after.get(place, ()))
        if was != is_:
            lines.append(_delta(place, before.get(place, []), after.get(place, []), was, is_, request.reason))
    if not lines:
        raise NothingToCorrect("rated again it comes to the same", invoice=request.invoice, total=issued.total)
    if request.settlement is not Settlement.REBILL:
        _refuse_purchases(lines)
    return tuple(lines)


def credited(request: CorrectionRequest, issued: Statement, earlier: Sequence[CorrectionView]) -> tuple[DeltaLine, ...]:
    """Return the lines of an issued statement less what a person takes off each.

    Raises:
        NoSuchLine, NotByCredit, OverCredited: nothing is proposed.
    """
    sold = {one.line.id: one for one in net_lines(issued, _free(issued)) if one.line.kind is not LineKind.TAX}
    done = _corrected_so_far(earlier)
    lines = []
    for credit in request.credits:
        one = sold.get(credit.line)
        if one is None:
            raise NoSuchLine("no line of this id", line=credit.line, invoice=request.invoice)
        place = _place(one)
        of_place = [each for each in sold.values() if _place(each) == place]
        was = total(each.billed for each in of_place) + done.get(place, ZERO)
        if credit.amount > was or credit.amount != rounded(credit.amount, issued.currency):
            raise OverCredited("more than what is billed and not credited", line=credit.line, left=was)
        lines.append(_delta(place, [one], [], was, was - credit.amount, request.reason))
        done[place] = done.get(place, ZERO) - credit.amount
    _refuse_purchases(lines)
    return tuple(lines)


def taken_back(
    request: CorrectionRequest, issued: Statement, earlier: Sequence[CorrectionView]
) -> tuple[DeltaLine, ...]:
    """Return every place of an issued statement with nothing left of it: a void without another invoice.

    Raises:
        NotByCredit: it sold credits, which would stay.
    """
    done = _corrected_so_far(earlier)
    lines = [
        _delta(place, lines, [], was, ZERO, request.reason)
        for place, lines in _places(issued).items()
        for was in [total(one.billed for one in lines) + done.get(place, ZERO)]
        if was
    ]
    _refuse_purchases(lines)
    if not lines:
        raise NothingToCorrect("nothing of this invoice is left to take back", invoice=request.invoice)
    return tuple(lines)


def tax_of_credit(
    issued: Statement, lines: Iterable[DeltaLine], earlier: Sequence[CorrectionView]
) -> tuple[Decimal, Decimal]:
    """Return the tax before and after lines are taken off by hand: its share, the running total rounded.

    So credits that add up to the invoice give back all of its tax and not a cent more.
    """
    past = [one.correction for one in earlier if one.counts]
    before = issued.tax + total(one.tax for one in past)
    left = issued.subtotal + total(one.net for one in past) + total(line.delta for line in lines)
    if not issued.subtotal or not issued.tax:
        return before, before
    with exactly():
        return before, rounded(settled(issued.tax * left / issued.subtotal), issued.currency)


def correction_of(
    request: CorrectionRequest,
    issued: Statement,
    lines: Sequence[DeltaLine],
    tax: tuple[Decimal, Decimal],
    earlier: Sequence[CorrectionView],
    revenue: Decimal,
    *,
    proposed_by: str,
    known_at: datetime,
    corrected: str | None = None,
) -> Correction:
    """Return the correction people decide on, with its materiality.

    Raises:
        OverCredited, WrongSettlement: nothing is proposed.
    """
    net = total(line.delta for line in lines)
    correction = Correction(
        id=request.id,
        request=request,
        customer=issued.customer,
        contract=issued.contract,
        period=issued.period,
        currency=issued.currency,
        statement=issued.fingerprint(),
        corrected=corrected,
        lines=tuple(lines),
        tax_before=tax[0],
        tax_after=tax[1],
        materiality=Materiality(amount=abs(net), absolute=MATERIAL_FROM, ratio=MATERIAL_SHARE, revenue=revenue),
        proposed_by=proposed_by,
        known_at=known_at,
    )
    left = issued.total + total(one.correction.total for one in earlier if one.counts)
    if left + correction.total < 0:
        raise OverCredited("more than the invoice", invoice=request.invoice, left=left, asked=-correction.total)
    _refuse_settlement(request.settlement, correction.total)
    return correction


def judge(decision: Decision, correction: Correction, accepts: Collection[DecisionKind]) -> Verdict:
    """Return the verdict on a decision about a correction; the first reason against it is the one that is told.

    Who proposed it never approves it. A material one is the controller's to approve.
    """
    person = decision.person

    def verdict(code: ApprovalCode, message: str) -> Verdict:
        return Verdict(
            decision=decision.id,
            kind=decision.kind,
            taken=code is ApprovalCode.TAKEN,
            code=code,
            message=message,
            person=person.id,
            subject=decision.subject,
        )

    if (decision.customer, decision.period) != (correction.customer, correction.period):
        return verdict(ApprovalCode.WRONG_CLOSE, "the decision is about another customer or month")
    if decision.kind not in accepts:
        return verdict(ApprovalCode.NOT_WAITING, f"nobody waits for a decision of kind {decision.kind.value} now")
    if decision.subject != correction.fingerprint():
        return verdict(ApprovalCode.CHANGED, "the decision is about another correction than the one that waits")
    allowed = approval.ROLES_FOR[decision.kind]
    approving = decision.kind is DecisionKind.APPROVE_CORRECTION
    if approving and correction.materiality.material:
        allowed = frozenset({Role.CONTROLLER})
    if not allowed & set(person.roles):
        roles = ", ".join(sorted(role.value for role in allowed))
        why = " a material correction" if allowed == {Role.CONTROLLER} else ""
        return verdict(ApprovalCode.WRONG_ROLE, f"{person.id} may not decide{why}: that is for {roles}")
    if not approving and not decision.reason.strip():
        return verdict(ApprovalCode.NO_REASON, "a rejection needs a reason")
    if approving and person.id == correction.proposed_by:
        return verdict(ApprovalCode.PREPARER, f"{person.id} proposed this correction and may not approve it")
    return verdict(ApprovalCode.TAKEN, decision.reason)


def revenue_of(entries: Iterable[JournalEntry], statement: str) -> Decimal:
    """Return what was posted as revenue of a statement, in its currency."""
    return -total(
        posting.amount
        for entry in entries
        if entry.statement == statement
        for posting in entry.postings
        if posting.account.is_revenue
    )


def _places(statement: Statement) -> dict[_Place, list[NetLine]]:
    places: dict[_Place, list[NetLine]] = {}
    for one in net_lines(statement, _free(statement)):
        if one.line.kind is not LineKind.TAX and (one.billed or one.line.amount):
            places.setdefault(_place(one), []).append(one)
    return places


def _free(statement: Statement) -> frozenset[str]:
    return grants.free_grants(statement, {})


def _place(one: NetLine) -> _Place:
    line = one.line
    return line.kind, line.meter or line.clause, tuple(sorted(line.dimensions.items()))


def _corrected_so_far(earlier: Sequence[CorrectionView]) -> dict[_Place, Decimal]:
    done: dict[_Place, Decimal] = {}
    for view in earlier:
        for line in view.correction.lines if view.counts else ():
            place = (line.kind, line.name, tuple(sorted(line.dimensions.items())))
            done[place] = done.get(place, ZERO) + line.delta
    return done


def _delta(
    place: _Place, before: Sequence[NetLine], after: Sequence[NetLine], was: Decimal, is_: Decimal, why: str
) -> DeltaLine:
    lines = [one.line for one in (before or after)]
    dimensions: Dimensions = dict(place[2])
    return DeltaLine(
        originals=tuple(one.line.id for one in before),
        kind=place[0],
        name=place[1],
        dimensions=dimensions,
        obligation=lines[0].obligation,
        service_from=min(line.service_from for line in lines),
        service_until=max(line.service_until for line in lines),
        before=was,
        after=is_,
        why=why,
    )


def _refuse_moved_pools(issued: Statement, corrected: Statement) -> None:
    def stands(statement: Statement) -> dict[str, tuple[Decimal, Decimal]]:
        return {
            f"{pool.id} {pool.window.starts_at.isoformat()}": (pool.closing, pool.booked_drawn)
            for pool in statement.pools
            if pool.kind not in ("entitlement", "postpaid")
        }

    before, after = stands(issued), stands(corrected)
    moved = sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))
    if moved:
        raise PoolsMove("what prepaid credit paid would change", pools=", ".join(moved))


def _refuse_purchases(lines: Iterable[DeltaLine]) -> None:
    for line in lines:
        if line.kind in _PURCHASES:
            raise NotByCredit("this line sold credits", line=line.originals[0] if line.originals else line.name)


def _refuse_settlement(settlement: Settlement, amount: Decimal) -> None:
    gives_back = settlement in (Settlement.CREDIT_NOTE, Settlement.BALANCE, Settlement.REFUND)
    if gives_back and amount >= 0:
        raise WrongSettlement(f"{settlement.value} gives money back, and {amount:f} is owed by the customer")
