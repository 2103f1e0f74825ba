"""Finance's API: it tells what the console shows, to who shows their own token, and lets nobody do more than there."""

import json
import re
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute

from adapters.postgres.books import Books
from adapters.postgres.closes import PostgresCloses
from adapters.postgres.web_sessions import PostgresWebSessions
from models.approval import ApprovalCode, Decision, Verdict
from models.close import DecisionKind, Stage, State
from models.journal import Account
from runtime.console import Console
from runtime.desk import DeskDoor
from tests.api.drawn import hold
from tests.api.test_tenants import told
from tests.api.world import MONTH, Program, as_person, client_of, finance_app, program
from tests.web.conftest import ISSUER, NOON, World
from tests.web.test_tenants import flat

pytestmark = pytest.mark.stack

CLOSE = f"/v1/closes/{MONTH}"
FINGERPRINT = "a" * 64
BODIES: dict[str, Any] = {
    "/v1/closes": {"month": "2026-08"},
    "/v1/closes/{month}/pause": {"reason": "r"},
    "/v1/closes/{month}/resume": {"reason": "r"},
    "/v1/closes/{month}/customers/{customer}/decisions": {"kind": "approve", "fingerprint": FINGERPRINT},
    "/v1/closes/{month}/findings/resolve": {"finding": "f", "answer": "defer", "reason": "r"},
    "/v1/closes/{month}/findings/resolve-kind": {
        "cause": "unit", "findings": ["f"], "answer": "defer", "reason": "r",
    },
    "/v1/closes/{month}/findings/assign": {"finding": "f", "owner": "pia", "reason": "r"},
    "/v1/closes/{month}/findings/reverse": {"finding": "f", "reason": "r"},
    "/v1/closes/{month}/approvals/list": {"list_fingerprint": FINGERPRINT},
    "/v1/closes/{month}/period/tie-out": None,
    "/v1/closes/{month}/period/sign": {"name": "stripe", "fingerprint": FINGERPRINT},
    "/v1/closes/{month}/period/lock": {"reason": "r"},
    "/v1/rate-changes/{proposal}/simulate": None,
    "/v1/rate-changes/{proposal}/decide": {"kind": "approve_rate"},
}  # fmt: skip
UNKNOWN = {
    "month": "2031-01", "customer": "nobody", "fingerprint": "b" * 64, "reference": "2026-10@1/nobody/USD",
    "name": "nothing", "proposal": "nothing",
}  # fmt: skip
THERE = {"month": MONTH, "customer": "acme"}


@pytest.fixture
def app(filled: World) -> FastAPI:
    return finance_app(filled)


@pytest.fixture
def cora(filled: World, app: FastAPI) -> Program:
    return as_person(filled, app, "cora")


def questions(app: FastAPI, method: str) -> list[str]:
    """Return the path of every question of a method."""
    found = [route for route in flat(app.routes) if isinstance(route, APIRoute)]
    return [route.path for route in found if method in (route.methods or ())]


def filled_in(path: str, ids: dict[str, str]) -> str:
    return re.sub(r"{(\w+)(:path)?}", lambda found: {**UNKNOWN, **ids}[found[1]], path)


def test_who_asks_is_told_with_their_roles(cora: Program) -> None:
    assert cora.get("/v1/me").json() == {"id": "cora", "name": "Cora", "roles": ["controller"]}
    assert [one["id"] for one in cora.pages("/v1/people", limit=2)] == ["aron", "audra", "cora", "erik", "pia"]


def test_closes_and_customers_are_told_as_they_stand(cora: Program) -> None:
    assert [one["month"] for one in cora.pages("/v1/closes", limit=1)] == [MONTH, "2026-09"]
    assert cora.get(CLOSE).json()["states"] == {"done": 1, "waiting": 1}
    stand = {one["standing"]["customer"]: one["ending"] for one in cora.pages(f"{CLOSE}/customers", limit=1)}
    assert stand == {"acme": None, "bolt": "issued"}
    assert [one["standing"]["customer"] for one in cora.pages(f"{CLOSE}/customers", state="done")] == ["bolt"]
    acme = cora.get(f"{CLOSE}/customers/acme").json()
    assert acme["statement"]["total"] == "140"
    assert cora.get(f"/v1/statements/{acme['fingerprint']}").json() == acme["statement"]
    lines = cora.pages(f"/v1/statements/{acme['fingerprint']}/lines", limit=2)
    assert sum(Decimal(one["line"]["amount"]) for one in lines) == 140


