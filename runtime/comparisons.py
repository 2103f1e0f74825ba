"""Comparisons: each customer's statement beside the month before's, kept at hand while both stand."""

from collections.abc import Mapping, Sequence
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
    engine_before: str | None


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
            compared = self._compare(month, rated)
            last = pairs, together(month, [compared[pair].rows for pair in pairs])
            self._last[month] = last
        return last[1]

    def engines(self, month: str, rated: Sequence[RatedView]) -> tuple[str, ...]:
        """Return which engines rated these statements."""
        return tuple(sorted({one.engine for one in self._compare(month, rated).values()}))

    def engines_before(self, month: str, rated: Sequence[RatedView]) -> tuple[str, ...]:
        """Return which engines rated the statements of the month before that these stand beside."""
        return tuple(sorted({one.engine_before for one in self._compare(month, rated).values() if one.engine_before}))

    def _compare(self, month: str, rated: Sequence[RatedView]) -> Mapping[_Pair, _Compared]:
        """Return each pair compared. What is asked for is held here: another thread may empty what is kept."""
        kept = self._kept
        known = {pair: kept[pair] for one in rated if (pair := (one.statement, one.prior)) in kept}
        missing = [one for one in rated if (one.statement, one.prior) not in known]
        if len(kept) + len(missing) > MOST_KEPT:
            kept = self._kept = {}
        for first in range(0, len(missing), AT_ONCE):
            some = missing[first : first + AT_ONCE]
            found = self._books.statements([name for one in some for name in (one.statement, one.prior) if name])
            for one in some:
                this, prior = found[one.statement], [found[one.prior]] if one.prior else []
                compared = flux(prior, [this], month, DEFAULT_THRESHOLD)
                engine_before = prior[0].engine if prior else None
                known[one.statement, one.prior] = _Compared(compared.rows, this.engine, engine_before)
        if missing:
            kept.update(known)
            at_hand.settle()
        return known
