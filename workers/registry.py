"""Registry: which plan and which deed runs on which queue."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

from activities.approve import Approve
from activities.book import Book
from activities.change_rate import RateChangeDeeds
from activities.collect import Collect
from activities.control import Control
from activities.correct import CorrectDeeds
from activities.deeds import Outside
from activities.exporting import Exporting
from activities.invoice import InvoiceDeeds
from activities.notify import Notify
from activities.opening import Openings
from activities.payments import Payments
from activities.post import Post
from activities.publish import Publish
from activities.rate import Rate
from activities.recognize import Recognize
from activities.reconcile import Reconcile
from activities.refresh import Refresh
from activities.watch import WatchDeeds
from activities.webhooks import Webhooks
from workflows import options
from workflows.book_event import BookEvent
from workflows.close_shard import CloseShard
from workflows.correction import Correction
from workflows.customer_close import CustomerClose
from workflows.lock_period import LockPeriod
from workflows.make_exports import MakeExports
from workflows.monthly_close import CloseTrigger, MonthlyClose
from workflows.nightly_watch import NightlyWatch
from workflows.open_contract import OpenContract
from workflows.period_controls import ReopenPeriod, TieOutPeriod
from workflows.rate_change import RateChange
from workflows.send_notices import SendNotices
from workflows.stripe_event import StripeEvent
from workflows.usage_refresh import UsageRefresh
from workflows.webhooks import WebhookDelivery, WebhookRound

WORKFLOWS: Sequence[type] = (
    CloseTrigger,
    MonthlyClose,
    CloseShard,
    CustomerClose,
    Correction,
    BookEvent,
    LockPeriod,
    MakeExports,
    NightlyWatch,
    OpenContract,
    RateChange,
    SendNotices,
    StripeEvent,
    TieOutPeriod,
    ReopenPeriod,
    UsageRefresh,
    WebhookDelivery,
    WebhookRound,
)


@dataclass(frozen=True)
class Queue:
    """A task queue: its name, its plans and its deeds.

    `at_one_instant` is entered around each short deed; on the queues of Stripe and of endpoints nothing is.
    """

    name: str
    workflows: Sequence[type]
    activities: Sequence[Callable[..., Any]]
    at_one_instant: Callable[[], AbstractContextManager[None]] = nullcontext


def queues(outside: Outside) -> dict[str, Queue]:
    """Return the queues by the worker role that serves them: one queue for each rate limit."""
    collect, approve, post, publish = Collect(outside), Approve(outside), Post(outside), Publish(outside)
    invoice, change, correct = InvoiceDeeds(outside), RateChangeDeeds(outside), CorrectDeeds(outside)
    control, watch, notify = Control(outside), WatchDeeds(outside), Notify(outside)
    webhooks, exporting = Webhooks(outside), Exporting(outside)
    return {
        "workflows": Queue(
            options.CLOSE_QUEUE,
            WORKFLOWS,
            [
                collect.open_close,
                collect.population,
                collect.readiness,
                collect.take_slices,
                approve.ask_approval,
                approve.verify_decision,
                approve.verify_pause,
                approve.remind,
                approve.note,
                change.judge,
                change.put_into_catalog,
                change.conclude,
                correct.judge,
                correct.conclude,
                publish.await_closed,
                notify.write,
                exporting.due,
                watch.months,
                webhooks.due,
                webhooks.give_up,
            ],
            outside.at_one_instant,
        ),
        "usage": Queue(
            options.USAGE_QUEUE,
            (),
            [
                collect.source_state,
                collect.seal_source,
                Reconcile(outside).compare_sources,
                Rate(outside).rate_usage,
                Refresh(outside).refresh_month,
                Recognize(outside).schedule_revenue,
                change.simulate,
                correct.prepare,
                watch.compare_night,
                exporting.make,
            ],
            outside.at_one_instant,
        ),
        "stripe": Queue(
            options.STRIPE_QUEUE,
            (),
            [invoice.draft_invoice, invoice.finalize_invoice, correct.settle, control.tie_out, control.refuse_unsigned],
        ),
        "ledger": Queue(
            options.LEDGER_QUEUE,
            (),
            [
                post.post_entries,
                post.accrue_waiting,
                post.lock_period,
                correct.post,
                Payments(outside).apply_event,
                notify.send,
                control.reopen,
                Openings(outside).take_over,
                Book(outside).book_event,
                publish.publish_close,
                publish.seal_evidence,
                publish.seal_month,
            ],
            outside.at_one_instant,
        ),
        "webhooks": Queue(options.WEBHOOK_QUEUE, (), [webhooks.deliver]),
    }


ROLES = ("workflows", "usage", "stripe", "ledger", "webhooks")
