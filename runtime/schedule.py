"""The Schedules: closes start on the 1st, in the entity's zone, once a month whoever asks; drafts every hour."""

from datetime import timedelta

from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleCalendarSpec,
    ScheduleDescription,
    ScheduleOverlapPolicy,
    SchedulePolicy,
    ScheduleRange,
    ScheduleSpec,
    ScheduleState,
    ScheduleUpdate,
    ScheduleUpdateInput,
)
from temporalio.service import RPCError, RPCStatusCode

from activities.messages import RefreshUsage, TriggerClose
from workflows import options
from workflows.monthly_close import CloseTrigger
from workflows.usage_refresh import UsageRefresh

SCHEDULE_ID = "month-end-close"
LOCAL_HOUR = 6
"""Never between 01:00 and 03:00 local: on days when the clock changes those hours happen twice, or not at all."""

CATCH_UP = timedelta(days=27)

REFRESH_ID = "usage-refresh"
REFRESH_MINUTE = 17
"""Of every hour: away from the hour itself, at which everybody else starts something."""


def month_end_schedule(zone: str) -> Schedule:
    """Return the Schedule: 06:00 on the 1st in a zone, every missed tick caught up, none swallowed by another."""
    return Schedule(
        action=ScheduleActionStartWorkflow(
            CloseTrigger.run,
            TriggerClose(zone=zone),
            id="close-trigger",
            task_queue=options.CLOSE_QUEUE,
            static_summary="Month-end close",
        ),
        spec=ScheduleSpec(
            calendars=[
                ScheduleCalendarSpec(
                    day_of_month=[ScheduleRange(1)], hour=[ScheduleRange(LOCAL_HOUR)], comment="the 1st of the month"
                )
            ],
            time_zone_name=zone,
        ),
        policy=SchedulePolicy(overlap=ScheduleOverlapPolicy.ALLOW_ALL, catchup_window=CATCH_UP),
        state=ScheduleState(note=f"Closes the month before, at {LOCAL_HOUR:02}:00 on the 1st, {zone}"),
    )


def refresh_schedule(zone: str) -> Schedule:
    """Return the Schedule by which the running month is rated every hour; what was missed is not caught up."""
    return Schedule(
        action=ScheduleActionStartWorkflow(
            UsageRefresh.run,
            RefreshUsage(zone=zone),
            id=REFRESH_ID,
            task_queue=options.CLOSE_QUEUE,
            static_summary="Usage refresh",
        ),
        spec=ScheduleSpec(
            calendars=[
                ScheduleCalendarSpec(
                    hour=[ScheduleRange(0, 23)], minute=[ScheduleRange(REFRESH_MINUTE)], comment="every hour"
                )
            ],
            time_zone_name=zone,
        ),
        policy=SchedulePolicy(overlap=ScheduleOverlapPolicy.SKIP, catchup_window=timedelta(minutes=10)),
        state=ScheduleState(note=f"Rates the running month so far, at minute {REFRESH_MINUTE} of every hour"),
    )


async def apply(client: Client, zone: str) -> str:
    """Create the Schedule of closes, or bring the one that is there up to date; return what was done. Repeatable."""
    return await _apply(client, SCHEDULE_ID, month_end_schedule(zone))


async def apply_refresh(client: Client, zone: str) -> str:
    """Create the Schedule of refreshes, or bring the one that is there up to date; return what was done. Repeatable."""
    return await _apply(client, REFRESH_ID, refresh_schedule(zone))


async def _apply(client: Client, name: str, wanted: Schedule) -> str:
    handle = client.get_schedule_handle(name)
    try:
        await handle.describe()
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise
        await client.create_schedule(name, wanted)
        return "created"

    def update(input: ScheduleUpdateInput) -> ScheduleUpdate:
        wanted.state.paused = input.description.schedule.state.paused  # who paused it decides when it goes on
        return ScheduleUpdate(schedule=wanted)

    await handle.update(update)
    return "updated"


async def describe(client: Client) -> ScheduleDescription | None:
    """Return the Schedule as the server holds it, or None."""
    try:
        return await client.get_schedule_handle(SCHEDULE_ID).describe()
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            return None
        raise
