"""webhooks: what customers' own systems are told: which notices to whom, and one try of one delivery."""

from datetime import timedelta

from temporalio import activity

from activities.deeds import Outside
from activities.messages import DeliverWebhook, WebhookDelivered, WebhooksDue
from activities.notify import NEWS
from billing import webhooks
from models.refusal import Refusal
from models.webhook import Answer, Attempt, Delivery, Endpoint, Outcome

AT_ONCE = 200
"""Deliveries a round begins: the rest is the next round's."""

QUIET = timedelta(hours=13)
"""After this without a try nobody is at a delivery that goes on: its workflow was ended by hand. It waits half a day
between two tries at most (`workflows.options.WEBHOOK`); begun a second time while it lives, nothing happens."""


class NotAccepted(Exception):
    """An endpoint did not take an event this time; it is tried again."""


class NoEndpoint(Refusal):
    """A delivery is of an endpoint that is not there."""

    remedy = "See what there is: tieout portal webhooks list."


class Webhooks:
    """The deeds of webhooks. Nothing is told where no key is set: a secret could not be read."""

    def __init__(self, outside: Outside) -> None:
        self.outside = outside

    @activity.defn(name="webhooks.due")
    def due(self) -> WebhooksDue:
        """Write which notices go to which endpoints, and return the deliveries that nobody is at."""
        outside, now = self.outside, self.outside.clock.now()
        if outside.webhooks is None:
            return WebhooksDue(deliveries=())
        found = outside.webhooks.book.due(now - NEWS, now - QUIET, AT_ONCE, now)
        return WebhooksDue(deliveries=tuple(DeliverWebhook(**one.model_dump()) for one in found))

    @activity.defn(name="webhooks.deliver")
    def deliver(self, task: DeliverWebhook) -> WebhookDelivered:
        """Try a delivery once and keep what came of it; one that has ended is left as it is.

        Between the endpoint's yes and ours it may be sent again: it has the same webhook-id.

        Raises:
            NotAccepted: it was not taken, and is to be tried again.
            NoEndpoint: there is no such endpoint.
        """
        outside, delivery = self.outside, Delivery(**task.model_dump())
        if outside.webhooks is None:
            raise NotAccepted("webhooks are switched off")
        book = outside.webhooks.book
        endpoint, outcome = book.endpoint(task.endpoint), book.outcome(delivery)
        if endpoint is None:
            raise NoEndpoint("there is no such endpoint", endpoint=task.endpoint)
        if outcome is None and endpoint.ended_at is not None:
            outcome = Outcome.ENDED
            book.conclude(delivery, outcome, outside.clock.now())
        if outcome is not None:
            return WebhookDelivered(delivery=task, outcome=outcome)
        answer = self._answer(endpoint, delivery)
        now = outside.clock.now()
        outcome = Outcome.DELIVERED if answer.accepted else Outcome.ENDED if answer.gone else None
        if answer.gone:  # first: a delivery that has ended is not tried again, and would end nothing
            book.end(endpoint.id, "410", now)
        book.attempted(Attempt(delivery=delivery, answer=answer, tried_at=now), outcome)
        if outcome is None:
            raise NotAccepted(f"{answer.status or 'no answer'} {answer.detail}".strip())
        return WebhookDelivered(delivery=task, outcome=outcome)

    @activity.defn(name="webhooks.give_up")
    def give_up(self, task: DeliverWebhook) -> WebhookDelivered:
        """Keep that a delivery failed for good, unless it ended otherwise; it can be replayed."""
        delivery, outside = Delivery(**task.model_dump()), self.outside
        if outside.webhooks is None:
            return WebhookDelivered(delivery=task, outcome=Outcome.FAILED)
        outside.webhooks.book.conclude(delivery, Outcome.FAILED, outside.clock.now())
        return WebhookDelivered(delivery=task, outcome=outside.webhooks.book.outcome(delivery) or Outcome.FAILED)

    def _answer(self, endpoint: Endpoint, delivery: Delivery) -> Answer:
        """Return what the endpoint answers to the signed event; what we can't sign is an answer without a status."""
        outside, told = self.outside, self.outside.webhooks
        assert told is not None
        now = outside.clock.now()
        body = webhooks.body_of(outside.notices.notice(delivery.notice), told.portal)
        try:
            secrets = [told.sealer.open(one.sealed) for one in webhooks.signing(told.book.secrets(endpoint.id), now)]
            headers = webhooks.headers_of(delivery.notice, secrets, now, body)
        except Refusal as refused:
            activity.logger.error("webhook.unsigned", extra={"endpoint": endpoint.id, "cause": str(refused)})
            return Answer(status=None, milliseconds=0, detail="it can't be signed: rotate the secret")
        return told.caller.post(endpoint.url, headers, body)
