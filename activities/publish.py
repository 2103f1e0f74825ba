"""publish: the evidence pack of a customer's month, its archived history, and the month's manifest."""

import asyncio
import hashlib
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache

from temporalio import activity

from activities.collect import still_alive
from activities.deeds import Outside
from activities.messages import (
    CustomerClosed,
    CustomerRef,
    PublishClose,
    PublishedRef,
    SealEvidence,
    SealMonth,
)
from billing import carried, recognition, terms
from models.close import Stage, Standing, State
from models.evidence import EvidencePack, Manifest, SealedPack
from models.reconciliation import Reconciliation
from models.refusal import Refusal
from models.snapshot import Snapshot
from models.value import fingerprint_of

ENDED = frozenset({State.DONE, State.SKIPPED})

READ_AT_ONCE = 8
"""Sealed packs read from the object store at a time."""


class EvidenceIncomplete(Refusal):
    """A stage left nothing to publish."""

    remedy = "Look at the stages before; a pack is whole or not at all."


class StillRunning(Exception):
    """Another parent's close has not ended yet; the poll goes on."""


class Publish:
    """The deeds of the eighth stage."""

    def __init__(self, outside: Outside) -> None:
        self.outside = outside

    @activity.defn(name="publish.publish_close")
    def publish_close(self, task: PublishClose) -> PublishedRef:
        """Keep the evidence pack of a customer's month and mark the month done; return the pack's fingerprint."""
        outside, close = self.outside, task.close
        pack = self._pack(task)
        body = pack.canonical()
        fingerprint = fingerprint_of(body)
        uri = outside.store.put(
            f"{folder(close.month, close.revision)}/{close.customer}/{fingerprint}.json",
            body.encode(),
            "application/json",
        )
        outside.closes.project(
            close.month,
            close.revision,
            close.customer,
            Stage.PUBLISH,
            State.DONE,
            outside.clock.now(),
            "",
            evidence=uri,
            evidence_fingerprint=fingerprint,
        )
        return PublishedRef(uri=uri, fingerprint=fingerprint)

    @activity.defn(name="publish.seal_evidence")
    async def seal_evidence(self, task: SealEvidence) -> str:
        """Archive the history of a finished customer close beside its pack; return the history's uri."""
        history = (await self.outside.histories.history(task.workflow_id, task.run_id)).encode()
        return await asyncio.to_thread(self._seal, task, history)

    @activity.defn(name="publish.seal_month")
    def seal_month(self, task: SealMonth) -> str:
        """Write the month's manifest over all sealed packs and return its root; the first manifest stands."""
        outside = self.outside
        prefix = f"{folder(task.month, task.revision)}/sealed/"
        with still_alive(), ThreadPoolExecutor(READ_AT_ONCE) as readers:
            kept = readers.map(outside.store.get, outside.store.uris(prefix))
            packs = [SealedPack.from_text(body.decode()) for body in kept]
        manifest = Manifest(
            month=task.month,
            revision=task.revision,
            engine=outside.engine,
            known_customers=outside.terms.population(task.month),
            snapshots=_snapshots(outside, task.month, task.revision),
            packs=tuple(sorted(packs, key=lambda pack: pack.customer)),
        )
        body = manifest.canonical()
        root = fingerprint_of(body)
        outside.store.put(
            f"{folder(task.month, task.revision)}/manifest-{root}.json",
            body.encode(),
            "application/json",
        )
        return outside.closes.keep_root(task.month, task.revision, root, outside.clock.now())

    @activity.defn(name="publish.await_closed")
    def await_closed(self, task: CustomerRef) -> CustomerClosed:
        """Return how another parent's close of this customer ended; raises until it has."""
        standing = self.outside.closes.standing(task.month, task.revision, task.customer)
        if standing is None or standing.state not in ENDED:
            raise StillRunning(f"{task.customer} {task.month} is not closed yet")
        return CustomerClosed(
            customer=task.customer,
            state=standing.state,
            statement=standing.references.get("statement"),
            invoice=standing.references.get("invoice"),
            evidence=standing.references.get("evidence_fingerprint"),
            reason=standing.detail,
        )

    def _seal(self, task: SealEvidence, history: bytes) -> str:
        outside, close = self.outside, task.close
        digest = hashlib.sha256(history).hexdigest()
        where = folder(close.month, close.revision)
        uri = outside.store.put(f"{where}/{close.customer}/history-{digest}.json", history, "application/json")
        standing = self._standing(close)
        sealed = SealedPack(
            customer=close.customer,
            state=standing.state.value,
            pack=standing.references.get("evidence"),
            pack_fingerprint=standing.references.get("evidence_fingerprint"),
            history=uri,
            history_sha256=digest,
        )
        outside.store.put(f"{where}/sealed/{close.customer}.json", sealed.canonical().encode(), "application/json")
        return uri

    def _standing(self, close: CustomerRef) -> Standing:
        standing = self.outside.closes.standing(close.month, close.revision, close.customer)
        if standing is None:
            raise EvidenceIncomplete("the close has no standing", customer=close.customer, month=close.month)
        return standing

    def _pack(self, task: PublishClose) -> EvidencePack:
        outside, close = self.outside, task.close
        statement = outside.evidence.statement(task.statement)
        reconciliation = self._reconciliation(statement.reconciliation)
        found = outside.invoices.invoice(task.invoice)
        if found is None or found[1] is None:
            raise EvidenceIncomplete("the invoice is not issued", reference=task.invoice)
        prior = outside.evidence.issued_statements(statement.contract, close.month)
        run = f"{close.month}@{close.revision}"
        standing = self._standing(close)
        posted_to = standing.references.get("posted_to", close.month)
        booked = outside.journal.entries(None, close.customer)
        verdicts = outside.closes.verdicts(close.month, close.revision, close.customer)
        contracts = terms.in_force(outside.terms.contracts(close.customer), close.customer, close.month)
        opening = outside.terms.opening(statement.contract)
        versions = tuple(
            sorted({statement.contract_version, *(x.explanation.contract_version for x in statement.lines)})
        )
        estimates = outside.estimates.estimates(statement.contract)
        return EvidencePack(
            month=close.month,
            revision=close.revision,
            customer=close.customer,
            engine=outside.engine,
            snapshots=tuple(_name_of(one) for one in _snapshots(outside, close.month, close.revision)),
            known_customers=fingerprint_of("\n".join(outside.terms.population(close.month))),
            policy=outside.policy,
            authorities=outside.terms.authorities(),
            contracts=contracts,
            rates=outside.terms.rates(outside.evidence.rated_at(task.statement)),
            opening=opening,
            prior=prior,
            corrections=tuple(
                one.correction
                for one in outside.corrections.of_customer(close.customer)
                if one.correction.id in carried.carried_by(statement)
            ),
            resolutions=outside.evidence.resolutions(close.month, close.revision, close.customer),
            decisions=outside.closes.decisions(close.month, close.revision, close.customer),
            verdicts=verdicts,
            starters=tuple(sorted(outside.closes.starters(close.month, close.revision))),
            proposers=tuple(sorted(outside.terms.proposers(versions, statement.rate_versions))),
            reconciliation=reconciliation,
            statement=statement,
            invoice=found[0],
            issued=found[1],
            entity=outside.entity,
            estimates=estimates,
            schedule=recognition.schedule_for(statement, prior, contracts, opening, outside.entity, estimates),
            prior_accruals=tuple(entry for entry in booked if entry.close_run == run and entry.accrued),
            posted_to=posted_to,
            entries=tuple(entry for entry in booked if entry.close_run == run and not entry.accrued),
        )

    def _reconciliation(self, fingerprint: str | None) -> Reconciliation:
        if fingerprint is None:
            raise EvidenceIncomplete("the statement names no reconciliation")
        return self.outside.evidence.reconciliation(fingerprint)


def folder(month: str, revision: int) -> str:
    """Return the folder of a month's evidence in the object store."""
    return f"evidence/{month}@{revision}"


@lru_cache(maxsize=64)
def _name_of(snapshot: Snapshot) -> str:
    """Return a snapshot's fingerprint: it names every customer, and every customer's pack names it."""
    return snapshot.fingerprint()


def _snapshots(outside: Outside, month: str, revision: int) -> tuple[Snapshot, ...]:
    found = (outside.evidence.snapshot(name, month, revision) for name in sorted(outside.sources))
    return tuple(snapshot for snapshot in found if snapshot is not None)
