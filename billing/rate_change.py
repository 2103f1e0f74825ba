"""Rate change: what a proposed version would move, who may approve it, which locked periods it reaches."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from billing import approval, rate_drift
from billing.rating import statement as rating
from billing.rating.exact import exactly, settled
from models.approval import ApprovalCode, Decision, Verdict
from models.close import EVERYONE, DecisionKind
from models.contract import Contract
from models.money import ZERO
from models.period import month_of, month_period, months_between
from models.rate_card import RateVersion
from models.rate_change import ChangeKind, Moved, RateProposal
from models.refusal import Refusal
from models.statement import Statement
from models.usage import UsageLine

FURTHEST_WEST = timedelta(hours=12)
"""How long after UTC's midnight a customer's month may still run."""

DECIDING = (DecisionKind.APPROVE_RATE, DecisionKind.REJECT_RATE)
"""What a simulated proposal waits for."""


class CatalogMoved(Refusal):
    """The catalog no longer says what it said when the change was proposed."""

    remedy = "Nothing was changed; run `tieout rates sync` or propose it again beside what is known now."


def moved(
    contracts: Sequence[Contract],
    usage: Sequence[UsageLine],
    catalog: Iterable[RateVersion],
    version: RateVersion,
    month: str,
    prior: Sequence[Statement],
) -> Moved | None:
    """Return what a customer's month comes to with a version beside the catalog as it stands; None where equal.

    Both are rated by the one rule over the same usage; neither is kept.

    Raises:
        A refusal of the contract, or of usage that is not cut where the version begins.
    """
    present = tuple(catalog)
    now = rating.statement_for(contracts, usage, present, month, prior, engine="simulation")
    then = rating.statement_for(
        contracts, usage, rate_drift.beside(present, version), month, prior, engine="simulation"
    )
    before, after = _amounts(now), _amounts(then)
    changed = {what for what in before.keys() | after.keys() if before.get(what, ZERO) != after.get(what, ZERO)}
    if now.total == then.total and not changed:
        return None
    return Moved(
        customer=now.customer,
        month=month,
        currency=now.currency,
        now=now.total,
        then=then.total,
        lines=len(changed),
    )


def refuse_if_moved(proposal: RateProposal, catalog: Sequence[RateVersion]) -> None:
    """Refuse where the catalog says another thing at that instant than the people who decided saw.

    Raises:
        CatalogMoved: naming both.
    """
    known = rate_drift.known_beside(catalog, proposal.version)
    if (known.bare() if known else None) != proposal.known:
        raise CatalogMoved(
            "the catalog moved since this was proposed",
            proposal=proposal.id,
            version=proposal.version.id,
            seen=proposal.known.id if proposal.known else "none",
            now=known.id if known else "none",
        )


def correcting(proposal: RateProposal) -> tuple[str, ...]:
    """Return the fingerprint of the version whose place a correction takes; nothing for any other change."""
    return (proposal.known.fingerprint(),) if proposal.known and proposal.kind is ChangeKind.CORRECTION else ()


def months_reached(version: RateVersion, catalog: Iterable[RateVersion], now: datetime) -> tuple[str, ...]:
    """Return the months up to now in which a version prices usage of some customer, whatever their zone.

    It prices until the next version of the same rate begins.
    """
    later = [one.starts_at for one in catalog if one.subject == version.subject and one.starts_at > version.starts_at]
    ends_at = min([*later, now])
    if ends_at <= version.starts_at:
        return ()
    first, last = month_of((version.starts_at - FURTHEST_WEST).date()), month_of(ends_at.date())
    return tuple(months_between(first, last))


def surely_in(month: str, version: RateVersion) -> bool:
    """Return whether a version is in force in a month's own days in UTC, not only in a zone further west."""
    return version.starts_at < month_period(month, "UTC").ends_at


def judge(decision: Decision, proposal: str, proposed_by: str, accepts: Collection[DecisionKind]) -> Verdict:
    """Return the verdict on a decision about a proposal; the first reason against it is the one that is told.

    Who proposed a rate never approves it; he may withdraw it by rejecting it where his role allows.
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

    if (decision.customer, decision.subject) != (EVERYONE, proposal):
        return verdict(ApprovalCode.WRONG_CLOSE, "the decision is about another proposal")
    if decision.kind not in accepts:
        return verdict(ApprovalCode.NOT_WAITING, f"nobody waits for a decision of kind {decision.kind.value} now")
    allowed = approval.ROLES_FOR[decision.kind]
    if not allowed & set(person.roles):
        roles = ", ".join(sorted(role.value for role in allowed))
        return verdict(ApprovalCode.WRONG_ROLE, f"{person.id} may not decide on rates: that is for {roles}")
    if decision.kind is DecisionKind.REJECT_RATE and not decision.reason.strip():
        return verdict(ApprovalCode.NO_REASON, "a rejection needs a reason")
    if decision.kind is DecisionKind.APPROVE_RATE and person.id == proposed_by:
        return verdict(ApprovalCode.PREPARER, f"{person.id} proposed this rate and may not approve it")
    return verdict(ApprovalCode.TAKEN, decision.reason)


def _amounts(statement: Statement) -> dict[tuple[object, ...], Decimal]:
    """Return the exact amounts by what they are for: a version's start splits lines, and that alone moves nothing."""
    sums: dict[tuple[object, ...], Decimal] = {}
    with exactly():
        for line in statement.lines:
            what = (line.kind, line.clause, line.meter, tuple(sorted(line.dimensions.items())))
            sums[what] = sums.get(what, ZERO) + line.precise_amount
    return {what: settled(amount, 30) for what, amount in sums.items()}
