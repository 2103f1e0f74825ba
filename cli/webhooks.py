"""tieout portal webhooks: customers' endpoints as finance sees them; a failed delivery asked for again."""

from typing import Annotated

import typer

from adapters.postgres.desk import PostgresDesk
from adapters.postgres.webhooks import PostgresWebhooks
from adapters.webhook_client import WebhookClient
from cli.door import Door
from cli.output import As, AsJson, print_json, print_table, say
from models.webhook import Attempt
from runtime.desk import token_of
from runtime.webhook_desk import WebhookDesk

app = typer.Typer(no_args_is_help=True, help="Customers' endpoints, and what was delivered to them.")

EndpointId = Annotated[str, typer.Argument(help="The endpoint's id.")]


@app.command("list")
def list_(
    customer: Annotated[str | None, typer.Argument(help="Of one customer.")] = None, as_json: AsJson = False
) -> None:
    """List endpoints with their last try."""
    found = [one for one in _desk(Door()).views() if customer in (None, one.endpoint.customer)]
    if as_json:
        print_json(found)
        return
    rows = [
        (
            view.endpoint.id,
            view.endpoint.customer,
            view.endpoint.url,
            ", ".join(one.value for one in view.endpoint.types),
            f"ended by {view.endpoint.ended_by}" if view.endpoint.ended_at else "in force",
            _words(view.last) if view.last else "none yet",
        )
        for view in found
    ]
    print_table(f"{len(rows)} endpoints", ("endpoint", "customer", "address", "told of", "state", "last try"), rows)


@app.command()
def deliveries(endpoint: EndpointId, as_json: AsJson = False) -> None:
    """Show the newest deliveries to an endpoint, with how often each was tried."""
    desk = _desk(Door())
    desk.view(endpoint)
    found = desk.deliveries(endpoint)
    if as_json:
        print_json(found)
        return
    rows = [
        (
            one.delivery.notice,
            str(one.delivery.number),
            one.outcome.value if one.outcome else "running" if one.attempts else "waiting",
            str(len(one.attempts)),
            _words(one.attempts[-1]) if one.attempts else "none yet",
        )
        for one in found
    ]
    print_table(f"{len(rows)} deliveries", ("event", "number", "state", "tries", "last try"), rows)


@app.command()
def replay(
    endpoint: EndpointId, event: Annotated[str, typer.Argument(help="The event's id.")], person: As = None
) -> None:
    """Ask for a delivery that has ended once more, under the same webhook-id; the next round begins it."""
    door = Door()
    who = PostgresDesk(door.console).person(token_of(door.config, person))
    asked = _desk(door).replay(endpoint, event, f"finance:{who.id}")
    say(f"{asked.notice} goes to {asked.endpoint} once more, as delivery {asked.number}, within a minute or two")


@app.command()
def end(endpoint: EndpointId, person: As = None) -> None:
    """End an endpoint: nothing is sent there any more."""
    door = Door()
    who = PostgresDesk(door.console).person(token_of(door.config, person))
    _desk(door).end(endpoint, f"finance:{who.id}")
    say(f"{endpoint} is ended")


def _desk(door: Door) -> WebhookDesk:
    """Return finance's desk: it sees every customer's endpoints, and adds none."""
    return WebhookDesk(PostgresWebhooks(door.console), None, WebhookClient(), door.clock)


def _words(attempt: Attempt) -> str:
    answer = attempt.answer
    return " ".join(
        str(one) for one in (answer.status or "no answer", answer.detail, f"{answer.milliseconds} ms") if one
    )
