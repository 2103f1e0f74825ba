"""The Schedules: closes on the 1st, the month so far watched nightly and rated hourly; mail, files, hooks in rounds."""

from collections.abc import Callable, Mapping
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

from activities.messages import RefreshUsage, TriggerClose, WatchSchedule
from workflows import options
from workflows.make_exports import MakeExports
from workflows.monthly_close import CloseTrigger
from workflows.nightly_watch import NightlyWatch
from workflows.send_notices import SendNotices
from workflows.usage_refresh import UsageRefresh
from workflows.webhooks import WebhookRound

SCHEDULE_ID = "month-end-close"
WATCH_ID = "nightly-watch"
NOTICES_ID = "notices"
NOTICES_EVERY = timedelta(minutes=5)
EXPORTS_ID = "exports"
EXPORTS_EVERY = timedelta(minutes=5)
WEBHOOKS_ID = "webhooks"
WEBHOOKS_EVERY = timedelta(minutes=1)
LOCAL_HOUR = 6
"""Never between 01:00 and 03:00 local: on days when the clock changes those hours happen twice, or not at all."""

WATCH_HOUR = 4
"""Before the close's hour: on the 1st the last night of the month is watched first."""

CATCH_UP = timedelta(days=27)
WATCH_CATCH_UP = timedelta(hours=20)
"""A night that was missed for longer is left to the next one, which compares all of the month so far anyway."""

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


def notices_schedule(_zone: str) -> Schedule:
    """Return the Schedule of the mail: a round every five minutes, never two at once; a missed one is the next's."""
    return Schedule(
        action=ScheduleActionStartWorkflow(
            SendNotices.run, id="send-notices", task_queue=options.CLOSE_QUEUE, static_summary="Send notices"
        ),
        spec=ScheduleSpec(intervals=[ScheduleIntervalSpec(every=NOTICES_EVERY)]),
        policy=SchedulePolicy(overlap=ScheduleOverlapPolicy.SKIP, catchup_window=NOTICES_EVERY),
        state=ScheduleState(note=f"Writes and sends notices every {NOTICES_EVERY.seconds // 60} minutes"),
    )


def exports_schedule(_zone: str) -> Schedule:
    """Return the Schedule of the files customers want of every month: a round every five minutes, never two at once."""
    return Schedule(
        action=ScheduleActionStartWorkflow(
            MakeExports.run, id="make-exports", task_queue=options.CLOSE_QUEUE, static_summary="Make exports"
        ),
        spec=ScheduleSpec(intervals=[ScheduleIntervalSpec(every=EXPORTS_EVERY)]),
        policy=SchedulePolicy(overlap=ScheduleOverlapPolicy.SKIP, catchup_window=EXPORTS_EVERY),
        state=ScheduleState(note=f"Makes files of issued invoices every {EXPORTS_EVERY.seconds // 60} minutes"),
    )


def webhooks_schedule(_zone: str) -> Schedule:
    """Return the Schedule of the webhooks: a round every minute that begins deliveries, never two at once."""
    return Schedule(
        action=ScheduleActionStartWorkflow(
            WebhookRound.run, id="webhook-round", task_queue=options.CLOSE_QUEUE, static_summary="Begin webhooks"
        ),
        spec=ScheduleSpec(intervals=[ScheduleIntervalSpec(every=WEBHOOKS_EVERY)]),
        policy=SchedulePolicy(overlap=ScheduleOverlapPolicy.SKIP, catchup_window=WEBHOOKS_EVERY),
        state=ScheduleState(note="Begins the deliveries of new notices to customers' endpoints every minute"),
    )


def nightly_schedule(zone: str) -> Schedule:
    """Return the Schedule of the watch: 04:00 every day in a zone, one night after the other."""
    return Schedule(
        action=ScheduleActionStartWorkflow(
            NightlyWatch.run,
            WatchSchedule(zone=zone),
            id="nightly-watch",
            task_queue=options.CLOSE_QUEUE,
            static_summary="Nightly watch",
        ),
        spec=ScheduleSpec(
            calendars=[ScheduleCalendarSpec(hour=[ScheduleRange(WATCH_HOUR)], comment="every night")],
            time_zone_name=zone,
        ),
        policy=SchedulePolicy(overlap=ScheduleOverlapPolicy.BUFFER_ONE, catchup_window=WATCH_CATCH_UP),
        state=ScheduleState(note=f"Compares the month so far, at {WATCH_HOUR:02}:00 every night, {zone}"),
    )


SCHEDULES: Mapping[str, Callable[[str], Schedule]] = {
    SCHEDULE_ID: month_end_schedule,
    WATCH_ID: nightly_schedule,
    NOTICES_ID: notices_schedule,
    REFRESH_ID: refresh_schedule,
    WEBHOOKS_ID: webhooks_schedule,
    EXPORTS_ID: exports_schedule,
}


async def apply(client: Client, zone: str) -> dict[str, str]:
    """Create the Schedules, or bring those that are there up to date; return what was done to each. Safe to repeat."""
    return {name: await _apply(client, name, wanted(zone)) for name, wanted in SCHEDULES.items()}


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


async def describe(client: Client, name: str = SCHEDULE_ID) -> ScheduleDescription | None:
    """Return a Schedule as the server holds it, or None."""
    try:
        return await client.get_schedule_handle(name).describe()
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            return None
        raise
