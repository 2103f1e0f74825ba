"""MakeExports: the files that customers want of every month; what can't be made now is the next round's."""

import asyncio

from temporalio import workflow
from temporalio.exceptions import ActivityError, is_cancelled_exception

from activities.exporting import Exporting
from activities.messages import ExportsDue, ExportsMade, MakeExport
from workflows import options


@workflow.defn(name="MakeExports")
class MakeExports:
    """One round, started by its Schedule every few minutes."""

    @workflow.run
    async def run(self) -> ExportsMade:
        """Return how many files were made, and how many could not be."""
        due: ExportsDue = await workflow.execute_activity_method(
            Exporting.due, **options.with_summary(options.BOOKS, "which files are due")
        )
        outcomes = await asyncio.gather(*(self.make(one) for one in due.exports))
        told = ExportsMade(made=sum(outcomes), failed=len(outcomes) - sum(outcomes))
        workflow.set_current_details(f"{told.made} made, {told.failed} not: they are tried again by the next round")
        return told

    async def make(self, export: MakeExport) -> bool:
        """Make one file; return False where it could not be made within the round."""
        try:
            await workflow.execute_activity_method(
                Exporting.make,
                export,
                **options.with_summary(options.COMPUTE, f"{export.kind}.{export.format} of {export.customer}"),
            )
        except ActivityError as error:
            if is_cancelled_exception(error):
                raise
            workflow.logger.warning(
                "export.not_made", extra={"customer": export.customer, "kind": export.kind, "cause": str(error.cause)}
            )
            return False
        return True
