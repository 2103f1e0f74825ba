"""UsageRefresh: the running month rated so far, as often as the Schedule says; the next one overwrites it."""

from temporalio import workflow

from activities.messages import Refreshed, RefreshMonth, RefreshUsage
from activities.refresh import Refresh
from models.period import local_day, month_of
from workflows import options, search


@workflow.defn(name="UsageRefresh")
class UsageRefresh:
    """Rate the month of the scheduled instant. A refresh that is missed is made up for by the next one."""

    @workflow.run
    async def run(self, task: RefreshUsage) -> Refreshed:
        """Return whose month was rated, and whose was left."""
        at = workflow.info().typed_search_attributes.get(search.SCHEDULED_START) or workflow.info().start_time
        month = month_of(local_day(at, task.zone))
        return await workflow.execute_activity_method(
            Refresh.refresh_month,
            RefreshMonth(month=month),
            **options.with_summary(options.READ_A_SOURCE, f"rate {month} so far"),
        )
