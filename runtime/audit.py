"""Audit: verify a month from its evidence alone: the manifest's root, each pack, each re-performed stage."""

import hashlib
from collections.abc import Callable, Iterator

from activities.ports import ObjectStore
from activities.publish import folder
from billing import slices
from billing.reperform import ENGINE, Check, instants_of, reperform
from billing.sealing import fingerprint_of_buckets, fingerprint_of_rows
from models.evidence import EvidencePack, Manifest, SealedPack
from models.journal import ChainState
from models.refusal import Refusal
from models.value import Value


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


class Audit:
    """The evidence of a month, read back and re-performed."""

    def __init__(self, store: ObjectStore, engine: str) -> None:
        self._store = store
        self._engine = engine

    def manifest(self, month: str, revision: int, root: str | None) -> Manifest:
        """Return the month's manifest; with a root from outside, the one that has it.

        Raises:
            NoEvidence: there is none, or several and no root.
        """
        found = [
            uri
            for uri in self._store.uris(f"{folder(month, revision)}/manifest-")
            if root is None or uri.endswith(f"manifest-{root}.json")
        ]
        if len(found) != 1:
            raise NoEvidence(f"{len(found)} manifests fit", month=month, revision=revision, root=root or "not given")
        return Manifest.from_text(self._store.get(found[0]).decode())

    def verify(
        self, manifest: Manifest, root: str | None, progress: Callable[[str], None] = lambda _: None
    ) -> Iterator[Verified]:
        """Yield the month's own checks, then each customer's."""
        yield Verified(subject=manifest.month, checks=tuple(self._month(manifest, root)))
        for sealed in manifest.packs:
            progress(sealed.customer)
            yield Verified(subject=sealed.customer, checks=tuple(self._customer(manifest, sealed)))

    def _month(self, manifest: Manifest, root: str | None) -> Iterator[Check]:
        if root is not None:
            yield Check(name="root", evidence=root, recomputed=manifest.fingerprint())
        for snapshot in manifest.snapshots:
            yield Check(
                name=f"snapshot {snapshot.source}",
                evidence=snapshot.rows.content_fingerprint,
                recomputed=fingerprint_of_rows(self._store.path(snapshot.rows), snapshot.match),
            )
            yield Check(
                name=f"buckets of {snapshot.source}",
                evidence=snapshot.buckets.content_fingerprint,
                recomputed=fingerprint_of_buckets(self._store.path(snapshot.buckets)),
            )

    def _customer(self, manifest: Manifest, sealed: SealedPack) -> Iterator[Check]:
        history = hashlib.sha256(self._store.get(sealed.history)).hexdigest()
        yield Check(name="history", evidence=sealed.history_sha256, recomputed=history)
        if sealed.pack is None or sealed.pack_fingerprint is None:
            return
        pack = EvidencePack.from_text(self._store.get(sealed.pack).decode())
        yield Check(name="pack", evidence=sealed.pack_fingerprint, recomputed=pack.fingerprint())
        yield from reperform(
            pack,
            slices.slices_of(
                pack.customer,
                pack.snapshots,
                pack.policy,
                lambda: manifest.known_customers,
                self._store.path,
                instants_of(pack),
            ),
            self._engine,
        )
