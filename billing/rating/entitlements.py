"""Entitlements: included units, consumed in time; carried units first, for one window."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from billing.rating.allowance import Allowance, allowance_of, amounts_of
from billing.rating.history import History
from billing.rating.rates import matches
from billing.rating.timeline import Standing, Timeline
from billing.rating.usage import Atom, Group
from billing.rating.windows import Window
from models.contract import Commitment, Entitlement
from models.money import ZERO


@dataclass(slots=True)
class Inclusion:
    """One entitlement over the period."""

    standing: Standing[Entitlement]
    allowance: Allowance

    def holds(self, group: Group, atom: Atom) -> bool:
        """Return whether units of a group are included at an instant."""
        clause = self.standing.at(atom.at)
        return matches(group.meter, group.by_name, clause.meter, clause.where)

    def ever(self, group: Group) -> bool:
        """Return whether units of a group are included under any wording."""
        return any(matches(group.meter, group.by_name, said.meter, said.where) for _, _, said in self.standing.said)


def inclusions_of(standings: Sequence[Standing[Entitlement]], timeline: Timeline, history: History) -> list[Inclusion]:
    """Return the entitlements' allowances over the period, in units metered."""
    return [
        Inclusion(
            standing,
            allowance_of(
                standing.id,
                "entitlement",
                standing.latest.meter,
                amounts_of(standing, _included),
                standing.latest.rollover,
                timeline,
                history,
            ),
        )
        for standing in standings
    ]


def consumed(atom: Atom, inclusions: Sequence[Inclusion]) -> list[tuple[Inclusion, Decimal]]:
    """Take an atom's units from every entitlement that holds it, in file order; return what each gave."""
    wanted, given = atom.quantity, []
    for inclusion in inclusions:
        if wanted <= 0 or not inclusion.holds(atom.group, atom):
            continue
        units, _ = inclusion.allowance.take(atom.at, wanted)
        if units:
            given.append((inclusion, units))
            wanted -= units
    return given


def _included(clause: Commitment | Entitlement, _window: Window) -> Decimal:
    return clause.included if isinstance(clause, Entitlement) else ZERO
