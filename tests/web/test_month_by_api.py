"""A month closed by programs alone, over finance's API; what a customer's program is then told is what is at Stripe."""

import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.api.drawn import hold_served
from tests.web.stack_of_faces import Faces, up

pytestmark = [pytest.mark.stack, pytest.mark.slow]

MONTH = "2026-10"
CLOSE = f"/v1/closes/{MONTH}"
SETTLES_WITHIN_SECONDS = 150
CUSTOMERS = 13  # twelve with a contract, and an account nobody knows


@pytest.fixture(scope="module")
def faces() -> Iterator[Faces]:
    folder = Path(tempfile.mkdtemp(prefix="tieout-test-"))
    folder.chmod(0o755)  # PostgreSQL runs as another account where we are root
    with up(folder / "state") as found:
        yield found


class Person:
    """A program that acts as a person of finance."""

    def __init__(self, faces: Faces, who: str) -> None:
        self.headers = {"Authorization": f"Bearer {faces.tokens[who]}"}
        self.client = httpx.Client(base_url=faces.console, headers=self.headers, trust_env=False, timeout=90)

    def all(self, path: str, **query: Any) -> list[Any]:
        """Return a whole list, seven a page."""
        found: list[Any] = []
        cursor: dict[str, str] = {}
        while True:
            answer = self.client.get(path, params={"limit": 7, **query, **cursor})
            assert answer.status_code == 200, answer.text
            found += answer.json()["items"]
            if answer.json()["next"] is None:
                return found
            cursor = {"cursor": answer.json()["next"]}

    def write(self, path: str, body: Any = None, key: str | None = None) -> httpx.Response:
        """Write, twice under one key: the second has the first's answer."""
        headers = {"Idempotency-Key": key or str(uuid.uuid4())}
        first, again = (self.client.post(path, json=body, headers=headers) for _ in range(2))
        assert (first.status_code, first.content) == (again.status_code, again.content), path
        return first


def settled(person: Person, states: set[str], count: int = CUSTOMERS) -> list[Any]:
    """Return where the customers stand once all are in one of these states."""

    def stand() -> list[Any]:
        return [one["standing"] for one in person.all(f"{CLOSE}/customers")]

    return until(stand, lambda found: len(found) == count and all(one["state"] in states for one in found))


def until(read: Callable[[], list[Any]], so: Callable[[list[Any]], bool]) -> list[Any]:
    """Return what is read once it is so."""
    over = time.monotonic() + SETTLES_WITHIN_SECONDS
    while not so(found := read()):
        assert time.monotonic() < over, found
        time.sleep(0.5)
    return found


