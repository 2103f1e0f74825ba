"""The Schedules: closes start on the 1st, in the entity's zone, once a month whoever asks; mail goes out in rounds."""

from datetime import timedelta

from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleCalendarSpec,
    ScheduleDescription,
    ScheduleIntervalSpec,
    ScheduleOverlapPolicy,
    SchedulePolicy,
    ScheduleRange,
    ScheduleSpec,
    ScheduleState,
    ScheduleUpdate,
    ScheduleUpdateInput,
)
from temporalio.service import RPCError, RPCStatusCode

from activities.messages import TriggerClose
from workflows import options
from workflows.monthly_close import CloseTrigger
from workflows.send_notices import SendNotices

SCHEDULE_ID = "month-end-close"
NOTICES_ID = "notices"
LOCAL_HOUR = 6
"""Never between 01:00 and 03:00 local: on days when the clock changes those hours happen twice, or not at all."""

CATCH_UP = timedelta(days=27)


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


def notices_schedule(minutes: int) -> Schedule:
    """Return the Schedule of the mail: a round every so many minutes, never two at once; a missed one is the next's."""
    return Schedule(
        action=ScheduleActionStartWorkflow(
            SendNotices.run, id="send-notices", task_queue=options.CLOSE_QUEUE, static_summary="Send notices"
        ),
        spec=ScheduleSpec(intervals=[ScheduleIntervalSpec(every=timedelta(minutes=minutes))]),
        policy=SchedulePolicy(overlap=ScheduleOverlapPolicy.SKIP, catchup_window=timedelta(minutes=minutes)),
        state=ScheduleState(note=f"Writes and sends notices every {minutes} minutes"),
    )


async def apply(client: Client, zone: str) -> str:
    """Create the Schedule of closes, or bring it up to date; return what was done. Safe to repeat."""
    return await put(client, SCHEDULE_ID, month_end_schedule(zone))


async def apply_notices(client: Client, minutes: int) -> str:
    """Create the Schedule of the mail, or bring it up to date; return what was done. Safe to repeat."""
    return await put(client, NOTICES_ID, notices_schedule(minutes))


async def put(client: Client, schedule_id: str, wanted: Schedule) -> str:
    """Create a Schedule, or bring the one that is there up to date; return what was done."""
    handle = client.get_schedule_handle(schedule_id)
    try:
        await handle.describe()
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise
        await client.create_schedule(schedule_id, wanted)
        return "created"

    def update(input: ScheduleUpdateInput) -> ScheduleUpdate:
        wanted.state.paused = input.description.schedule.state.paused  # who paused it decides when it goes on
        return ScheduleUpdate(schedule=wanted)

    await handle.update(update)
    return "updated"


async def describe(client: Client, schedule_id: str = SCHEDULE_ID) -> ScheduleDescription | None:
    """Return a Schedule as the server holds it, or None."""
    try:
        return await client.get_schedule_handle(schedule_id).describe()
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            return None
        raise
