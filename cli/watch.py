"""tieout watch: what the nights found wrong with a month so far, and what of it was new."""

from datetime import date, datetime
from typing import Annotated

import typer
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy

from activities.messages import NightWatched, WatchSchedule
from adapters.postgres.watches import PostgresWatches
from cli.door import Door, wait_for
from cli.output import AsJson, Exit, leave, money, print_json, print_table, say
from models.period import local_day, month_of
from models.watch import Concern, NightAlert, Watch
from workflows import options
from workflows.nightly_watch import NightlyWatch

app = typer.Typer(no_args_is_help=True, help="The month so far, compared every night.")

Night = Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="The night, such as 2026-10-15.")]
SUMMARY = ("night", "up to", "compared", "customers", "concerns", "alerts")


@app.command()
def show(
    month: Annotated[str | None, typer.Argument(help="The month; the present one when left out.")] = None,
    night: Night = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Every concern of the night, not only what was new.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show the nights of a month, and the alerts of the last one (or of --night). Exit code 1 where it has any."""
    door = Door()
    watches = PostgresWatches(door.console)
    of = month or month_of(local_day(door.clock.now(), door.config.entity_zone))
    nights = watches.nights(of)
    alerts = watches.alerts(of)
    chosen = _chosen(nights, night.date() if night else None)
    told = [one for one in alerts if chosen and one.night == chosen.night]
    if as_json:
        print_json({"month": of, "nights": nights, "alerts": told})
    elif chosen is None:
        say(f"No night of {of} was watched: tieout schedule show, tieout watch run.")
    else:
        print_table(f"{len(nights)} nights of {of}", SUMMARY, [_night(one, alerts) for one in nights])
        concerns = chosen.concerns if everything else [one.concern for one in told]
        _print(f"{len(concerns)} {'concerns' if everything else 'new'} on {chosen.night}", concerns)
    if told:
        leave(Exit.CHECK_FAILED)


@app.command()
def run(night: Night = None, as_json: AsJson = False) -> None:
    """Watch a night by hand: today's, or the one named. What a night saw is kept once. Exit code 1 where it alerts."""
    door = Door()
    zone = door.config.entity_zone
    of = night.date() if night else local_day(door.clock.now(), zone)

    async def work() -> tuple[NightWatched, ...]:
        client = await door.client()
        return await client.execute_workflow(
            NightlyWatch.run,
            WatchSchedule(zone=zone, night=of),
            id=f"watch/{of}",
            task_queue=options.CLOSE_QUEUE,
            id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            static_summary=f"watch {of}",
        )

    seen = wait_for(work)
    if as_json:
        print_json(seen)
    else:
        for one in seen:
            say(f"{one.month} up to {one.up_to.isoformat()}: {one.concerns} concerns, {one.alerts} of them new")
    if any(one.alerts for one in seen):
        leave(Exit.CHECK_FAILED)


def _chosen(nights: tuple[Watch, ...], night: date | None) -> Watch | None:
    if night is None:
        return nights[-1] if nights else None
    return next((one for one in nights if one.night == night), None)


def _night(one: Watch, alerts: tuple[NightAlert, ...]) -> tuple[str, ...]:
    new = sum(1 for alert in alerts if alert.night == one.night)
    compared = ", ".join(one.compared) or "nothing"
    return one.night.isoformat(), one.up_to.isoformat(), compared, str(one.customers), str(len(one.concerns)), str(new)


def _print(title: str, concerns: "tuple[Concern, ...] | list[Concern]") -> None:
    if not concerns:
        say(title)
        return
    print_table(
        title,
        ("kind", "customer", "at risk", "what", "subject"),
        [
            (
                one.kind.value,
                one.customer or "",
                money(one.amount, one.currency) if one.amount is not None and one.currency else "",
                one.words,
                one.subject,
            )
            for one in concerns
        ],
        right=("at risk",),
    )
