"""One control's evidence, as an auditor takes it away."""

import json
import zipfile
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import psycopg
import pytest

from adapters.postgres.controls import PostgresControls
from adapters.postgres.journals import PostgresJournal
from billing import controls
from models.control import TieOutName
from runtime import control_evidence
from runtime.control_evidence import ControlName, FolderNotEmpty
from tests.postgres_fixture import Books

pytestmark = pytest.mark.stack
AT = datetime(2026, 11, 5, tzinfo=UTC)


def test_a_controls_evidence_is_files_with_checksums_and_a_zip(fresh_database: Books, tmp_path: Path) -> None:
    worker = fresh_database.as_role("worker")
    for right in ("1.00", "2.00"):  # both are kept: the one that was signed first, and the one that moved
        one = controls.tie_out(TieOutName.STRIPE, "2026-10", {}, {("i", "USD"): Decimal(right)})
        PostgresControls(worker).keep(one, AT)
    folder = tmp_path / "tie-outs"
    auditor = fresh_database.as_role("auditor")
    manifest = control_evidence.export(auditor, ControlName.TIE_OUTS, "2026-10", folder, AT)
    assert {one.name: one.rows for one in manifest.files} == {"tie_outs.jsonl": 2, "signatures.jsonl": 0}
    rows = [json.loads(line) for line in (folder / "tie_outs.jsonl").read_text().splitlines()]
    assert [row["lines"][0]["right"] for row in rows] == ["1", "2"]
    with zipfile.ZipFile(tmp_path / "tie-outs.zip") as archive:
        assert sorted(archive.namelist()) == ["manifest.json", "signatures.jsonl", "tie_outs.jsonl"]
    assert control_evidence.differing(folder) == ()
    (folder / "signatures.jsonl").write_text("{}\n")
    (folder / "another").write_text("")
    assert control_evidence.differing(folder) == ("another", "signatures.jsonl")
    with pytest.raises(FolderNotEmpty):
        control_evidence.export(auditor, ControlName.TIE_OUTS, "2026-10", folder, AT)


@pytest.mark.parametrize("control", list(ControlName))
def test_every_control_can_be_exported_by_the_auditor(control: ControlName, database: Books, tmp_path: Path) -> None:
    manifest = control_evidence.export(database.as_role("auditor"), control, "2026-01", tmp_path / "x", AT)
    assert manifest.control == control.value
    assert manifest.chain_head == PostgresJournal(database.as_role("auditor")).head()


@pytest.mark.parametrize(
    "table", ["corrections", "correction_steps", "stripe_events", "tie_outs", "period_reopenings", "period_relocks"]
)
def test_the_auditor_writes_nothing_and_the_hook_keeps_events_alone(database: Books, table: str) -> None:
    for role in ("auditor", "hooks"):
        if (role, table) == ("hooks", "stripe_events"):
            continue
        with database.connect(role) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(f"INSERT INTO tieout.{table} DEFAULT VALUES")
    with database.connect("hooks") as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute("SELECT body FROM tieout.stripe_events")
