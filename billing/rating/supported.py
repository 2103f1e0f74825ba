"""Supported: every clause the engine can't apply is refused by name; none is silently ignored."""

from collections.abc import Iterator

from billing.rating.timeline import Timeline
from models.contract import Contract, Discount, Fee
from models.price import Every
from models.refusal import Refusal

_LENGTH: dict[Every, int] = {"week": 0, "month": 1, "quarter": 2, "year": 3, "term": 4}


class ClauseNotSupported(Refusal):
    """The contract says something that rating can't apply."""

    remedy = (
        "Rewrite the clause in terms that docs/policies.md lists, or bill it by hand; it is never left out silently."
    )


def refuse_unsupported(timeline: Timeline) -> None:
    """Raise ClauseNotSupported for the first clause of a version in force that rating can't apply."""
    for reign in timeline.reigns:
        for clause, why in unsupported(reign.contract):
            raise ClauseNotSupported(why, contract=reign.contract.version, clause=clause)
    _refuse_decreases(timeline)
    _refuse_two_periods_in_a_month(timeline)


def unsupported(contract: Contract) -> Iterator[tuple[str, str]]:
    """Yield each clause of a version that rating cannot apply, by its id or place, and why."""
    for one in contract.entitlements:
        if one.rollover and _outlives(one.rollover.expires_after, one.every):
            yield one.id, "a carried part that outlives the window it was carried into"
    for commitment in contract.commitments:
        if commitment.rollover and _outlives(commitment.rollover.expires_after, commitment.every):
            yield commitment.id, "a carried part that outlives the window it was carried into"
        if commitment.installments and _LENGTH[commitment.installments] >= _LENGTH[commitment.every]:
            yield commitment.id, "installments that are no shorter than what they pay for"
    for credit in contract.credits:
        foreign = isinstance(credit.currency, str) and credit.currency != contract.currency
        if foreign and contract.fx is None:
            yield credit.id, "a credit in another currency than the contract's, and no fx source to convert it by"
        if credit.kind == "paid" and foreign and credit.cost is None:
            yield credit.id, "a paid credit in another currency that does not say its cost in the contract's"
        if credit.kind == "paid" and credit.resets:
            yield credit.id, "a paid credit that is reset: nobody says who pays what is set back"
        if credit.rollover and not (credit.every or credit.resets):
            yield credit.id, "a rollover of a credit that is neither refilled nor reset"
        if credit.rollover and credit.every and _outlives(credit.rollover.expires_after, credit.every):
            yield credit.id, "a carried part that outlives the window it was carried into"
    if contract.invoice.anchor is not None:
        for fee in contract.fees:
            if fee.every == "month" and fee.align == "calendar" and contract.invoice.anchor != 1:
                yield fee.id, "a calendar fee under an anchored invoice period"


def _outlives(expires_after: Every | None, every: Every) -> bool:
    return expires_after is not None and _LENGTH[expires_after] > _LENGTH[every]


def _refuse_decreases(timeline: Timeline) -> None:
    """Refuse what would pay money back: a prepaid commitment lowered inside a window that is billed."""
    for standing in timeline.standings(lambda contract: contract.commitments):
        for (_, _, before), (at, contract, after) in zip(standing.said, standing.said[1:], strict=False):
            if before.billing != after.billing or before.every != after.every or before.meter != after.meter:
                raise ClauseNotSupported(
                    "an amendment that changes how a commitment works; end it and begin one with another id",
                    contract=contract.version,
                    clause=standing.id,
                )
            if before.installments != after.installments:
                raise ClauseNotSupported(
                    "an amendment that changes the installments of a commitment; end it and begin one with another id",
                    contract=contract.version,
                    clause=standing.id,
                )
            lowered = (after.amount or 0) < (before.amount or 0)
            if after.prepaid and lowered and timeline.span.starts_at <= at < timeline.span.ends_at:
                raise ClauseNotSupported(
                    "an amendment that lowers a prepaid commitment inside the period",
                    contract=contract.version,
                    clause=standing.id,
                )


def _refuse_two_periods_in_a_month(timeline: Timeline) -> None:
    """Refuse running balances where a stub and a full period begin in one month: statements are named by month."""
    index = timeline.period.index
    if index == 0 or not timeline.periods[index - 1].starts_on.isoformat().startswith(timeline.month):
        return
    contract = timeline.contract
    running: list[str] = [clause.id for clause in contract.named_clauses if not isinstance(clause, Fee | Discount)]
    if running:
        raise ClauseNotSupported(
            "a balance that runs over a stub and a full period which begin in one month",
            contract=contract.version,
            clause=running[0],
        )
