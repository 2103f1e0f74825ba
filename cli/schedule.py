"""tieout schedule: closes start by themselves, the month so far is watched every night, mail goes out in rounds."""

from typing import Any

import typer
from temporalio.client import ScheduleDescription

from cli.door import wait_for
from cli.output import AsJson, Exit, leave, print_json, say
from runtime import schedule, settings, temporal

app = typer.Typer(no_args_is_help=True, help="The Schedules: closes, the nightly watch, and mail.")


@app.command()
def apply(as_json: AsJson = False) -> None:
    """Create the Schedules in the entity's zone, or bring them up to date."""
    config = settings.load()

    async def work() -> dict[str, str]:
        return await schedule.apply(await temporal.connect(config, "cli"), config.entity_zone)

    done = wait_for(work)
    if as_json:
        print_json([{"schedule": name, "outcome": outcome} for name, outcome in done.items()])
        return
    for name, outcome in done.items():
        say(f"{name} {outcome}: {schedule.SCHEDULES[name](config.entity_zone).state.note}")


@app.command()
def show(as_json: AsJson = False) -> None:
    """Show the Schedules and when each acts next. Exit code 1 where one is missing."""

    async def work() -> dict[str, ScheduleDescription | None]:
        client = await temporal.connect(settings.load(), "cli")
        return {name: await schedule.describe(client, name) for name in schedule.SCHEDULES}

    found = wait_for(work)
    if as_json:
        print_json([_shown(one) for one in found.values() if one is not None])
    for name, one in found.items():
        if one is None:
            say(f"There is no schedule {name}: tieout schedule apply")
        elif not as_json:
            say(f"{one.id}: {one.schedule.state.note}{' (paused)' if one.schedule.state.paused else ''}")
            for at in one.info.next_action_times[:3]:
                say(f"  next {at.isoformat()}")
    if None in found.values():
        leave(Exit.CHECK_FAILED)


def _shown(one: ScheduleDescription) -> dict[str, Any]:
    return {
        "schedule": one.id,
        "note": one.schedule.state.note,
        "paused": one.schedule.state.paused,
        "next": [at.isoformat() for at in one.info.next_action_times[:3]],
        "missed": one.info.num_actions_missed_catchup_window,
        "skipped": one.info.num_actions_skipped_overlap,
    }
