"""Audit: verify a month from its evidence alone: the manifest's root, each pack, each re-performed stage.

What was posted beside the closes (corrections, payments, booked events, openings) is re-performed from its documents,
as the auditor's role reads them in the books or as they were exported.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path

from activities.ports import ObjectStore
from activities.publish import folder
from adapters.object_store import EvidenceChanged
from billing import slices
from billing.reperform import ENGINE, Check, instants_of, reperform
from billing.sealing import fingerprint_of_buckets, fingerprint_of_rows
from billing.vouching.month import vouch
from models.evidence import EvidencePack, Manifest, SealedPack
from models.journal import ChainState
from models.refusal import Refusal
from models.snapshot import Artifact, Snapshot
from models.support import Support
from models.value import Value, fingerprint_of


class NoEvidence(Refusal):
    """The object store has no sealed evidence of the month, or more than one without a root to choose by."""

    remedy = "Name the root you hold from outside the evidence: --root HASH."


class Verified(Value):
    """What was verified of one customer (or of the month itself): its checks."""

    subject: str
    checks: tuple[Check, ...]

    @property
    def differing(self) -> tuple[Check, ...]:
        """The checks of the evidence that do not agree; another engine alone is no difference of the evidence."""
        return tuple(check for check in self.checks if not check.agrees and check.name != ENGINE)

    @property
    def other_engine(self) -> bool:
        """Whether another engine than the evidence's re-performed it: then a difference may be one of the rules."""
        return any(check.name == ENGINE and not check.agrees for check in self.checks)


def chain_verified(state: ChainState) -> Verified:
    """Return the journal's own check: where it is not whole, the first entry that differs, and why."""
    said = f"{state.first_difference}: {state.reason}" if state.first_difference else "whole"
    return Verified(subject="journal", checks=(Check(name="chain", evidence="whole", recomputed=said),))


def vouched(support: Support) -> Verified:
    """Return the checks of what was posted of one customer beside its close, each difference by document and line."""
    return Verified(subject=f"journal of {support.customer}", checks=vouch(support))


class Audit:
    """The evidence of a month, read back and re-performed."""

    def __init__(self, store: ObjectStore, engine: str) -> None:
        self._store = store
        self._engine = engine

    def manifest(self, month: str, revision: int, root: str | None) -> Manifest:
        """Return the month's manifest; with a root from outside, the one that has it.

        Raises:
            NoEvidence: there is none, or several and no root. EvidenceChanged: a byte of it is another.
        """
        found = [
            uri
            for uri in self._store.uris(f"{folder(month, revision)}/manifest-")
            if root is None or uri.endswith(f"manifest-{root}.json")
        ]
        if len(found) != 1:
            raise NoEvidence(f"{len(found)} manifests fit", month=month, revision=revision, root=root or "not given")
        body, named = self._store.get(found[0]), found[0].rsplit("manifest-", 1)[-1].removesuffix(".json")
        if hashlib.sha256(body).hexdigest() != named:
            raise EvidenceChanged("the bytes are not the sealed ones", uri=found[0])
        return Manifest.from_text(body.decode())

    def verify(
        self, manifest: Manifest, root: str | None, progress: Callable[[str], None] = lambda _: None
    ) -> Iterator[Verified]:
        """Yield the month's own checks, then each customer's."""
        yield Verified(subject=manifest.month, checks=tuple(self._month(manifest, root)))
        whole = {
            snapshot.fingerprint(): snapshot
            for snapshot in manifest.snapshots
            if self._is_whole(snapshot.rows) and self._is_whole(snapshot.buckets)
        }
        for sealed in manifest.packs:
            progress(sealed.customer)
            yield Verified(subject=sealed.customer, checks=tuple(self._customer(manifest, sealed, whole)))

    def _month(self, manifest: Manifest, root: str | None) -> Iterator[Check]:
        if root is not None:
            yield Check(name="root", evidence=root, recomputed=manifest.fingerprint())
        for snapshot in manifest.snapshots:
            rows, buckets = snapshot.rows, snapshot.buckets
            yield self._content(f"snapshot {snapshot.source}", rows, partial(fingerprint_of_rows, match=snapshot.match))
            yield self._content(f"buckets of {snapshot.source}", buckets, fingerprint_of_buckets)

    def _customer(self, manifest: Manifest, sealed: SealedPack, whole: Mapping[str, Snapshot]) -> Iterator[Check]:
        history = hashlib.sha256(self._store.get(sealed.history)).hexdigest()
        yield Check(name="history", evidence=sealed.history_sha256, recomputed=history)
        if sealed.pack is None or sealed.pack_fingerprint is None:
            return
        body = self._store.get(sealed.pack)
        found = hashlib.sha256(body).hexdigest()
        yield Check(name=f"pack {sealed.pack}", evidence=sealed.pack_fingerprint, recomputed=found)
        if found != sealed.pack_fingerprint:
            return
        pack = EvidencePack.from_text(body.decode())
        usage = pack.reconciliation.usage
        yield self._content("reconciled usage", usage, lambda _: usage.content_fingerprint)
        known = fingerprint_of("\n".join(manifest.known_customers))
        yield Check(name="known customers", evidence=pack.known_customers, recomputed=known)
        sealed_for = ", ".join(one.fingerprint() for one in manifest.snapshots)
        yield Check(name="snapshots", evidence=", ".join(pack.snapshots), recomputed=sealed_for)
        if not whole.keys() >= set(pack.snapshots):
            return  # the snapshot that is not whole is named with the month
        yield from reperform(
            pack,
            slices.slices_of(
                pack.customer,
                [whole[one] for one in pack.snapshots],
                pack.policy,
                lambda: manifest.known_customers,
                self._store.path,
                instants_of(pack),
            ),
            self._engine,
        )

    def _content(self, name: str, artifact: Artifact, fingerprint: Callable[[Path], str]) -> Check:
        """Return the check of a file's content; of one whose bytes are others, without reading what they say."""
        if not self._is_whole(artifact):
            said = f"other bytes at {artifact.uri}"
            return Check(name=name, evidence=artifact.content_fingerprint, recomputed=said)
        found = fingerprint(self._store.path(artifact))
        return Check(name=name, evidence=artifact.content_fingerprint, recomputed=found)

    def _is_whole(self, artifact: Artifact) -> bool:
        """Return whether the stored bytes are the sealed ones: read anew, whatever this machine has a copy of."""
        return hashlib.sha256(self._store.get(artifact.uri)).hexdigest() == artifact.sha256
