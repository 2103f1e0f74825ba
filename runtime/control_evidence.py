"""Control evidence: one control's rows of one period written as files for an auditor, each with its SHA-256."""

import hashlib
import json
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from sqlalchemy import text

from adapters.postgres.journals import PostgresJournal
from adapters.postgres.sessions import Database
from adapters.postgres.support import PostgresSupport
from models.control_evidence import ControlManifest, EvidenceFile
from models.entity import DEFAULT, Entity
from models.refusal import Refusal
from models.support import Support
from models.value import canonical_json

MANIFEST = "manifest.json"


class ControlName(StrEnum):
    """The controls an auditor may take evidence of."""

    APPROVALS = "approvals"  # who decided what about statements, and the workflow's verdicts
    CORRECTIONS = "corrections"  # with their steps and materiality
    TIE_OUTS = "tie-outs"  # every one that was computed, and its signatures
    LOCKS = "locks"  # locks and reopenings
    RATES = "rates"  # changes of the catalog: proposer, approver, simulation
    EVENTS = "events"  # what two people booked that no statement has, with its entries
    PAYMENTS = "payments"  # what the platform told, and what became of it
    JOURNAL = "journal"  # what was posted beside the closes, with the documents that re-perform it


_QUERIES: dict[ControlName, dict[str, str]] = {
    ControlName.APPROVALS: {
        "decisions": "SELECT body FROM decisions WHERE period = :month AND revision < 501 ORDER BY position",
        "verdicts": "SELECT body FROM verdicts WHERE period = :month AND revision < 501 ORDER BY position",
        "starts": "SELECT to_jsonb(s)::text AS body FROM close_starts s WHERE period = :month ORDER BY position",
    },
    ControlName.CORRECTIONS: {
        "corrections": "SELECT body FROM corrections WHERE period = :month ORDER BY position",
        "steps": "SELECT s.body FROM correction_steps s JOIN corrections c ON c.id = s.correction"
        " WHERE c.period = :month ORDER BY s.position",
        "entries": "SELECT e.body FROM journal_entries e JOIN corrections c ON e.key = 'correction/' || c.id"
        " OR e.key LIKE 'correction/' || c.id || '/%' WHERE c.period = :month ORDER BY e.position",
    },
    ControlName.TIE_OUTS: {
        "tie_outs": "SELECT body FROM tie_outs WHERE period = :month ORDER BY position",
        "signatures": "SELECT body FROM decisions WHERE period = :month AND kind = 'sign_tie_out' ORDER BY position",
    },
    ControlName.LOCKS: {
        "locks": "SELECT to_jsonb(l)::text AS body FROM period_locks l WHERE period = :month",
        "reopenings": "SELECT to_jsonb(r)::text AS body FROM period_reopenings r WHERE period = :month"
        " ORDER BY position",
        "relocks": "SELECT to_jsonb(k)::text AS body FROM period_relocks k JOIN period_reopenings r USING (decision)"
        " WHERE r.period = :month ORDER BY k.locked_at",
        "decisions": "SELECT body FROM decisions WHERE period = :month AND kind IN ('lock', 'ask_reopen', 'reopen')"
        " ORDER BY position",
    },
    ControlName.RATES: {
        "proposals": "SELECT body FROM rate_proposals WHERE to_char(recorded_at AT TIME ZONE 'UTC', 'YYYY-MM') = :month"
        " ORDER BY position",
        "steps": "SELECT s.body FROM rate_change_steps s JOIN rate_proposals p ON p.id = s.proposal"
        " WHERE to_char(p.recorded_at AT TIME ZONE 'UTC', 'YYYY-MM') = :month ORDER BY s.position",
    },
    ControlName.EVENTS: {
        "events": "SELECT body FROM booked_events WHERE to_char(happened_on, 'YYYY-MM') = :month ORDER BY position",
        "decisions": "SELECT d.body FROM decisions d JOIN booked_events b ON d.id IN (b.proposal, b.approval)"
        " WHERE to_char(b.happened_on, 'YYYY-MM') = :month ORDER BY d.position",
        "entries": "SELECT e.body FROM journal_entries e JOIN booked_events b"
        " ON e.key = left('event/' || b.contract || '/' || b.id, 128)"
        " WHERE to_char(b.happened_on, 'YYYY-MM') = :month ORDER BY e.position",
    },
    ControlName.PAYMENTS: {
        "events": "SELECT body FROM stripe_events WHERE to_char(created AT TIME ZONE 'UTC', 'YYYY-MM') = :month"
        " ORDER BY position",
        "fates": "SELECT f.body FROM stripe_event_fates f JOIN stripe_events e ON e.id = f.event"
        " WHERE to_char(e.created AT TIME ZONE 'UTC', 'YYYY-MM') = :month ORDER BY f.position",
    },
}

