"""A month beside the one before: compared once for each pair of statements, and the same as all compared at once."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import cast

import pytest

from adapters.postgres.books import Books
from billing.flux import flux
from models.reports import RatedView
from models.statement import Statement
from runtime import comparisons as comparisons_module
from runtime.comparisons import Comparisons
from tests.statement_builders import a_statement, fee, usage


class Shelf:
    """Books of statements alone, counting what is read."""

    def __init__(self, *statements: Statement) -> None:
        self._kept = {one.fingerprint(): one for one in statements}
        self.read: list[str] = []

    def statements(self, fingerprints: Sequence[str]) -> dict[str, Statement]:
        self.read += fingerprints
        return {name: self._kept[name] for name in fingerprints}


def rated(this: Statement, prior: Statement | None) -> RatedView:
    """Return a statement by its numbers beside the month before's."""
    return RatedView(
        customer=this.customer,
        statement=this.fingerprint(),
        currency=this.currency,
        total=this.total,
        lines=len(this.lines),
        prior=prior.fingerprint() if prior else None,
        prior_total=prior.total if prior else None,
        prior_currency=prior.currency if prior else None,
    )


def month_of(customer: str, amount: str, month: str) -> Statement:
    """Return a statement of calls and a fee."""
    since, until = f"{month}-01", f"{month[:5]}{int(month[5:]) + 1:02}-01"
    calls = usage("calls", amount, month=month)
    return a_statement(calls, fee("platform", "50.00", since, until), month=month, customer=customer)


def test_compared_one_by_one_is_compared_together_and_each_is_read_once() -> None:
    before = [month_of("acme", "100.00", "2026-09"), month_of("bolt", "7.00", "2026-09")]
    now = [
        month_of("acme", "130.00", "2026-10"),
        month_of("bolt", "5.00", "2026-10"),
        month_of("new", "9.00", "2026-10"),
    ]
    shelf = Shelf(*before, *now)
    comparisons = Comparisons(cast(Books, shelf))
    views = [rated(now[0], before[0]), rated(now[1], before[1]), rated(now[2], None)]
    assert comparisons.flux("2026-10", views) == flux(before, now, "2026-10")
    assert sorted(shelf.read) == sorted(one.fingerprint() for one in (*before, *now))
    comparisons.flux("2026-10", views)
    assert comparisons.engines("2026-10", views) == tuple({one.engine for one in now})
    assert len(shelf.read) == 5

    again = month_of("bolt", "6.00", "2026-10")  # rated again: one pair is another
    shelf._kept[again.fingerprint()] = again
    views[1] = rated(again, before[1])
    assert comparisons.flux("2026-10", views) == flux(before, [now[0], again, now[2]], "2026-10")
    assert len(shelf.read) == 7


def test_readers_beside_each_other_lose_nothing_to_one_who_makes_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comparisons_module, "MOST_KEPT", 1)
    statements = [month_of(f"c{number}", "5.00", "2026-10") for number in range(8)]
    comparisons = Comparisons(cast(Books, Shelf(*statements)))

    def read(number: int) -> tuple[str, ...]:
        return comparisons.engines("2026-10", [rated(statements[(number + place) % 8], None) for place in range(3)])

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(read, range(400))) == {("test",)}