def test_what_waits_is_told_with_the_list_that_would_be_signed(cora: Program) -> None:
    [waits] = cora.pages(f"{CLOSE}/approvals")
    assert (waits["total"], waits["prior_total"], waits["change"]) == ("140", "90", "50")
    assert (waits["currency"], waits["prior_currency"]) == ("USD", "USD")
    sampled = cora.get(f"{CLOSE}/approvals/sample").json()["items"]
    assert [(one["view"]["customer"], one["why"]) for one in sampled] == [("acme", "largest")]
    assert cora.get(f"{CLOSE}/term-changes").json() == {"since": "2026-09", "changes": []}
    to_sign = cora.get(f"{CLOSE}/approvals/list").json()
    assert (to_sign["customers"], to_sign["statements"]) == (["acme"], [waits["fingerprint"]])
    flux = cora.pages(f"{CLOSE}/flux", limit=1)
    assert {one["customer"] for one in flux} == {"acme", "bolt"}
    assert cora.pages(f"{CLOSE}/findings", everything=True) == []
    assert cora.get(f"{CLOSE}/findings/at-risk").json() == {"findings": 0, "amounts": {}}


def test_invoices_are_told_of_every_customer(cora: Program) -> None:
    found = cora.pages("/v1/invoices", limit=3, period=MONTH)
    assert [one["invoice"]["customer"] for one in found] == ["bolt", "acme"]
    reference = found[1]["invoice"]["reference"]
    assert cora.get(f"/v1/invoices/{reference}").json() == found[1]
    assert len(cora.pages(f"/v1/invoices/{reference}/lines", limit=1)) == 3


def test_the_journal_is_told_entry_by_entry_and_its_pages_are_the_journal(filled: World, cora: Program) -> None:
    for limit in (1, 2, 1000):
        entries = cora.pages("/v1/journal", limit=limit)
        assert [one["key"] for one in entries] == ["k1", "k2", "k3", "k4", "k5"]
        assert all(sum(Decimal(side["amount"]) for side in one["postings"]) == 0 for one in entries)
    lines = Books(filled.books.as_role("auditor")).journal(MONTH)
    assert [(one.position, one.amount) for one in lines] == [
        (one["position"], Decimal(side["amount"])) for one in entries for side in one["postings"]
    ]
    assert [one["key"] for one in cora.pages("/v1/journal", limit=1, customer="bolt")] == ["k1", "k3", "k5"]
    assert [len(one["postings"]) for one in cora.pages("/v1/journal", limit=2, account=Account.USAGE.value)] == [1] * 5
    assert cora.get("/v1/journal", cursor="bm9uZQ").status_code == 422


def test_balances_grants_and_reports_are_told(cora: Program) -> None:
    balances = cora.pages("/v1/trial-balance", limit=1, period=MONTH)
    assert sum(Decimal(one["balance"]) for one in balances) == 0
    assert cora.pages("/v1/roll-forward", period=MONTH) == []
    names = [one["name"] for one in cora.pages("/v1/reports", limit=4)]
    assert len(names) == 11
    told = {name: cora.get(f"/v1/reports/{name}", period=MONTH) for name in names}
    # Nothing of these books was recognized: two reports refuse to say that they tie.
    refused = {name: answer.status_code for name, answer in told.items() if answer.status_code != 200}
    assert refused == {"tie-out": 409, "waterfall": 409}


def test_rates_changes_contracts_and_decisions_are_told(cora: Program) -> None:
    assert [one["known"]["version"]["amount"] for one in cora.pages("/v1/rates", limit=1)] == ["1", "2"]
    [change] = cora.pages("/v1/rate-changes")
    assert (change["kind"], change["step"], change["moves"]) == ("later", "proposed", {})
    assert cora.get(f"/v1/rate-changes/{change['change']['id']}").json() == change
    assert cora.pages("/v1/contracts", limit=1) == [
        {"customer": "acme", "contract": "acme-2026"}, {"customer": "bolt", "contract": "bolt-2026"},
    ]  # fmt: skip
    [version] = cora.pages("/v1/contracts/acme")
    assert version["contract"]["email"] == "ap@acme.example"
    decided = [one["decision"]["id"][-1] for one in cora.pages("/v1/decisions", limit=2)]
    assert decided == ["3", "2", "1"]
    assert len(cora.pages(f"{CLOSE}/customers/acme/decisions", limit=2)) == 3
    assert cora.pages("/v1/decisions", by="cora") == []


def test_nobody_gets_nothing(filled: World, app: FastAPI) -> None:
    customers = program(filled)
    answers = set()
    for headers in ({}, {"Authorization": "Bearer of-nobody"}, customers.headers):
        nobody = Program(client_of(filled, app), dict(headers))
        for path in questions(app, "GET"):
            answers.add(nobody.get(filled_in(path, THERE)).content)
        for path in questions(app, "POST"):
            answers.add(nobody.post(filled_in(path, THERE), BODIES[path]).content)
    assert {json.loads(one)["status"] for one in answers} == {401}
    assert len(answers) == 2


