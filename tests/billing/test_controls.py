"""Controls: what ties, which signatures stand, and the state that follows; numbers by hand."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from billing import controls
from models.approval import Decision, Person
from models.close import EVERYONE, DecisionKind, Role, Stage, Standing, State
from models.control import KeptTieOut, PeriodState, Reopening, TieOut, TieOutName

D = Decimal
AT = datetime(2026, 11, 5, tzinfo=UTC)
MONTH = "2026-10"


def a_tie_out(name: TieOutName = TieOutName.STRIPE, left: str = "10.00", right: str = "10.00") -> TieOut:
    return controls.tie_out(name, MONTH, {("i", "USD"): D(left)}, {("i", "USD"): D(right)})


def kept(*tie_outs: TieOut) -> dict[TieOutName, KeptTieOut]:
    every = {name: a_tie_out(name) for name in TieOutName} | {one.name: one for one in tie_outs}
    return {name: KeptTieOut(tie_out=one, at=AT) for name, one in every.items()}


def signed(
    one: TieOut, person: str = "aron", role: Role = Role.APPROVER, reason: str = "seen", days: int = 0
) -> Decision:
    return Decision(
        id=f"{one.name}-{person}",
        kind=DecisionKind.SIGN_TIE_OUT,
        period=MONTH,
        revision=1,
        customer=EVERYONE,
        subject=one.fingerprint(),
        person=Person(id=person, name=person, roles=(role,)),
        reason=reason,
        payload={"tie_out": one.name.value},
        recorded_at=AT + timedelta(days=days),
    )


def everything() -> list[Decision]:
    return [signed(a_tie_out(name)) for name in TieOutName]


def standing(customer: str, state: State) -> Standing:
    return Standing(month=MONTH, revision=1, customer=customer, stage=Stage.PUBLISH, state=state, at=AT)


def state_of(
    decisions: list[Decision],
    newest: dict[TieOutName, KeptTieOut] | None = None,
    states: tuple[State, ...] = (State.DONE,),
    reopenings: tuple[Reopening, ...] = (),
    locked: bool = False,
) -> tuple[PeriodState, tuple[str, ...]]:
    standings = [standing(f"c{n}", one) for n, one in enumerate(states)]
    found = controls.status(MONTH, standings, newest or kept(), decisions, reopenings, locked=locked)
    return found.state, found.blockers


def test_what_one_side_alone_knows_stands_beside_zero() -> None:
    one = controls.tie_out(TieOutName.STRIPE, MONTH, {("a", "USD"): D(3)}, {("b", "USD"): D(4)})
    assert [(line.subject, line.difference) for line in one.untied] == [("a", D(3)), ("b", D(-4))]


@pytest.mark.parametrize(("tolerance", "untied"), [("0.01", 0), ("0.009", 1)])
def test_a_difference_of_the_tolerance_passes(tolerance: str, untied: int) -> None:
    one = controls.tie_out(TieOutName.STRIPE, MONTH, {("a", "USD"): D("1.01")}, {("a", "USD"): D(1)}, D(tolerance))
    assert len(one.untied) == untied


def test_the_state_follows_from_what_is_in_the_books() -> None:
    assert state_of([], states=())[0] is PeriodState.OPEN
    assert state_of([], states=(State.DONE, State.WAITING))[0] is PeriodState.CLOSING
    state, blockers = state_of(everything()[1:])
    assert (state, blockers) == (PeriodState.PENDING, ("stripe is not signed as it is now",))
    assert state_of(everything()) == (PeriodState.READY, ())
    assert state_of(everything(), locked=True)[0] is PeriodState.LOCKED


def test_a_signature_dies_when_its_numbers_move_and_both_are_kept() -> None:
    moved = kept(a_tie_out(left="10.01", right="10.01"))
    (dead,) = controls.signatures(moved, [signed(a_tie_out())], None)
    assert (dead.stands, dead.why) == (False, "its numbers moved since")
    both = controls.signatures(moved, [signed(a_tie_out()), signed(moved[TieOutName.STRIPE].tie_out, days=1)], None)
    assert [one.stands for one in both] == [False, True]


def test_a_reopening_drops_every_signature() -> None:
    reopened = Reopening(
        month=MONTH,
        asked_by="pia",
        approved_by="cora",
        reason="a late invoice",
        at=AT + timedelta(days=1),
        expires_at=AT + timedelta(days=2),
    )
    state, blockers = state_of(everything(), reopenings=(reopened,))
    assert (state, len(blockers)) == (PeriodState.REOPENED, len(TieOutName))
    again = [signed(a_tie_out(name), days=2) for name in TieOutName]
    assert state_of([*everything(), *again], reopenings=(reopened,))[1] == ()


def test_what_does_not_tie_takes_the_controller_another_person_and_reasons() -> None:
    off = a_tie_out(right="9.99")
    rest = everything()[1:]
    cora = signed(off, "cora", Role.CONTROLLER, "a bank fee")

    def blocked(*by: Decision) -> bool:
        return bool(state_of([*rest, *by], kept(off))[1])

    assert blocked(cora)
    assert blocked(signed(off, "aron"), signed(off, "abby"))
    assert blocked(cora, signed(off, "aron", reason=" "))
    assert not blocked(cora, signed(off, "aron", reason="seen the fee"))


def test_who_may_not_sign_signs_nothing() -> None:
    (one,) = controls.signatures(kept(), [signed(a_tie_out(), "erik", Role.ENGINEER)], None)
    assert one.why == "erik may not sign"