SUPPORT = "support"
"""The file of ControlName.JOURNAL: a customer a row."""


class FolderNotEmpty(Refusal):
    """Evidence is never written over something that is there."""

    remedy = "Name a folder that does not exist yet."


class NotAnExport(Refusal):
    """A folder has no manifest: nothing says what should be in it."""

    remedy = "Name a folder that tieout audit export wrote, whole."


def export(
    database: Database, control: ControlName, month: str, folder: Path, at: datetime, entity: Entity = DEFAULT
) -> ControlManifest:
    """Write one control's evidence into a new folder and a zip beside it; return the manifest that is in both.

    Each file holds one JSON row a line, in the order they were recorded, as the auditor's role reads them. `entity` is
    whose policies events were booked under.

    Raises:
        FolderNotEmpty: the folder or its zip is there.
    """
    packed = folder.with_name(f"{folder.name}.zip")
    if folder.exists() or packed.exists():
        raise FolderNotEmpty("something is there already", folder=folder)
    head = PostgresJournal(database).head()
    rows = _rows(database, control, month, entity)
    folder.mkdir(parents=True)
    files = []
    for name, bodies in rows.items():
        content = "".join(f"{canonical_json(json.loads(body))}\n" for body in bodies).encode()
        (folder / f"{name}.jsonl").write_bytes(content)
        files.append(EvidenceFile(name=f"{name}.jsonl", sha256=hashlib.sha256(content).hexdigest(), rows=len(bodies)))
    manifest = ControlManifest(control=control.value, month=month, at=at, chain_head=head, files=tuple(files))
    (folder / MANIFEST).write_text(manifest.canonical() + "\n")
    with zipfile.ZipFile(packed, "x", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.iterdir()):
            archive.write(path, path.name)
    return manifest


def _rows(database: Database, control: ControlName, month: str, entity: Entity) -> Mapping[str, Sequence[Any]]:
    if control is ControlName.JOURNAL:
        return {SUPPORT: [one.canonical() for one in PostgresSupport(database, entity).of_month(month)]}
    with database.reading() as session:
        return {
            name: session.connection().execute(text(sql), {"month": month}).scalars().all()
            for name, sql in _QUERIES[control].items()
        }


def supports(folder: Path) -> Iterator[Support]:
    """Yield what an export of the journal holds, by customer; nothing of another control's, or of a changed file."""
    name = f"{SUPPORT}.jsonl"
    if (folder / name).is_file() and name not in differing(folder):
        with (folder / name).open() as rows:
            for row in rows:
                yield Support.from_text(row)


def differing(folder: Path) -> tuple[str, ...]:
    """Return the files of an export that are not as its manifest says: changed, missing or added.

    Raises:
        NotAnExport: there is no manifest.
    """
    if not (folder / MANIFEST).is_file():
        raise NotAnExport("no manifest is in it", folder=folder)
    manifest = ControlManifest.from_text((folder / MANIFEST).read_text())
    named = {one.name: one.sha256 for one in manifest.files}
    there = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}
    there.pop(MANIFEST)
    return tuple(sorted(name for name in named.keys() | there.keys() if named.get(name) != there.get(name)))
