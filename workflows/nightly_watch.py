"""NightlyWatch: the month so far, compared every night, so that the 1st brings no surprise."""

from temporalio import workflow

from activities.messages import NightWatched, WatchNight, WatchSchedule, WatchTonight
from activities.watch import WatchDeeds
from models.period import local_day
from workflows import options, search


@workflow.defn(name="NightlyWatch")
class NightlyWatch:
    """Watch one night. Which one comes from the scheduled time, so that a catch-up watches the night it stands for."""

    @workflow.run
    async def run(self, task: WatchSchedule) -> tuple[NightWatched, ...]:
        """Return what each month looked at had, oldest first."""
        scheduled = workflow.info().typed_search_attributes.get(search.SCHEDULED_START) or workflow.info().start_time
        night = task.night or local_day(scheduled, task.zone)
        months = await workflow.execute_activity_method(
            WatchDeeds.months,
            WatchTonight(night=night),
            **options.with_summary(options.BOOKS, f"which months {night} looks at"),
        )
        seen: list[NightWatched] = []
        for month in months:
            one = await workflow.execute_activity_method(
                WatchDeeds.compare_night,
                WatchNight(month=month, night=night),
                **options.with_summary(options.READ_A_SOURCE, f"watch {month} on {night}"),
            )
            seen.append(one)
            workflow.set_current_details(
                "\n".join(f"- {each.month} up to {each.up_to.isoformat()}: {each.alerts} alerts" for each in seen)
            )
        return tuple(seen)