def test_a_session_of_the_pages_is_no_key(filled: World, app: FastAPI) -> None:
    now = filled.clock.at
    sessions = PostgresWebSessions(filled.books.as_role("console"))
    sessions.open_person(ISSUER, "cora", "s-1", "a-session", now, now + timedelta(hours=1))
    client = client_of(filled, app)
    client.cookies.set("tieout-console", "a-session")
    assert client.get("/v1/me").status_code == 401
    assert client.get("/v1/me", headers={"Authorization": "Bearer a-session"}).status_code == 401


@pytest.mark.parametrize("who", ["audra", "erik"])
def test_who_only_looks_decides_nothing(filled: World, app: FastAPI, who: str) -> None:
    one = as_person(filled, app, who)
    for path in questions(app, "POST"):
        # whether somebody may start a close is the desk's own question
        answer = one.post(filled_in(path, THERE), BODIES[path])
        assert answer.status_code in ((403,) if path != "/v1/closes" else (403, 503)), (path, answer.text)
    assert Books(filled.books.as_role("auditor")).decisions(person=who) == ()


def test_what_is_not_there_is_told_by_the_same_bytes(filled: World, app: FastAPI, cora: Program) -> None:
    answers, tried = set(), 0
    for path in questions(app, "GET"):
        if "{" in path:
            answer = cora.get(filled_in(path, {}), **({"period": MONTH} if path == "/v1/reports/{name}" else {}))
            assert answer.status_code == 404, path
            answers.add((answer.content, json.dumps(told(answer)[2])))
            tried += 1
    assert tried > 10
    assert len(answers) == 1


def test_without_the_workflows_nothing_is_decided_and_the_same_key_may_be_used_again(
    filled: World, app: FastAPI, cora: Program
) -> None:
    fingerprint = cora.get(f"{CLOSE}/approvals/list").json()["statements"][0]
    asked = {"kind": "approve", "fingerprint": fingerprint}
    for _ in range(2):
        answer = cora.post(f"{CLOSE}/customers/acme/decisions", asked, key="one")
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "10")
    assert Books(filled.books.as_role("auditor")).decisions(person="cora") == ()


def test_a_list_that_changed_is_not_signed(cora: Program) -> None:
    answer = cora.post(f"{CLOSE}/approvals/list", {"list_fingerprint": FINGERPRINT})
    assert (answer.status_code, answer.json()["type"]) == (409, "urn:tieout:problem:list_changed")
    assert answer.json()["remedy"]


def test_a_list_that_is_sent_again_after_a_crash_is_answered_by_what_was_signed(
    filled: World, cora: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = {"list_fingerprint": cora.get(f"{CLOSE}/approvals/list").json()["list_fingerprint"], "reason": "read"}

    async def connected(_console: Console) -> None:
        """There is a server, and nothing is asked of it."""

    async def die(_desk: DeskDoor, _decision: Decision) -> None:
        raise RuntimeError("the process died")

    monkeypatch.setattr(Console, "client", connected)
    with monkeypatch.context() as dying:
        dying.setattr(DeskDoor, "deliver", die)
        assert cora.post(f"{CLOSE}/approvals/list", asked, key="one").status_code == 500
    part, whole = (one for one, _ in Books(filled.books.as_role("auditor")).decisions(person="cora"))
    assert (whole.kind, whole.subject) == (DecisionKind.APPROVE_LIST, asked["list_fingerprint"])
    assert (part.kind, part.customer, part.payload["part_of"]) == (DecisionKind.APPROVE, "acme", whole.id)
    closes = PostgresCloses(filled.books.as_role("worker"))  # the message had arrived, and the close went on by it
    taken = Verdict(decision=part.id, kind=part.kind, taken=True, code=ApprovalCode.TAKEN, message="", person="cora")
    closes.keep_verdict(taken, MONTH, 1, "acme", NOON)
    closes.project(MONTH, 1, "acme", Stage.INVOICE, State.RUNNING, NOON, "")
    answer = cora.post(f"{CLOSE}/approvals/list", asked, key="one")
    assert (answer.status_code, answer.json()) == (200, {"refused": {}})
    assert cora.post(f"{CLOSE}/approvals/list", asked, key="two").json()["type"].endswith(":list_changed")
    assert len(Books(filled.books.as_role("auditor")).decisions(person="cora")) == 2


def test_a_month_that_is_not_over_is_not_started(cora: Program) -> None:
    answer = cora.post("/v1/closes", {"month": "2031-01"})
    assert (answer.status_code, answer.json()["type"]) == (409, "urn:tieout:problem:period_not_over")


def test_no_request_of_its_own_page_is_a_fault_of_ours(app: FastAPI, cora: Program) -> None:
    assert hold(app, cora.headers, examples=8, alone=True) > 35
