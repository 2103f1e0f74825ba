"""A customer of the demo whose own system is told of events: its endpoint, and the proof that it was told."""

import asyncio
import json

from temporalio.client import Client, WorkflowHandle

from activities.messages import WebhookDelivered, webhook_id
from adapters.postgres.web_sessions import seed_visitors
from devstack.book import seed
from devstack.faces import users
from devstack.webhooks import Webhooks, is_signed
from models.webhook import EventType, Outcome
from runtime import wiring
from runtime.clock import SystemClock
from runtime.settings import Settings
from runtime.webhook_desk import WebhookDesk, desks
from workflows import options
from workflows.webhooks import WebhookDelivery, WebhookRound

CUSTOMER = "acme"
WITHIN_SECONDS = 60


def desk_of(config: Settings) -> WebhookDesk:
    """Return the customer's own desk, as their pages have it."""
    books = wiring.database(config, "portal")
    return desks(books, wiring.sealer_of(config), wiring.webhook_client_of(config), SystemClock())(CUSTOMER)


def add(config: Settings, owner: str, service: Webhooks) -> None:
    """Let the customer's administrator add the stack's endpoint. Safe to repeat.

    An endpoint of an earlier run, whose port another process may have by now, is ended.
    """
    seed_visitors(owner, [], users(seed.contracts()))
    desk, admin = desk_of(config), f"{CUSTOMER}-admin"
    in_force = [view.endpoint for view in desk.views() if view.endpoint.ended_at is None]
    for one in in_force:
        if one.url != service.url:
            desk.end(one.id, admin)
    if all(one.url != service.url for one in in_force):
        _, secret = desk.add(CUSTOMER, service.url, tuple(EventType), admin)
        service.keep_secret(secret)


async def told(config: Settings, client: Client, service: Webhooks, reference: str, total: str) -> str | None:
    """Have a round begin what is new, wait for an invoice's delivery, and return what is wrong with it; None: nothing.

    It must have come once, signed by the endpoint's secret, with the invoice's total.
    """
    notice, queue = f"invoice_ready/{reference}", options.CLOSE_QUEUE
    await client.execute_workflow(WebhookRound.run, id=f"webhook-round/{reference}", task_queue=queue)
    [endpoint] = [view.endpoint.id for view in desk_of(config).views() if view.endpoint.ended_at is None]
    handle: WorkflowHandle[WebhookDelivery, WebhookDelivered] = client.get_workflow_handle_for(
        WebhookDelivery.run, webhook_id(endpoint, notice)
    )
    ended = await asyncio.wait_for(handle.result(), WITHIN_SECONDS)
    if ended.outcome is not Outcome.DELIVERED:
        return f"the delivery {ended.outcome.value}"
    came = [(one, json.loads(one["body"])) for one in service.events]
    mine = [(one, body) for one, body in came if body["id"] == notice]
    if len(mine) != 1:
        return f"it came {len(mine)} times"
    event, body = mine[0]
    if service.secret is None or not is_signed(event, service.secret):
        return "it is not signed by the endpoint's secret"
    return None if body["data"]["total"] == total else f"it says {body['data']['total']}, not {total}"
