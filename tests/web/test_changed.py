"""A statement that changed while its page was open is not approved, and the page says what is another."""

import html
from datetime import timedelta
from typing import Any

import pytest
from temporalio.client import WorkflowUpdateFailedError
from temporalio.exceptions import ApplicationError

from adapters.postgres.closes import PostgresCloses
from adapters.postgres.desk import seed_people
from adapters.postgres.evidence import PostgresEvidence
from adapters.postgres.web_sessions import PostgresWebSessions, seed_visitors
from models.close import Role, Stage, State
from models.statement import Statement
from models.value import fingerprint_of
from runtime.console import Console
from tests.statement_builders import a_statement, fee, usage
from tests.web.conftest import ISSUER, NOON, World
from tests.web.test_console import MONTH, URL, browser
from web.console.app import console_of
from web.face import Face
from web.signing_in import Provider

pytestmark = pytest.mark.stack


class Refusing:
    """Workflows that take no decision on what is not the newest statement."""

    def __init__(self) -> None:
        self.service_client = self
        self.asked = 0

    async def check_health(self, timeout: timedelta) -> bool:
        return True

    def get_workflow_handle_for(self, *_: object) -> "Refusing":
        return self

    async def execute_update(self, *_: object, **more: object) -> None:
        self.asked += 1
        raise WorkflowUpdateFailedError(ApplicationError("this is not the statement that waits", type="stale"))

    async def connect(self) -> Any:
        return self


def keep(world: World, *lines: Any, customer: str = "acme") -> tuple[str, Statement]:
    """Keep a statement of a customer's that waits for its approval."""
    worker = world.books.as_role("worker")
    statement = a_statement(*lines, customer=customer, contract=f"{customer}-2026")
    fingerprint = PostgresEvidence(worker).keep_statement(statement, 1, NOON)
    PostgresCloses(worker).project(MONTH, 1, customer, Stage.APPROVE, State.WAITING, NOON, "1 to approve",
                                   statement=fingerprint, total=str(statement.total), currency="USD")  # fmt: skip
    return fingerprint, statement


def test_what_changed_is_shown_and_what_was_decided_on_still_stands(world: World) -> None:
    owner = world.books.owner_url
    seed_people(owner, [("aron", "Aron", (Role.APPROVER,), "t-aron")])
    seed_visitors(owner, [(ISSUER, "aron", "aron")], [])
    PostgresCloses(world.books.as_role("worker")).open_close(MONTH, 1, "pia", True, NOON)
    role, workflows = world.books.as_role("console"), Refusing()
    face = Face("console", "Close", URL, PostgresWebSessions(role), world.clock)
    app = console_of(
        face, Console(role, workflows.connect, clock=world.clock), Provider(ISSUER, "tieout-console", "s"), "a-word"
    )
    platform = fee("platform", "50.00", "2026-10-01", "2026-11-01")
    seen, _ = keep(world, usage("calls", "100.00"), platform)
    aron = browser(app, world, "aron")
    page = aron.get(f"/close/{MONTH}/customers/acme").text
    form = {
        "csrf": page.split('name="csrf" value="', 1)[1].split('"', 1)[0],
        "key": page.split('name="key" value="', 1)[1].split('"', 1)[0],
        "fingerprint": seen,
        "kind": "approve",
    }
    address = f"/close/{MONTH}/customers/acme/decide"
    unchanged = aron.post(address, data=form)
    assert unchanged.status_code == 409
    assert "changed since you saw it" not in unchanged.text

    now, _ = keep(world, usage("calls", "130.00"), platform)
    changed = aron.post(address, data=form)
    assert changed.status_code == 409
    for said in ("changed since you saw it", 'value="150"', 'value="180"', 'value="100"', 'value="130"', now[:12]):
        assert said in changed.text, said
    assert "fee platform" not in changed.text
    assert workflows.asked == 2  # the workflow judged both; the page only explains


def test_a_list_that_changed_is_not_signed_and_what_is_another_is_shown_line_by_line(world: World) -> None:
    owner, worker = world.books.owner_url, world.books.as_role("worker")
    seed_people(owner, [("aron", "Aron", (Role.APPROVER,), "t-aron")])
    seed_visitors(owner, [(ISSUER, "aron", "aron")], [])
    PostgresCloses(worker).open_close(MONTH, 1, "pia", True, NOON)
    role, workflows = world.books.as_role("console"), Refusing()
    face = Face("console", "Close", URL, PostgresWebSessions(role), world.clock)
    app = console_of(
        face, Console(role, workflows.connect, clock=world.clock), Provider(ISSUER, "tieout-console", "s"), "a-word"
    )
    for customer in ("acme", "bolt", "cirrus"):
        keep(world, usage("calls", "100.00"), customer=customer)
    aron = browser(app, world, "aron")
    page = aron.get(f"/close/{MONTH}/approval").text
    form = {name: html.unescape(page.split(f'name="{name}" value="', 1)[1].split('"', 1)[0])
            for name in ("csrf", "list_fingerprint", "seen")}  # fmt: skip
    form["seen"] = form["seen"].replace("\n", "\r\n")  # as browsers send it
    address = f"/close/{MONTH}/approval"
    keep(world, usage("calls", "130.00"), fee("platform", "5.00", "2026-10-01", "2026-11-01"))
    PostgresCloses(worker).project(MONTH, 1, "bolt", Stage.APPROVE, State.REJECTED,
                                   NOON + timedelta(minutes=1), "rejected by abby: which order?")  # fmt: skip
    keep(world, usage("calls", "7.00"), customer="delta")
    changed = aron.post(address, data=form)
    assert changed.status_code == 409
    for said in (
        "acme</a> has another statement", 'value="100"', 'value="135"', 'value="130"', "fee platform",
        "bolt</a> left the list", "rejected by abby: which order?", "delta</a> came to the list",
    ):  # fmt: skip
        assert said in changed.text, said
    assert "cirrus" not in changed.text
    for text in ("acme " + "0" * 64, "no list", "acme\0 " + "0" * 64):
        for fingerprint in (form["list_fingerprint"], fingerprint_of(text)):
            forged = aron.post(address, data={**form, "seen": text, "list_fingerprint": fingerprint})
            assert forged.status_code in (409, 422), text
            assert 'value="135"' not in forged.text
    assert workflows.asked == 0
