"""Pools as ledgers: a month opens as the one before closed, over years, ramps, rollovers and a contract taken over."""

from decimal import Decimal

from billing import invariants
from billing.pools import PoolRow, ledger_of
from models.statement import Statement
from tests.billing.rating.builders import a_contract, through, used
from tests.billing.test_openings import OPEN, YEARLY, an_opening, months


def lines(rows: tuple[PoolRow, ...], pool: str) -> list[str]:
    """Return a pool's rows as text: period, opening, granted, drawn, expired, closing."""
    return [
        " ".join([one.period, *(f"{x:.0f}" for x in (one.opening, one.granted, one.drawn, one.expired, one.closing))])
        for one in rows
        if one.pool == pool
    ]


def breaks(rows: tuple[PoolRow, ...]) -> list[str]:
    return [one.name for one in invariants.broken(invariants.pools_follow(rows))]


def a_year(quantity: str, first: int = 1, last: int = 12) -> dict[str, list[object]]:
    """Return a usage of minutes on the tenth of each month."""
    return {f"2026-{month:02}": [used(quantity, f"2026-{month:02}-10T00:00:00Z")] for month in range(first, last + 1)}


def test_a_yearly_pool_is_one_ledger_and_is_crossed_in_october() -> None:
    statements = through(a_contract(commitments=[YEARLY]), a_year("2600"))  # type: ignore[arg-type]
    rows = ledger_of(statements)
    # 2,600 x 0.05 = 130 a month: nine months draw 1,170, October the last 30
    assert lines(rows, "year")[0] == "2026-01 0 1200 130 0 1070"
    assert lines(rows, "year")[8:11] == ["2026-09 160 0 130 0 30", "2026-10 30 0 30 0 0", "2026-11 0 0 0 0 0"]
    assert breaks(rows) == []
    assert statements[9].total == Decimal("100.00")


def test_a_ramp_grants_each_window_its_own_amount() -> None:
    ramp = {"id": "ramp", "ramp": ["300.00", "600.00"], "every": "quarter", "billing": "advance"}
    rows = ledger_of(through(a_contract(commitments=[ramp]), a_year("2000", 1, 6)))  # type: ignore[arg-type]
    # 100 a month: the first quarter uses its 300, the second half of its 600, whose rest expires
    assert lines(rows, "ramp") == [
        "2026-01 0 300 100 0 200",
        "2026-02 200 0 100 0 100",
        "2026-03 100 0 100 0 0",
        "2026-04 0 600 100 0 500",
        "2026-05 500 0 100 0 400",
        "2026-06 400 0 100 300 0",
    ]
    assert breaks(rows) == []


def test_a_rollover_is_handed_on_and_expires_on_its_own_day() -> None:
    quarter = {"id": "quarter", "amount": "300.00", "every": "quarter", "billing": "advance"}
    carries = {**quarter, "rollover": {"max": "50.00", "expires_after": "month"}}
    usage = {**a_year("1000", 1, 3), **a_year("400", 4, 5)}
    rows = ledger_of(through(a_contract(commitments=[carries]), usage))  # type: ignore[arg-type]
    # 50 a month leave 150: 50 are carried and 100 expire; of the carried 20 are used in April, 30 expire with it
    assert lines(rows, "quarter") == [
        "2026-01 0 300 50 0 250",
        "2026-02 250 0 50 0 200",
        "2026-03 200 0 50 100 50",
        "2026-04 50 300 20 30 300",
        "2026-05 300 0 20 0 280",
    ]
    assert breaks(rows) == []


def test_a_contract_taken_over_has_its_opening_line_first() -> None:
    contract = a_contract(commitments=[YEARLY])
    opening = an_opening(OPEN)
    statements, _ = months(contract, opening, m10=used("2000"), m11=used("100", "2026-11-10T00:00:00Z"))
    rows = ledger_of(statements, opening, [contract])
    assert lines(rows, "year") == [
        "opening 0 1200 900 0 300",
        "2026-10 300 0 100 0 200",
        "2026-11 200 0 5 0 195",
    ]
    assert breaks(rows) == []


def test_a_month_that_does_not_open_as_the_one_before_closed_is_named() -> None:
    contract = a_contract(commitments=[YEARLY])
    statements, _ = months(contract, an_opening(OPEN), m10=used("2000"), m11=used("100", "2026-11-10T00:00:00Z"))
    rows = ledger_of([_without_the_draw(statements[0]), statements[1]], an_opening(OPEN), [contract])
    assert breaks(rows) == ["pool:year:2026-11:opening"]
    (one,) = invariants.broken(invariants.pools_follow(rows))
    assert (one.left, one.right, one.difference) == (Decimal(200), Decimal(300), Decimal(-100))
    other = an_opening({**OPEN, "drawn": "800.00", "deferred": "400.00"}, deferred="400.00")
    assert breaks(ledger_of(statements, other, [contract])) == ["pool:year:2026-10:opening"]


def test_of_a_month_issued_again_the_last_statement_counts() -> None:
    contract = a_contract(commitments=[YEARLY])
    statements, _ = months(contract, an_opening(OPEN), m10=used("2000"), m11=used("100", "2026-11-10T00:00:00Z"))
    again = [_without_the_draw(statements[0]), *statements]
    assert ledger_of(again) == ledger_of(statements)


def test_a_floor_hands_nothing_on() -> None:
    floor = {"id": "floor", "amount": "100.00", "every": "month", "billing": "arrears", "shortfall": "invoice"}
    rows = ledger_of(through(a_contract(commitments=[floor]), a_year("1000", 1, 2)))  # type: ignore[arg-type]
    assert lines(rows, "floor") == ["2026-01 0 100 50 0 50", "2026-02 0 100 50 0 50"]
    assert breaks(rows) == []


def _without_the_draw(statement: Statement) -> Statement:
    pools = tuple(
        one.model_copy(update={"drawn": Decimal(0), "closing": one.opening + one.granted}) for one in statement.pools
    )
    return statement.model_copy(update={"pools": pools})
