"""A month closed by hand, verb by verb, as finance does it in a terminal; exit codes and refusals on the way."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest

from models.control import TieOut

ROOT = Path(__file__).resolve().parents[2]
BARE = {name: text for name, text in os.environ.items() if not name.startswith("TIEOUT_")}

pytestmark = [pytest.mark.stack, pytest.mark.slow, pytest.mark.xdist_group("demo")]


class Terminal:
    """Runs verbs against one running stack."""

    def __init__(self, state: Path, **more: str) -> None:
        self.environment = {**BARE, "PYTHONPATH": str(ROOT), "TIEOUT_STATE": str(state), **more}

    def run(self, *words: str) -> tuple[int, str]:
        """Return a verb's exit code and what it printed."""
        done = subprocess.run(
            (sys.executable, "-m", "cli", *words),
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        return done.returncode, done.stdout + done.stderr

    def ok(self, *words: str) -> Any:
        """Return what a verb printed as JSON; codes 0 and 3 are both answers."""
        code, said = self.run(*words, "--json")
        assert code in (0, 3), said
        return json.loads(said)


@pytest.fixture(scope="module")
def terminal() -> Iterator[Terminal]:
    folder = Path(tempfile.mkdtemp(prefix="tieout-hand-"))
    folder.chmod(0o755)
    state = folder / "state"
    stack = subprocess.Popen(
        (sys.executable, "-m", "devstack.serve", "--state", str(state)),
        cwd=ROOT,
        env={**BARE, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert stack.stdout is not None
    for line in stack.stdout:
        if line.startswith("next"):
            break
    else:
        raise AssertionError("the stack did not come up")
    yield Terminal(state)
    stack.send_signal(signal.SIGINT)
    assert stack.wait(60) == 0
    shutil.rmtree(folder)


def waiting(standings: list[dict[str, Any]], stage: str, state: str) -> list[dict[str, Any]]:
    return [one for one in standings if (one["stage"], one["state"]) == (stage, state)]


OPENING = """\
schema: tieout/opening/v1
contract: delta-2026
customer: delta
currency: USD
as_of: 2026-10-01
evidence: [{note: "the former ledger's balance of 30 September"}]
balances: {deferred: "0.00", unbilled: "0.00", receivable: "512.40"}
"""


def test_a_contract_is_taken_over_by_two_people_and_the_month_is_rehearsed(terminal: Terminal, tmp_path: Path) -> None:
    month, file = "2026-10", tmp_path / "opening.yaml"
    file.write_text(OPENING)
    open_it = ("contract", "open", str(file), "--as")
    code, said = terminal.run(*open_it, "erik")
    assert (code, "may not propose_opening" in said) == (4, True), said
    assert [terminal.run(*open_it, "pia")[0] for _ in range(2)] == [3, 3]  # she cannot approve what she proposed
    opened = terminal.ok(*open_it, "cora")
    assert (opened["proposed_by"], opened["approved_by"]) == ("pia", "cora")
    assert opened["opened"]["entry"] == "opening/delta-2026"
    file.write_text(OPENING.replace('receivable: "512.40"', 'receivable: "512.41"'))
    assert terminal.run(*open_it, "pia")[0] == 3
    code, said = terminal.run(*open_it, "cora")
    assert (code, "taken over once" in said) == (4, True), said
    file.write_text(OPENING.replace('deferred: "0.00"', 'deferred: "1.00"'))
    code, said = terminal.run(*open_it, "pia")
    assert (code, "MalformedFile" in said, "line=" in said) == (4, True, True), said
    before = {
        (one["account"], one["balance"]) for one in terminal.ok("journal", "trial-balance", "--through", "2026-09")
    }
    assert ("3000", "-512.4") in before

    billed = tmp_path / "billed.csv"
    billed.write_text("customer,line,amount,currency\nhalo,call.minutes,1.00,USD\nnobody,call.minutes,2.00,USD\n")
    rehearsed = terminal.ok("close", "start", month, "--dry-run", "--against", str(billed), "--as", "pia")
    assert (rehearsed["revision"], len(rehearsed["statements"])) == (1001, 12)
    lines = {(one["customer"], one["line"]): one for one in rehearsed["comparison"]["lines"]}
    assert lines["nobody", "call.minutes"]["why"] == "only billed"
    assert Decimal(rehearsed["comparison"]["billed"]["USD"]) == 3
    named = sum(Decimal(one["difference"]) for one in lines.values() if one["currency"] == "USD")
    assert named == Decimal(rehearsed["comparison"]["difference"]["USD"])
    assert any(one.startswith("KITE-EU: NoContract") for one in rehearsed["waiting"])
    assert terminal.ok("invoice", "show", month) == []
    assert terminal.ok("close", "status", month) == []
    ledger = terminal.ok("pool", "show", "acme-2026")
    assert (ledger["broken"], ledger["rows"][0]["period"]) == ([], "2026-01")


def test_a_night_tells_the_lost_batch_of_the_day_before_once(terminal: Terminal) -> None:
    nights = ("2026-10-12", "2026-10-13", "2026-10-14")
    for night in nights:
        code, said = terminal.run("watch", "run", "--night", night)
        assert code in (0, 1), said
    shown = {}
    for night in nights:
        code, said = terminal.run("watch", "show", "2026-10", "--night", night, "--json")
        assert code in (0, 1), said
        shown[night] = json.loads(said)["alerts"]
    holes = {
        night: {one["concern"]["customer"] for one in alerts if one["concern"]["kind"] == "hole"}
        for night, alerts in shown.items()
    }
    assert holes == {"2026-10-12": set(), "2026-10-13": {"bolt"}, "2026-10-14": set()}
    lost = [one["concern"] for one in shown["2026-10-13"] if one["concern"]["customer"] == "bolt"]
    assert {one["currency"] for one in lost} == {"USD"}
    assert sum(Decimal(one["amount"]) for one in lost) < 0  # PostHog would have billed less
    assert terminal.ok("close", "status", "2026-10") == []  # nothing of a close was touched
    names = [one["schedule"] for one in terminal.ok("schedule", "show")]
    assert names == ["month-end-close", "nightly-watch", "notices", "usage-refresh", "webhooks", "exports"]


def test_a_month_is_closed_by_hand(terminal: Terminal) -> None:
    month = "2026-10"
    assert terminal.run("close", "status", month)[0] == 3
    code, said = terminal.run("close", "start", "2027-10", "--as", "pia")
    assert (code, "PeriodNotOver" in said) == (4, True)
    code, said = terminal.run("close", "start", month, "--as", "erik")
    assert (code, "NotYours" in said) == (4, True)
    assert terminal.run("close", "start", month, "--as", "cora")[0] == 0
    code, said = terminal.run("close", "start", month, "--as", "cora")
    assert (code, "AlreadyStarted" in said) == (4, True)

    deadline = time.monotonic() + 400
    done: list[dict[str, Any]] = []
    reversed_: list[str] = []
    while len(done) < 13:
        assert time.monotonic() < deadline
        needs = terminal.ok("close", "exceptions", month)
        for cause in sorted({one["finding"]["cause"] for one in needs["findings"]}):
            named = [one["finding"]["id"] for one in needs["findings"] if one["finding"]["cause"] == cause]
            bulk = [word for name in named for word in ("--finding", name)]
            words = ("close", "resolve", month, "--kind", cause, "--suggested", "--reason", "checked", *bulk)
            code, said = terminal.run(*words, "--as", "pia")
            assert code == 0, said
        assert all(one["at_risk"]["currency"] == "USD" for one in needs["findings"])
        for one in waiting(needs["parked"], "reconcile", "needs_attention"):
            skip = ("close", "skip", month, "--customer", one["customer"], "--reason", "an alias")
            code, said = terminal.run(*skip, "--as", "aron")
            assert (code, "wrong_role" in said) == (4, True), said
            assert terminal.run(*skip, "--as", "cora")[0] == 0
        for one in waiting(terminal.ok("close", "status", month), "approve", "waiting"):
            customer, statement = one["customer"], one["references"]["statement"]
            if customer == "bolt" and not reversed_:
                reversed_.append(_take_back(terminal, month, customer))
                continue
            approve = ("close", "approve", month, "--customer", customer, "--fingerprint")
            if customer == "delta":
                code, said = terminal.run(*approve, statement, "--as", "pia")
                assert (code, "preparer_may_not_approve" in said) == (4, True), said
                code, said = terminal.run(*approve, "0" * 64, "--as", "aron")
                assert (code, "statement_changed" in said) == (4, True), said
            if customer == "acme":  # cora started this close by hand: she prepared every statement of it
                code, said = terminal.run(*approve, statement, "--as", "cora")
                assert (code, "preparer_may_not_approve" in said) == (4, True), said
                assert terminal.run(*approve, statement, "--as", "abby")[0] == 0
            assert terminal.run(*approve, statement, "--as", "aron")[0] == 0
        standings = terminal.ok("close", "status", month)
        done = [one for one in standings if one["state"] in ("done", "skipped")]

    assert terminal.run("close", "status", month)[0] == 0
    code, said = terminal.run("close", "exceptions", month)
    assert (code, said.strip()) == (0, "Nothing needs you.")
    assert len(terminal.ok("invoice", "show", month)) == 12
    told = terminal.ok("invoice", "explain", month, "acme")
    assert {"usage", "overage", "fee", "pool_draw"} <= {line["kind"] for line in told}
    lock = ("period", "lock", month, "--reason", "reviewed", "--as")
    code, said = terminal.run(*lock, "aron")
    assert (code, "may not lock" in said) == (4, True), said
    code, said = terminal.run(*lock, "cora")
    assert (code, "NotSigned" in said, "stripe is not signed" in said) == (4, True, True), said
    assert terminal.ok("period", "status", month)["state"] == "pending"
    for one in terminal.ok("period", "tie-out", month):
        seen = TieOut.from_text(json.dumps(one)).fingerprint()[:12]
        assert terminal.run("period", "sign", month, one["name"], "--fingerprint", seen, "--as", "abby")[0] == 0
    assert terminal.ok("period", "status", month)["state"] == "ready"
    assert terminal.run(*lock, "cora")[0] == 0
    assert terminal.ok("period", "status", month)["state"] == "locked"
    balances = terminal.ok("journal", "trial-balance", "--through", month)
    assert sum(Decimal(one["balance"]) for one in balances) == 0
    assert terminal.run("doctor")[0] == 0
    assert terminal.run("rates", "list", "--at", "2026-10-21T00:00:00Z")[0] == 0
    assert terminal.run("schedule", "show")[0] == 0
    code, said = terminal.run("audit", "verify", month)
    assert (code, "The evidence agrees." in said) == (0, True), said
    ties = terminal.ok("report", "tie-out", month)
    assert [row for row in ties["rows"] if row[-1] != "yes"] == []
    for name in ("close-status", "ar-register", "revenue", "waterfall", "burn-down", "flux", "rpo", "metrics"):
        report = terminal.ok("report", name, month)
        assert report["rows"], name
        assert terminal.ok("report", name, month) == report  # the month is locked


def _take_back(terminal: Terminal, month: str, customer: str) -> str:
    """Reverse one resolution of a customer that waits for approval, give it to an owner; return the finding's id."""
    answered: list[str] = [
        one["finding"]["id"]
        for one in terminal.ok("close", "exceptions", month, "--all")["findings"]
        if one["finding"]["customer"] == customer and one["resolution"]
    ]
    words = ("close", "reverse", month, answered[0], "--reason", "another day's log", "--as", "pia")
    code, said = terminal.run(*words)
    assert code == 0, said
    (open_,) = _eventually(
        lambda: [
            one
            for one in terminal.ok("close", "exceptions", month)["findings"]
            if one["finding"]["customer"] == customer
        ],
        lambda found: len(found) == 1,
    )
    assert open_["finding"]["id"] == answered[0]
    code, said = terminal.run("close", "assign", month, answered[0], "--to", "erik", "--reason", "his", "--as", "pia")
    assert (code, "NoSuchOwner" in said) == (4, True), said
    assign = ("close", "assign", month, answered[0], "--to", "abby", "--reason", "her release", "--as", "pia")
    _eventually(lambda: terminal.run(*assign)[0], lambda code: code == 0)
    owned = terminal.ok("close", "exceptions", month)["findings"]
    assert [one["owner"] for one in owned if one["finding"]["id"] == answered[0]] == ["abby"]
    return answered[0]


def test_what_was_invoiced_is_not_reversed(terminal: Terminal) -> None:
    month = "2026-10"
    answered: list[str] = [
        one["finding"]["id"]
        for one in terminal.ok("close", "exceptions", month, "--all")["findings"]
        if one["resolution"]
    ]
    code, said = terminal.run("close", "reverse", month, answered[0], "--reason", "too late", "--as", "pia")
    assert (code, "InvoiceIssued" in said, "tieout correction propose" in said) == (4, True, True), said
    drift = terminal.run("rates", "drift", month, "--json")
    assert drift[0] == 1
    (one,) = json.loads(drift[1])
    assert (one["source"], one["dimensions"]["model"]) == ("posthog", "gemini-2.5-flash")
    assert (one["first_day"], one["ratio"]) == ("2026-10-15", "0.8")


def test_a_wrong_rate_is_corrected_by_two_people_and_served(terminal: Terminal, tmp_path: Path) -> None:
    """After the month was closed and locked: nothing billed is touched, and what it would change is told in money."""
    assert terminal.run("rates", "sync", "--as", "rita")[0] == 0  # the book was seeded from the installed table
    table = tmp_path / "2026-11-20.litellm.json"
    entry = {"litellm_provider": "openai", "input_cost_per_token": 7e-06, "source": "a table"}
    table.write_text(json.dumps({"gpt-4o": entry}))
    sync = ("rates", "sync", "--from", f"litellm={table}", "--as", "rita")
    (found,) = terminal.ok(*sync)["differences"]
    assert (found["proposed"]["amount"], found["catalog"]["amount"]) == ("0.000007", "2.5")  # both, each per its unit
    assert terminal.ok(*sync)["new"] == []
    code, said = terminal.run("rates", "approve", found["id"], "--as", "cora")
    assert (code, "NotSimulated" in said) == (4, True), said
    assert terminal.ok("rates", "simulate", found["id"])["step"] == "simulated"
    assert terminal.run("rates", "reject", found["id"], "--reason", "not what the page says", "--as", "cora")[0] == 0
    assert terminal.run("rates", "inbox")[0] == 0
    assert terminal.ok(*sync)["new"] == []  # who rejected it is not asked again
    assert terminal.run("rates", "inbox")[0] == 0
    before = terminal.ok("rates", "list", "--at", "2026-10-20T00:00:00Z")
    wrong = next(one for one in before if one["id"].startswith("list-2026/call.minutes@"))
    file = tmp_path / "right.yaml"
    file.write_text(
        "- {rate: list-2026, meter: call.minutes, from: 2026-01-01, amount: '0.06', per: 1, currency: USD,"
        " source: the price list, checked_on: 2026-11-24}\n"
    )
    code, said = terminal.run("rates", "propose", str(file), "--as", "erik")
    assert (code, "NotYourRate" in said) == (4, True), said
    (proposed,) = terminal.ok("rates", "propose", str(file), "--as", "pia")
    (again,) = terminal.ok("rates", "propose", str(file), "--as", "cora")
    assert again["proposed_by"] == "pia"  # the same proposal is one change, and hers
    assert (proposed["id"], proposed["kind"], proposed["step"]) == (again["id"], "correction", "simulated")
    moved = proposed["steps"][0]["simulation"]["moved"]
    assert {one["month"] for one in moved} == {"2026-10"}
    delta = sum(Decimal(one["then"]) - Decimal(one["now"]) for one in moved)
    assert Decimal(proposed["money"]["USD"]) == delta > 0
    invoices = terminal.ok("invoice", "show", "2026-10")
    change = proposed["id"]
    assert terminal.run("rates", "simulate", change)[0] == 0
    code, said = terminal.run("rates", "approve", change, "--as", "pia")
    assert (code, "preparer_may_not_approve" in said) == (4, True), said
    code, said = terminal.run("rates", "approve", change, "--reason", "as listed", "--as", "aron")
    assert (code, "needs_correction: 2026-10 locked" in said) == (3, True), said
    assert [one["step"] for one in terminal.ok("rates", "inbox")] == ["needs_correction"]
    code, said = terminal.run("rates", "approve", change, "--as", "abby")
    assert (code, "not_waiting" in said) == (4, True), said

    timeline = terminal.ok("rates", "show", wrong["id"])["timeline"]
    assert [(one["amount"], one["recorded_until"] is None) for one in timeline] == [("0.05", False), ("0.06", True)]
    assert (timeline[1]["proposed_by"], timeline[1]["approved_by"]) == ("pia", "aron")
    known = ("--as-known-at", wrong["recorded_at"])
    then = terminal.ok("rates", "list", "--at", "2026-10-20T00:00:00Z", *known)
    assert {one["amount"] for one in then if one["meter"] == "call.minutes"} == {"0.05"}
    assert terminal.ok("invoice", "show", "2026-10") == invoices
    assert terminal.run("audit", "verify", "2026-10")[0] == 0

    port = json.loads((Path(terminal.environment["TIEOUT_STATE"]) / "remembered" / "rate-api.json").read_text())["port"]
    code, said = terminal.run("rates", "key", "create", "--name", "x", "--as", "pia")
    assert (code, "NotYourKey" in said) == (4, True), said
    scopes = ("--scope", "rates:read", "--scope", "rates:quote")
    key = terminal.ok("rates", "key", "create", "--name", "billing", *scopes, "--as", "erik")
    line = {"meter": "call.minutes", "quantity": "12.5", "at": "2026-10-20T00:00:00Z"}
    with httpx.Client(
        base_url=f"http://127.0.0.1:{port}", headers={"Authorization": f"Bearer {key['key']}"}, trust_env=False
    ) as api:
        assert api.get(f"/v1/rates/{wrong['id']}").json()["rate"]["amount"] == "0.06"
        quoted = api.post("/v1/quote", json={"card": "list-2026", "lines": [line]}).json()
        # 12.5 minutes x 0.06
        assert (quoted["totals"], quoted["lines"][0]["version"]) == ({"USD": "0.75"}, wrong["id"])
        assert terminal.run("rates", "key", "revoke", key["id"], "--as", "erik")[0] == 0
        assert api.get("/v1/rates").status_code == 401


def test_an_issued_invoice_is_corrected_paid_and_tied_out_and_the_period_reopened(
    terminal: Terminal, tmp_path: Path
) -> None:
    """After the month was locked, by people in a terminal: what was issued stays, and every number ties again."""
    month, customer = "2026-10", "lyra"
    before = terminal.ok("invoice", "show", month, "--customer", customer)
    line = max(
        (one for one in terminal.ok("invoice", "explain", month, customer) if one["id"].startswith("usage/")),
        key=lambda one: Decimal(one["amount"]),
    )["id"]
    credit = ("invoice", "credit", month, customer, "--line", f"{line}=1.00", "--reason", "an outage")
    proposed = terminal.ok(*credit, "--as", "pia")
    assert (proposed["net"], proposed["step"], proposed["lines"][0]["originals"]) == ("-1", "proposed", [line])
    code, said = terminal.run("correction", "approve", proposed["id"], "--as", "pia")
    assert (code, "preparer_may_not_approve" in said) == (4, True), said
    assert terminal.run("correction", "approve", proposed["id"], "--as", "aron")[0] == 0
    posted = _eventually(lambda: terminal.ok("correction", "show", proposed["id"]), lambda one: one["step"] == "posted")
    assert [step["step"] for step in posted["steps"]] == ["approved", "settled", "posted"]
    after = terminal.ok("invoice", "show", month, "--customer", customer)
    assert [(one["invoice"], one["issued"]) for one in after] == [(one["invoice"], one["issued"]) for one in before]
    code, said = terminal.run(*credit[:4], "--line", f"{line}=99999", "--reason", "too much", "--as", "pia")
    assert (code, "OverCredited" in said) == (4, True), said

    ends = json.loads((Path(terminal.environment["TIEOUT_STATE"]) / "environment.json").read_text())
    stripe, key = ends["TIEOUT_STRIPE_URL"], (ends["TIEOUT_STRIPE_KEY"], "")
    httpx.post(f"{stripe}/_faults", json={"fault": "webhook_duplicate", "path": "invoice.paid"}).raise_for_status()
    paid = {"paid_out_of_band": "true"}
    httpx.post(f"{stripe}/v1/invoices/{before[0]['issued']['stripe_id']}/pay", data=paid, auth=key).raise_for_status()
    _eventually(
        lambda: terminal.ok("invoice", "events", "--all"),
        lambda events: any((one["type"], one["fate"]) == ("invoice.paid", "applied") for one in events),
    )
    assert customer not in {one["customer"] for one in terminal.ok("invoice", "aging", month)["invoices"]}

    _write_off_by_two(terminal, tmp_path / "events.jsonl")
    folder = tmp_path / "journal"
    assert terminal.run("audit", "export", "2026-11", str(folder), "--control", "journal")[0] == 0
    vouched = terminal.ok("audit", "check-export", str(folder))
    assert vouched["differing"] == []
    checks = {one["subject"]: [check["evidence"] for check in one["checks"]] for one in vouched["verified"]}
    assert f"E2 correction/{proposed['id']}" in checks[f"journal of {customer}"]
    assert any(said.startswith("A2 payment/in_") for said in checks[f"journal of {customer}"])
    assert "H2 event/halo-2026/w1" in checks["journal of halo"]
    tied = terminal.ok("period", "tie-out", month)
    assert {one["name"] for one in tied} == {"stripe", "usage", "grants", "export"}
    assert [line for one in tied for line in one["lines"] if line["left"] != line["right"]] == []
    ask = ("period", "reopen", month, "--reason", "a late invoice")
    assert terminal.run(*ask, "--as", "pia")[0] == 3
    assert terminal.run("period", "reopen", month, "--as", "pia", "--reason", "alone")[0] == 3
    assert terminal.run("period", "reopen", month, "--as", "cora")[0] == 0
    status = terminal.ok("period", "status", month)
    assert (status["state"], len(status["blockers"])) == ("reopened", 4)
    code, said = terminal.run("period", "lock", month, "--reason", "again", "--as", "cora")
    assert (code, "NotSigned" in said) == (4, True), said
    for one in status["tie_outs"]:
        seen = TieOut.from_text(json.dumps(one["tie_out"])).fingerprint()
        assert (
            terminal.run("period", "sign", month, one["tie_out"]["name"], "--fingerprint", seen, "--as", "aron")[0] == 0
        )
    code, said = terminal.run("period", "lock", month, "--reason", "again", "--as", "cora")
    assert code == 0, said
    assert terminal.ok("period", "status", month)["state"] == "locked"
    assert terminal.run("audit", "verify", month)[0] == 0


def _write_off_by_two(terminal: Terminal, file: Path) -> None:
    """Write off 10.00 of halo's invoice: pia proposes, cora approves by booking the same file."""
    event = {"event": "write_off", "id": "w1", "contract": "halo-2026", "on": "2026-11-20", "amount": "10.00"}
    people = {"invoice": "2026-10@1/halo/USD", "reason": "insolvent", "by": "pia", "approved_by": "cora"}
    file.write_text(json.dumps(event | people))
    words = ("event", "book", "halo", str(file), "--as")
    assert [terminal.run(*words, "pia")[0] for _ in range(2)] == [3, 3]
    code, said = terminal.run(*words, "erik")
    assert (code, "may not approve_event" in said) == (4, True), said
    (done,) = terminal.ok(*words, "cora")
    assert (done["booked"]["entry"], done["booked"]["debits"]) == ("event/halo-2026/w1", "10")
    assert [one["id"] for one in terminal.ok("event", "list", "halo")] == ["w1"]


def _eventually(ask: Callable[[], Any], met: Callable[[Any], bool]) -> Any:
    """Ask until the answer is met, for as long as a workflow may take."""
    deadline = time.monotonic() + 60
    while not met(said := ask()):
        assert time.monotonic() < deadline, said
        time.sleep(0.2)
    return said


def test_demo_people_do_not_exist_outside_the_embedded_stack(terminal: Terminal) -> None:
    elsewhere = Terminal(Path(terminal.environment["TIEOUT_STATE"]), TIEOUT_ENVIRONMENT="production")
    code, said = elsewhere.run("close", "start", "2026-09", "--as", "pia")
    assert (code, "NobodySigned" in said) == (4, True), said


def test_a_root_that_is_not_the_months_is_refused(terminal: Terminal) -> None:
    code, said = terminal.run("audit", "verify", "2026-10", "--root", "0" * 64)
    assert (code, "NoEvidence" in said) == (4, True), said
