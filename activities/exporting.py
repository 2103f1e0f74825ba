"""exporting: make the files that customers want of every month, once its invoice is issued, and tell of each."""

import pyarrow.parquet as pq
from temporalio import activity

from activities.deeds import Outside
from activities.messages import ExportsDue, MakeExport
from billing.customer_files import file_of
from billing.notices import export_ready
from billing.usage_table import to_lines
from models.statement import Statement
from models.usage import UsageLine
from models.visitor import EVERY_MONTH, DueExport, Export

AT_ONCE = 100
"""Files a round makes: the rest is the next round's."""


class Exporting:
    """The deeds of files that are made by themselves."""

    def __init__(self, outside: Outside) -> None:
        self.outside = outside

    @activity.defn(name="exports.due")
    def due(self) -> ExportsDue:
        """Return the files that are to be made."""
        found = self.outside.exports.due(AT_ONCE) if self.outside.exports is not None else ()
        return ExportsDue(exports=tuple(MakeExport(**one.model_dump()) for one in found))

    @activity.defn(name="exports.make")
    def make(self, task: MakeExport) -> str:
        """Make a file, keep its rows and hash, and return its id; made twice it is the same one, told once."""
        outside, due = self.outside, DueExport(**task.model_dump())
        if outside.exports is None:
            return due.id
        statement = outside.evidence.statement(due.statement)
        made = file_of(due.kind, due.format, statement, lambda: self._usage(statement), outside.issuer)
        export = Export(
            id=due.id,
            customer=due.customer,
            period=statement.period,
            kind=due.kind,
            format=due.format,
            statement=due.statement,
            rows_written=made.rows,
            sha256=made.sha256,
            made_by=EVERY_MONTH,
            made_at=outside.clock.now(),
            total=statement.total,
            currency=statement.currency,
        )
        if outside.tells:
            outside.notices.keep(export_ready(export, outside.clock.now()))
        outside.exports.keep(export)  # last: it is due until it is told of
        return due.id

    def _usage(self, statement: Statement) -> tuple[UsageLine, ...]:
        """Return the reconciled usage a statement was rated from; none for months before the takeover."""
        if statement.reconciliation is None:
            return ()
        found = self.outside.evidence.reconciliation(statement.reconciliation)
        return to_lines(pq.read_table(self.outside.store.path(found.usage)))