def test_a_month_from_start_to_lock_by_programs(faces: Faces) -> None:
    pia, aron, abby, cora = (Person(faces, who) for who in ("pia", "aron", "abby", "cora"))
    started = pia.write("/v1/closes", {"month": MONTH})
    assert (started.status_code, started.json()) == (202, {"workflow": f"close/{MONTH}"})
    assert pia.write("/v1/closes", {"month": MONTH}).json()["type"] == "urn:tieout:problem:already_started"
    until(lambda: pia.all("/v1/closes"), bool)
    settled(pia, {"waiting", "needs_attention"})

    # Pia started it: she may not approve, whichever way she asks.
    lyra = pia.client.get(f"{CLOSE}/customers/lyra").json()
    refused = pia.write(f"{CLOSE}/customers/lyra/decisions", {"kind": "approve", "fingerprint": lyra["fingerprint"]})
    assert (refused.status_code, refused.json()["facts"]) == (409, {"code": "preparer_may_not_approve"})

    # She gives gale's one finding to Cora, answers it herself, and takes the answer back.
    [gale] = pia.all(f"{CLOSE}/findings", customer="gale")
    finding = gale["open"]["finding"]
    body = {"finding": finding["id"], "owner": "cora", "reason": "her release"}
    assert pia.write(f"{CLOSE}/findings/assign", body).json()["verdict"]["code"] == "taken"
    [gale] = pia.all(f"{CLOSE}/findings", customer="gale")
    assert gale["open"]["owner"] == "cora"
    body = {"finding": finding["id"], "answer": "accept", "source": finding["against"], "reason": "seconds"}
    assert pia.write(f"{CLOSE}/findings/resolve", body).json()["verdict"]["code"] == "taken"
    until(lambda: pia.all(f"{CLOSE}/approvals"), lambda found: "gale" in [one["standing"]["customer"] for one in found])
    assert pia.all(f"{CLOSE}/findings", customer="gale") == []
    body = {"finding": finding["id"], "reason": "another day's log"}
    assert pia.write(f"{CLOSE}/findings/reverse", body).json()["verdict"]["code"] == "taken"
    until(lambda: pia.all(f"{CLOSE}/findings", customer="gale"), bool)
    settled(pia, {"waiting", "needs_attention"})

    # She answers each kind of finding at once, and Cora takes the account nobody knows out.
    held: dict[str, list[str]] = {}
    for one in pia.all(f"{CLOSE}/findings"):
        held.setdefault(one["open"]["finding"]["cause"], []).append(one["open"]["finding"]["id"])
    assert len(held) > 2
    risk = pia.client.get(f"{CLOSE}/findings/at-risk").json()
    assert risk["findings"] == len([one for found in held.values() for one in found])
    assert set(risk["amounts"]) == {"USD"}
    for cause, findings in held.items():
        body = {"cause": cause, "findings": findings, "answer": "accept", "reason": f"the logs show {cause}"}
        told = pia.write(f"{CLOSE}/findings/resolve-kind", body)
        assert told.status_code == 200, told.text
        assert told.json()["dropped"] == {}
    skipped = cora.write(f"{CLOSE}/customers/KITE-EU/decisions", {"kind": "skip", "reason": "it is kite's"})
    assert skipped.status_code == 200, skipped.text
    settled(pia, {"waiting", "skipped"})
    until(lambda: pia.all(f"{CLOSE}/approvals"), lambda found: len(found) == CUSTOMERS - 1)
    assert pia.all(f"{CLOSE}/findings") == []

    # Abby sends lyra's statement back; Pia has it rated once more.
    body = {"kind": "reject", "fingerprint": lyra["fingerprint"], "reason": "which purchase order?"}
    assert abby.write(f"{CLOSE}/customers/lyra/decisions", body).json()["verdict"]["code"] == "taken"
    until(lambda: [one for one in settled(pia, {"waiting", "skipped", "rejected"}) if one["state"] == "rejected"], bool)
    body = {"kind": "retry", "reason": "it is on the contract now"}
    assert pia.write(f"{CLOSE}/customers/lyra/decisions", body).json()["verdict"]["code"] == "taken"
    until(lambda: pia.all(f"{CLOSE}/approvals"), lambda found: len(found) == CUSTOMERS - 1)

    # Aron signs the list; what needs two people waits for Abby.
    to_sign = aron.client.get(f"{CLOSE}/approvals/list").json()
    body = {"list_fingerprint": to_sign["list_fingerprint"], "reason": "read"}
    assert aron.write(f"{CLOSE}/approvals/list", body).json() == {"refused": {}}
    acme = abby.client.get(f"{CLOSE}/customers/acme").json()
    body = {"kind": "approve", "fingerprint": acme["fingerprint"]}
    assert abby.write(f"{CLOSE}/customers/acme/decisions", body).json()["verdict"]["code"] == "taken"
    settled(pia, {"done", "skipped"})
    approvals = [one for one in abby.all("/v1/decisions", by="abby") if one["decision"]["kind"] == "approve"]
    assert len(approvals) == 1  # sent twice, it is one row

    # Every customer has the invoice that was approved, to the cent, and their statement's fingerprint.
    statements = dict(zip(to_sign["customers"], to_sign["statements"], strict=True))
    invoices = {one["invoice"]["customer"]: one for one in pia.all("/v1/invoices", period=MONTH)}
    assert {customer: one["invoice"]["statement"] for customer, one in invoices.items()} == statements
    for one in invoices.values():
        told = pia.client.get(f"/v1/statements/{one['invoice']['statement']}").json()
        assert one["issued"]["total"] == one["invoice"]["total"] == told["total"]

    # Abby signs what ties out, Cora locks the period.
    tied = abby.write(f"{CLOSE}/period/tie-out")
    assert set(tied.json()["untied"].values()) == {0}, tied.text
    for name, fingerprint in tied.json()["fingerprints"].items():
        signed = abby.write(f"{CLOSE}/period/sign", {"name": name, "fingerprint": fingerprint})
        assert signed.status_code == 200, signed.text
    locked = cora.write(f"{CLOSE}/period/lock", {"reason": "reviewed"})
    assert (locked.status_code, locked.json()) == (200, {"accrued": []})
    assert pia.client.get(f"{CLOSE}/period").json()["period"]["state"] == "locked"
    report = pia.client.get("/v1/reports/revenue", params={"period": MONTH})
    assert report.json()["known_at"] is not None


def test_a_customers_program_is_told_the_invoice(faces: Faces) -> None:
    key = {"Authorization": f"Bearer {faces.key}"}
    with httpx.Client(base_url=faces.portal, headers=key, trust_env=False) as acme:
        overview = acme.get("/v1/overview").json()
        [invoice] = [one for one in acme.get("/v1/invoices").json()["items"] if one["month"] == MONTH]
        lines = acme.get(f"/v1/invoices/{invoice['reference']}/lines", params={"limit": 1000}).json()["items"]
        assert lines
        paper = acme.get(f"/v1/invoices/{invoice['reference']}/pdf")
    assert invoice["statement"]
    assert overview["head"]["month"] >= MONTH
    assert paper.content.startswith(b"%PDF")


@pytest.mark.parametrize("face", ["portal", "console"])
def test_nothing_drawn_from_a_served_page_is_a_fault_of_ours(faces: Faces, face: str) -> None:
    # Over HTTP, by an administrator's key and the controller's token, with the workflows there.
    headers = {"Authorization": f"Bearer {faces.key if face == 'portal' else faces.tokens['cora']}"}
    assert hold_served(f"{getattr(faces, face)}/openapi.json", headers, examples=3) > 20
