"""`tieout audit check-export`: an exported journal made again from its documents, by the folder alone."""

import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path

from typer.testing import CliRunner, Result

from cli.main import app
from models.control_evidence import ControlManifest, EvidenceFile
from runtime.control_evidence import NotAnExport
from tests.billing.test_vouching import lived

AT = datetime(2026, 12, 1, tzinfo=UTC)


def exported(folder: Path, row: str) -> Path:
    """Write what an export of November's journal holds: one customer's row, and a manifest that is of it."""
    body = f"{row}\n".encode()
    file = EvidenceFile(name="support.jsonl", sha256=hashlib.sha256(body).hexdigest(), rows=1)
    manifest = ControlManifest(control="journal", month="2026-11", at=AT, chain_head="0" * 64, files=(file,))
    folder.mkdir()
    (folder / "support.jsonl").write_bytes(body)
    (folder / "manifest.json").write_text(manifest.canonical() + "\n")
    return folder


def checked(folder: Path, *more: str) -> Result:
    return CliRunner().invoke(app, ["audit", "check-export", str(folder), *more])


def test_a_whole_export_is_made_again_and_says_how_much(tmp_path: Path) -> None:
    run = checked(exported(tmp_path / "journal", lived().canonical()))
    assert run.exit_code == 0, run.output
    assert "(customers: 1), 0 differ." in run.stdout
    assert "The export is as its manifest says." in run.stdout


def test_a_forged_amount_is_told_by_document_line_and_both_amounts_though_the_manifest_is_forged_too(
    tmp_path: Path,
) -> None:
    tree = json.loads(lived().canonical())
    tree["booked"][0]["event"]["amount"] = "51"
    folder = exported(tmp_path / "journal", json.dumps(tree))
    run = checked(folder)
    assert run.exit_code == 1
    said = " ".join(run.stdout.split())
    line = "journal of acme: event write_off-1: event/acme-2026/write_off-1 line 2 differs"
    assert f"{line}: evidence 1100 -50.00 USD, recomputed 1100 -51.00 USD" in said
    told = json.loads(checked(folder, "--json").stdout)
    assert told["differing"] == []
    assert {check["name"] for one in told["verified"] for check in one["checks"]} >= {"event write_off-1: two people"}


def test_a_folder_without_a_manifest_is_refused(tmp_path: Path) -> None:
    run = checked(tmp_path)
    assert isinstance(run.exception, NotAnExport)
    assert "audit export" in run.exception.remedy


def test_a_changed_file_is_named_and_not_read(tmp_path: Path) -> None:
    folder = exported(tmp_path / "journal", lived().canonical())
    with (folder / "support.jsonl").open("a") as file:
        file.write(" ")
    run = checked(folder)
    assert run.exit_code == 1
    assert run.stdout.strip() == "not as exported: support.jsonl"
