"""tieout schedule: closes start by themselves on the 1st."""

import typer
from temporalio.client import ScheduleDescription

from cli.door import wait_for
from cli.output import AsJson, Exit, leave, print_json, say
from runtime import schedule, settings, temporal

app = typer.Typer(no_args_is_help=True, help="The Schedule by which closes start on the 1st.")


@app.command()
def apply(as_json: AsJson = False) -> None:
    """Create the Schedules in the entity's zone, or bring them up to date: closes, and hourly refreshes between."""
    config = settings.load()

    async def work() -> str:
        client = await temporal.connect(config, "cli")
        await schedule.apply_refresh(client, config.entity_zone)
        return await schedule.apply(client, config.entity_zone)

    done = wait_for(work)
    if as_json:
        print_json({"schedule": schedule.SCHEDULE_ID, "outcome": done})
    else:
        say(f"{schedule.SCHEDULE_ID} {done}: {schedule.LOCAL_HOUR:02}:00 on the 1st, {config.entity_zone}")


@app.command()
def show(as_json: AsJson = False) -> None:
    """Show the Schedule and when it starts the next closes. Exit code 1 where there is none."""

    async def work() -> ScheduleDescription | None:
        return await schedule.describe(await temporal.connect(settings.load(), "cli"))

    found = wait_for(work)
    if found is None:
        say("There is no schedule: tieout schedule apply")
        leave(Exit.CHECK_FAILED)
        return
    next_times = [at.isoformat() for at in found.info.next_action_times[:3]]
    if as_json:
        print_json(
            {
                "schedule": found.id,
                "note": found.schedule.state.note,
                "paused": found.schedule.state.paused,
                "next": next_times,
                "missed": found.info.num_actions_missed_catchup_window,
                "skipped": found.info.num_actions_skipped_overlap,
            }
        )
    else:
        say(f"{found.id}: {found.schedule.state.note}{' (paused)' if found.schedule.state.paused else ''}")
        for at in next_times:
            say(f"  next {at}")
