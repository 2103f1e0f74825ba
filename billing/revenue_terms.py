"""Revenue terms: which policy holds for each clause (the contract's own, else the entity's), and what is estimated."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from billing.net_lines import NoRule
from models.contract import Commitment, Contract, Credit, UnitShortfall
from models.entity import DEFAULT, Entity
from models.event import Estimate
from models.period import month_of


@dataclass(frozen=True, slots=True)
class GrantTerms:
    """How a commitment or credit is recognized."""

    expected: bool = False  # breakage in proportion to use
    refundable: bool = False
    unclaimed: bool = False
    carries_forward: bool = False
    rolls_over: bool = False
    unit_amount: Decimal = Decimal(1)  # what a unit short costs


class RevenueTerms:
    """The terms of one contract: its versions (the last one wins), the entity's policies, the recorded estimates."""

    def __init__(
        self, contracts: Sequence[Contract] = (), entity: Entity = DEFAULT, estimates: Sequence[Estimate] = ()
    ) -> None:
        self.policies = entity.policies
        self.estimates = tuple(sorted(estimates, key=lambda one: (one.on, one.id)))
        self._grants: dict[str, GrantTerms] = {}
        for version in contracts:
            self._grants |= {one.id: self._of(one) for one in version.commitments}
            self._grants |= {one.id: self._of(one) for one in version.credits}
        self._fees = {fee.id: fee.ratable for version in contracts for fee in version.fees}
        self.bundles: Mapping[str, str] = {
            credit.id: credit.bundled_with
            for version in contracts
            for credit in version.credits
            if credit.bundled_with and self.policies.bundled_credits == "blended"
        }
        self._refuse_what_no_estimate_helps()

    def of(self, grant: str | None) -> GrantTerms:
        """Return a commitment's or credit's terms; the entity's policies where the contract does not name it."""
        found = self._grants.get(grant or "")
        if found is not None:
            return found
        return GrantTerms(
            refundable=self.policies.credits_refundable,
            unclaimed=self.policies.unclaimed_property,
            carries_forward=self.policies.shortfall_carries_forward,
        )

    def is_monthly(self, fee: str) -> bool:
        """Return whether a fee is earned in equal months instead of equal days."""
        return (self._fees.get(fee) or self.policies.ratable) == "monthly"

    def expected_use(self, grant: str, month: str) -> Decimal:
        """Return how much of a grant is expected to be used, as estimated by a month's end.

        Raises:
            NoRule: nobody recorded an estimate by then.
        """
        known = [
            one.expected_use
            for one in self.estimates
            if one.subject == grant and one.expected_use is not None and month_of(one.on) <= month
        ]
        if not known:
            raise NoRule(
                "breakage `expected` needs a recorded estimate and its evidence (rules A6, C3)",
                grant=grant,
                period=month,
            )
        return known[-1]

    def expected_prices(self, month: str) -> tuple[Estimate, ...]:
        """Return the expected prices known by a month's end, the last estimate of each meter and window."""
        known: dict[tuple[str, date | None], Estimate] = {}
        for one in self.estimates:
            if one.expected_price is not None and month_of(one.on) <= month:
                known[one.subject, one.starts_on] = one
        return tuple(known[key] for key in sorted(known, key=str))

    def _of(self, clause: Commitment | Credit) -> GrantTerms:
        policies = self.policies
        short = clause.shortfall if isinstance(clause, Commitment) else None
        carries = clause.carries_forward if isinstance(clause, Commitment) else None
        return GrantTerms(
            expected=(clause.breakage or policies.breakage) == "expected" and _can_break(clause),
            refundable=policies.credits_refundable if clause.refundable is None else clause.refundable,
            unclaimed=policies.unclaimed_property if clause.unclaimed_property is None else clause.unclaimed_property,
            carries_forward=policies.shortfall_carries_forward if carries is None else carries,
            rolls_over=clause.rollover is not None,
            unit_amount=short.unit_amount if isinstance(short, UnitShortfall) else Decimal(1),
        )

    def _refuse_what_no_estimate_helps(self) -> None:
        for grant, terms in self._grants.items():
            if terms.refundable and terms.unclaimed:
                raise NoRule("what expires is either paid back or unclaimed property, not both", grant=grant)
            if not terms.expected:
                continue
            if terms.refundable or terms.unclaimed or terms.carries_forward:
                raise NoRule("what goes back, to the state or forward is no breakage to expect", grant=grant)
            if terms.rolls_over:
                raise NoRule("expected breakage of what rolls over has no rule", grant=grant)


def _can_break(clause: Commitment | Credit) -> bool:
    """Return whether a month's close can find some of it unused that only a later one loses.

    A monthly commitment ends with its month, so both policies say the same of it.
    """
    if isinstance(clause, Commitment):
        return clause.every not in ("week", "month") and (clause.prepaid or clause.shortfall != "forfeit")
    return clause.kind == "paid" and clause.expires is not None
