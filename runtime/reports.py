"""Reports: a month's facts read from the books as they were at its lock, and a report as a file."""

import csv
import io
from collections.abc import Collection
from pathlib import Path
from threading import Lock

import pyarrow as pa
import pyarrow.parquet as pq

from adapters.postgres.sessions import Database
from billing.reports.facts import Fact, Facts
from billing.reports.registry import READS, REPORTS
from models.entity import DEFAULT, Entity
from models.refusal import Refusal
from models.reports import Report
from runtime import at_hand
from runtime.report_facts import FactsAtHand

MOST_CELLS = 1_000_000
"""How much of reports is kept at hand, in cells; those asked for longest ago go first."""


def facts_of(
    database: Database,
    month: str,
    revision: int = 1,
    entity: Entity = DEFAULT,
    of: Collection[Fact] = frozenset(Fact),
) -> Facts:
    """Return a month's facts: entries of it and of earlier months recorded by its lock, and what was issued by then."""
    return FactsAtHand(database, entity).facts(month, revision, of)


def report_of(name: str, facts: Facts) -> Report:
    """Return a report by its name; raises KeyError where there is none."""
    return REPORTS[name](facts)


class ReportsAtHand:
    """Makes a month's reports, each when it is asked for, and again only once something it is made of was written."""

    def __init__(self, database: Database, entity: Entity = DEFAULT) -> None:
        self._facts = FactsAtHand(database, entity)
        self._kept: dict[tuple[str, str, int], tuple[str, Report | Refusal]] = {}
        self._one_at_a_time = Lock()

    def report(self, name: str, month: str, revision: int = 1) -> Report:
        """Return a report of a month by its name; raises the refusal that it was answered with."""
        key, reads = (name, month, revision), READS[name]
        stamp = self._facts.stamp(month, revision, reads)
        kept = self._kept.get(key)
        if kept is None or kept[0] != stamp:
            kept = stamp, self._made(name, month, revision, reads)
            at_hand.settle()
        self._keep(key, kept)
        if isinstance(kept[1], Refusal):
            raise kept[1]
        return kept[1]

    def _made(self, name: str, month: str, revision: int, reads: Collection[Fact]) -> Report | Refusal:
        try:
            return report_of(name, self._facts.facts(month, revision, reads))
        except Refusal as refusal:
            return refusal

    def _keep(self, key: tuple[str, str, int], made: tuple[str, Report | Refusal]) -> None:
        """Keep it as the one asked for last; pages are made beside each other."""
        with self._one_at_a_time:
            self._kept.pop(key, None)
            self._kept[key] = made
            while len(self._kept) > 1 and sum(_cells(one) for _, one in self._kept.values()) > MOST_CELLS:
                del self._kept[next(iter(self._kept))]


def _cells(made: Report | Refusal) -> int:
    return len(made.rows) * len(made.columns) if isinstance(made, Report) else 1


def csv_text(report: Report) -> str:
    """Return a report as CSV: a header, rows, line feeds."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(report.columns)
    writer.writerows(report.rows)
    return text.getvalue()


def write_parquet(report: Report, path: Path) -> None:
    """Write a report as Parquet, every column as text: an exact decimal stays exact whatever reads it."""
    columns = list(zip(*report.rows, strict=True)) or [()] * len(report.columns)
    table = pa.table({name: pa.array(cells, pa.string()) for name, cells in zip(report.columns, columns, strict=True)})
    pq.write_table(table, path, compression="zstd", store_schema=False)
