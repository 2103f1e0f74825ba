"""Again: every deed of a closed month run a second time; what it changed is told, and it must be nothing."""

from collections.abc import Sequence

from temporalio.testing import ActivityEnvironment

from activities.approve import Approve
from activities.collect import Collect
from activities.deeds import Outside
from activities.invoice import InvoiceDeeds
from activities.messages import (
    AskApproval,
    CompareSources,
    CustomerRef,
    DraftRef,
    FinalizeDraft,
    PostRevenue,
    PublishClose,
    RateUsage,
    SealMonth,
    SealSource,
    StatementDeed,
)
from activities.post import Post
from activities.publish import Publish
from activities.rate import Rate
from activities.recognize import Recognize
from activities.reconcile import Reconcile
from models.close import Standing, State


def run(outside: Outside, month: str, standings: Sequence[Standing]) -> list[str]:
    """Return what a second run of every deed changed, in words; empty when it changed nothing."""
    deeds = ActivityEnvironment()
    changed = []
    collect = Collect(outside)
    for source in sorted(outside.sources):
        kept = outside.evidence.snapshot(source, month, 1)
        again = deeds.run(collect.seal_source, SealSource(month=month, revision=1, source=source))
        if kept is None or again.fingerprint != kept.rows.content_fingerprint:
            changed.append(f"collect {source}")
    head, evidence = outside.journal.head(), outside.store.uris("")
    for standing in standings:
        if standing.state is State.DONE:
            changed += _customer(outside, deeds, month, standing)
    deeds.run(Publish(outside).seal_month, SealMonth(month=month, revision=1))
    if outside.journal.head() != head:
        changed.append("the journal")
    if new := set(outside.store.uris("")) - set(evidence):
        changed.append(f"the evidence: {sorted(new)[0]}")
    return changed


def _customer(outside: Outside, deeds: ActivityEnvironment, month: str, before: Standing) -> list[str]:
    close = CustomerRef(month=month, revision=1, customer=before.customer)
    kept = before.references
    slices = deeds.run(Collect(outside).take_slices, close)
    reconciled = deeds.run(
        Reconcile(outside).compare_sources,
        CompareSources(close=close, snapshots=tuple(ref.fingerprint for ref in slices.snapshots)),
    )
    statement = deeds.run(Rate(outside).rate_usage, RateUsage(close=close, reconciliation=reconciled.fingerprint))
    deeds.run(Approve(outside).ask_approval, AskApproval(close=close, statement=statement.fingerprint))
    deed = StatementDeed(close=close, statement=statement.fingerprint)
    invoices = InvoiceDeeds(outside)
    draft: DraftRef = deeds.run(invoices.draft_invoice, deed)
    issued = deeds.run(
        invoices.finalize_invoice, FinalizeDraft(close=close, statement=statement.fingerprint, draft=draft)
    )
    deeds.run(Recognize(outside).schedule_revenue, deed)
    deeds.run(
        Post(outside).post_entries,
        PostRevenue(close=close, statement=statement.fingerprint, invoice=issued.reference),
    )
    published = deeds.run(
        Publish(outside).publish_close,
        PublishClose(close=close, statement=statement.fingerprint, invoice=issued.reference),
    )
    now = {
        "statement": statement.fingerprint,
        "stripe_id": draft.stripe_id,
        "number": issued.number,
        "evidence_fingerprint": published.fingerprint,
    }
    return [f"{before.customer} {name}" for name, value in now.items() if kept.get(name) != value]
