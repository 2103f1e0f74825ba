"""Comparisons: each customer's statement beside the month before's, kept at hand while both stand."""

from collections.abc import Sequence
from dataclasses import dataclass

from adapters.postgres.books import Books
from billing.flux import DEFAULT_THRESHOLD, flux, together
from models.flux import Flux, FluxRow
from models.reports import RatedView
from runtime import at_hand

AT_ONCE = 50
"""Statements read at a time: a thousand of them are not held together."""
MOST_KEPT = 20_000


_Pair = tuple[str, str | None]
"""A statement and the one of the month before, by their fingerprints."""


@dataclass(frozen=True)
class _Compared:
    rows: tuple[FluxRow, ...]
    engine: str


class Comparisons:
    """Compares statements once: what a fingerprint names never changes."""

    def __init__(self, books: Books) -> None:
        self._books = books
        self._kept: dict[_Pair, _Compared] = {}
        self._last: dict[str, tuple[tuple[_Pair, ...], Flux]] = {}

    def flux(self, month: str, rated: Sequence[RatedView]) -> Flux:
        """Return a month's statements beside those of the month before, the largest change first."""
        pairs = tuple((one.statement, one.prior) for one in rated)
        last = self._last.get(month)
        if last is None or last[0] != pairs:
            self._compare(month, rated)
            last = pairs, together(month, [self._kept[pair].rows for pair in pairs])
            self._last[month] = last
        return last[1]

    def engines(self, month: str, rated: Sequence[RatedView]) -> tuple[str, ...]:
        """Return which engines rated these statements."""
        self._compare(month, rated)
        return tuple(sorted({self._kept[one.statement, one.prior].engine for one in rated}))

    def _compare(self, month: str, rated: Sequence[RatedView]) -> None:
        missing = [one for one in rated if (one.statement, one.prior) not in self._kept]
        if len(self._kept) + len(missing) > MOST_KEPT:
            self._kept = {}
            missing = list(rated)
        for first in range(0, len(missing), AT_ONCE):
            some = missing[first : first + AT_ONCE]
            found = self._books.statements([name for one in some for name in (one.statement, one.prior) if name])
            for one in some:
                this, prior = found[one.statement], [found[one.prior]] if one.prior else []
                compared = flux(prior, [this], month, DEFAULT_THRESHOLD)
                self._kept[one.statement, one.prior] = _Compared(compared.rows, this.engine)
        if missing:
            at_hand.settle()
