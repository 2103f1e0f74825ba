"""The report of a dry run: who would wait, what was rated, and how that differs from what was billed."""

from collections.abc import Sequence
from typing import Protocol

from activities.messages import MonthClosed
from billing.parallel import compared
from cli.compare import print_comparison, shown
from cli.output import Exit, leave, print_json, print_table, say
from models.close import Standing, State
from models.parallel import BilledLine
from models.statement import Statement


class DryRunBooks(Protocol):
    """What the report reads of the books."""

    def standings(self, month: str, revision: int = 1) -> tuple[Standing, ...]: ...

    def statement(self, fingerprint: str) -> Statement | None: ...


def report_dry_run(books: DryRunBooks, closed: MonthClosed, billed: Sequence[BilledLine] | None, as_json: bool) -> None:
    """Print how a dry run ended; leave with 3 where anything would wait, else with 1 where a line differs.

    Everybody with a statement is compared, those held by findings too: they are rated by the declared order. What was
    billed to somebody who could not be rated is a difference of its own, and named.
    """
    standings = books.standings(closed.month, closed.revision)
    waiting = [(one.customer, one.detail) for one in standings if one.state is not State.DONE]
    statements = [
        found
        for one in standings
        if "statement" in one.references and (found := books.statement(one.references["statement"])) is not None
    ]
    comparison = compared(statements, billed) if billed is not None and not closed.waiting else None
    if as_json:
        print_json(
            {
                "month": closed.month,
                "revision": closed.revision,
                "waiting": [*closed.waiting, *(f"{customer}: {detail}" for customer, detail in waiting)],
                "statements": {one.customer: one.fingerprint() for one in statements},
                "comparison": shown(comparison) if comparison is not None else None,
            }
        )
    else:
        say(f"dry run {closed.month}@{closed.revision}: {len(statements)} rated, nothing issued or posted")
        for one in closed.waiting:
            say(f"waits: {one}")
        if waiting:
            print_table(f"{len(waiting)} would wait", ("customer", "for"), waiting)
        if comparison is not None:
            print_comparison(comparison)
    if closed.waiting or waiting:
        leave(Exit.WAITING)
    if comparison is not None and comparison.differing:
        leave(Exit.CHECK_FAILED)
