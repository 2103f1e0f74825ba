"""Finance sees every customer's endpoints, replays what failed, and ends one; each in a person's name."""

from collections.abc import Callable

import pytest

from adapters.postgres.webhooks import PostgresWebhooks
from models.refusal import Refusal
from tests.cli.test_portal import run
from tests.web.conftest import NOON, World, world
from tests.web.test_webhooks import delivered_to

__all__ = ["run", "world"]
pytestmark = pytest.mark.stack


def test_a_delivery_is_replayed_and_an_endpoint_ended_from_the_terminal(world: World, run: Callable[..., str]) -> None:
    endpoint = delivered_to(world)
    assert endpoint in run("webhooks", "list", "acme")
    assert endpoint not in run("webhooks", "list", "bolt")
    assert "delivered" in run("webhooks", "deliveries", endpoint)
    said = run("webhooks", "replay", endpoint, "invoice_ready/acme/1")
    assert "as delivery 2" in said.replace("\n", " ")
    assert run("webhooks", "replay", endpoint, "invoice_ready/acme/1") == said  # twice is once
    with pytest.raises(Refusal, match="no delivery of this event has ended"):
        run("webhooks", "replay", endpoint, "invoice_ready/acme/2")  # acme's own administrator asked, and it goes on
    with pytest.raises(Refusal, match="no such endpoint in force"):
        run("webhooks", "replay", "nobody", "invoice_ready/acme/1")
    run("webhooks", "end", endpoint)
    worker = PostgresWebhooks(world.books.as_role("worker"))
    ended = worker.endpoint(endpoint)
    assert ended is not None
    assert ended.ended_by == "finance:pia"
    [asked] = [one for one in worker.deliveries(endpoint, 9) if one.delivery.notice.endswith("/1") and one.asked_by]
    assert asked.asked_by == "finance:pia"
    assert worker.due(NOON, NOON, 9, NOON)  # what was asked for is begun, and ends with its endpoint
