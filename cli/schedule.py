"""tieout schedule: closes start by themselves on the 1st, and mail goes out in rounds."""

from typing import Any

import typer
from temporalio.client import ScheduleDescription

from cli.door import wait_for
from cli.output import AsJson, Exit, leave, print_json, say
from runtime import schedule, settings, temporal

app = typer.Typer(no_args_is_help=True, help="The Schedules by which closes start and mail goes out.")


@app.command()
def apply(as_json: AsJson = False) -> None:
    """Create the Schedules of closes and of mail, or bring them up to date."""
    config = settings.load()

    async def work() -> dict[str, str]:
        client = await temporal.connect(config, "cli")
        return {
            schedule.SCHEDULE_ID: await schedule.apply(client, config.entity_zone),
            schedule.NOTICES_ID: await schedule.apply_notices(client, config.notices_minutes),
        }

    done = wait_for(work)
    if as_json:
        print_json({"schedules": done})
        return
    when = {
        schedule.SCHEDULE_ID: f"{schedule.LOCAL_HOUR:02}:00 on the 1st, {config.entity_zone}",
        schedule.NOTICES_ID: f"every {config.notices_minutes} minutes",
    }
    for name, outcome in done.items():
        say(f"{name} {outcome}: {when[name]}")


@app.command()
def show(as_json: AsJson = False) -> None:
    """Show each Schedule and when it starts next. Exit code 1 where one is missing."""

    async def work() -> list[ScheduleDescription]:
        client = await temporal.connect(settings.load(), "cli")
        found = [await schedule.describe(client, name) for name in (schedule.SCHEDULE_ID, schedule.NOTICES_ID)]
        return [one for one in found if one is not None]

    found = wait_for(work)
    if as_json:
        print_json({"schedules": [_facts(one) for one in found]})
    for one in () if as_json else found:
        say(f"{one.id}: {one.schedule.state.note}{' (paused)' if one.schedule.state.paused else ''}")
        for at in one.info.next_action_times[:3]:
            say(f"  next {at.isoformat()}")
    if len(found) < 2:
        say("A schedule is missing: tieout schedule apply")
        leave(Exit.CHECK_FAILED)


def _facts(found: ScheduleDescription) -> dict[str, Any]:
    return {
        "schedule": found.id,
        "note": found.schedule.state.note,
        "paused": found.schedule.state.paused,
        "next": [at.isoformat() for at in found.info.next_action_times[:3]],
        "missed": found.info.num_actions_missed_catchup_window,
        "skipped": found.info.num_actions_skipped_overlap,
    }
