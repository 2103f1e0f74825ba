"""The webhook desk: the one door by which endpoints are added, given new secrets, replayed to and ended.

A change is a row; the round that a Schedule starts every minute begins what is asked for.
"""

import base64
import secrets
from collections.abc import Callable, Sequence

from activities.ports import Clock
from adapters.postgres.sessions import Database
from adapters.postgres.webhooks import PostgresWebhooks
from adapters.sealer import Sealer
from adapters.webhook_client import WebhookClient
from billing.webhooks import PREFIX
from models.refusal import Refusal
from models.webhook import ENDPOINTS, Delivery, DeliveryView, Endpoint, EndpointView, EventType
from runtime.sign_in import new_id

SECRET_BYTES = 32
MOST_DELIVERIES = 50
"""How many deliveries of an endpoint are shown, the newest."""


class EndpointNotAdded(Refusal):
    """An endpoint can't be added."""

    remedy = f"There are at most {ENDPOINTS}, each address once: end one first."


class NoSuchEndpoint(Refusal):
    """No endpoint (in force, where that matters) has this id."""

    remedy = "See which there are in the settings, or by: tieout portal webhooks list CUSTOMER."


class NothingToReplay(Refusal):
    """A delivery can't be asked for again."""

    remedy = "Only one that has ended can be, and only while its endpoint is in force."


class WebhookDesk:
    """What one customer, or finance, does about endpoints."""

    def __init__(self, book: PostgresWebhooks, sealer: Sealer | None, client: WebhookClient, clock: Clock) -> None:
        self._book = book
        self._sealer = sealer
        self._client = client
        self._clock = clock

    @property
    def on(self) -> bool:
        """Whether endpoints can be added: a key is set by which their secrets are kept."""
        return self._sealer is not None

    def views(self) -> tuple[EndpointView, ...]:
        """Return the endpoints, the oldest first."""
        return self._book.views()

    def view(self, endpoint: str) -> EndpointView:
        """Return an endpoint, ended or not; raises NoSuchEndpoint."""
        found = [one for one in self._book.views() if one.endpoint.id == endpoint]
        if not found:
            raise NoSuchEndpoint("there is no such endpoint", endpoint=endpoint)
        return found[0]

    def deliveries(
        self, endpoint: str, most: int = MOST_DELIVERIES, before: Delivery | None = None
    ) -> tuple[DeliveryView, ...]:
        """Return the newest deliveries to an endpoint (asked for before another), with every try."""
        return self._book.deliveries(endpoint, most, before)

    def add(self, customer: str, url: str, types: Sequence[EventType], by: str) -> tuple[Endpoint, str]:
        """Add an endpoint and return it with its secret, which is told this once.

        Raises:
            UrlUnusable, AddressForbidden: nothing is sent there.
            EndpointNotAdded: there are enough, or this address is told already, or webhooks are off.
        """
        in_force = [one for one in self.views() if one.endpoint.ended_at is None]
        if self._sealer is None or len(in_force) >= ENDPOINTS:
            raise EndpointNotAdded(
                "webhooks are switched off" if self._sealer is None else "there are enough endpoints"
            )
        target, _ = self._client.check(url)
        endpoint = Endpoint(
            id=new_id(),
            customer=customer,
            url=str(target),
            types=tuple(types),
            made_by=by,
            made_at=self._clock.now(),
        )
        secret = _new_secret()
        if not self._book.add(endpoint, self._sealer.seal(secret)):
            told = any(one.endpoint.url == endpoint.url and one.endpoint.ended_at is None for one in self.views())
            raise EndpointNotAdded(
                "this address is told already" if told else "there are enough endpoints", url=endpoint.url
            )
        return endpoint, secret

    def rotate(self, endpoint: str, by: str) -> str:
        """Return a new secret of an endpoint, told this once; the one before signs beside it for a day.

        Raises:
            NoSuchEndpoint: none in force has this id. EndpointNotAdded: webhooks are off.
        """
        if self._sealer is None:
            raise EndpointNotAdded("webhooks are switched off")
        found, secret = self._in_force(endpoint), _new_secret()
        self._book.add_secret(found, self._sealer.seal(secret), by, self._clock.now())
        return secret

    def end(self, endpoint: str, by: str) -> None:
        """End an endpoint: nothing is sent there any more. A second time changes nothing; raises NoSuchEndpoint."""
        if not self._book.end(endpoint, by, self._clock.now()):
            raise NoSuchEndpoint("there is no such endpoint", endpoint=endpoint)

    def replay(self, endpoint: str, notice: str, by: str) -> Delivery:
        """Ask for a delivery once more, under the same webhook-id; raises NoSuchEndpoint, NothingToReplay."""
        self._in_force(endpoint)
        found = self._book.replay(endpoint, notice, by, self._clock.now())
        if found is None:
            raise NothingToReplay("no delivery of this event has ended", notice=notice)
        return found

    def _in_force(self, endpoint: str) -> Endpoint:
        found = self._book.endpoint(endpoint)
        if found is None or found.ended_at is not None:
            raise NoSuchEndpoint("there is no such endpoint in force", endpoint=endpoint)
        return found


DeskOf = Callable[[str], WebhookDesk]
"""Gives each customer their own desk."""


def desks(database: Database, sealer: Sealer | None, client: WebhookClient, clock: Clock) -> DeskOf:
    """Return what gives each customer a desk that sees and changes their own endpoints alone."""
    return lambda customer: WebhookDesk(PostgresWebhooks(database, customer), sealer, client, clock)


def _new_secret() -> str:
    return PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()
