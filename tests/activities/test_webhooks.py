"""webhooks: what is signed, tried, kept and ended, over real books and a real TLS server on this machine."""

import hmac
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from cryptography.fernet import Fernet
from temporalio.testing import ActivityEnvironment

from activities.deeds import WebhookTelling
from activities.messages import DeliverWebhook, WebhookDelivered
from activities.webhooks import QUIET, NoEndpoint, NotAccepted, Webhooks
from adapters.postgres.notices import PostgresNotices
from adapters.postgres.web_sessions import seed_visitors
from adapters.postgres.webhooks import PostgresWebhooks
from adapters.sealer import Sealer
from billing.webhooks import signature
from devstack.webhooks import Keeper, received
from models.notice import Notice, NoticeKind
from models.visitor import PortalRole, PortalUser
from models.webhook import ENDPOINTS, Endpoint, EventType, Outcome
from tests.adapters.test_webhook_client import keeping, permitted
from tests.postgres_fixture import Books

pytestmark = pytest.mark.stack

AT = datetime(2026, 11, 2, 12, tzinfo=UTC)
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
KEY = Fernet.generate_key().decode()


@dataclass
class World:
    """Books, a server that keeps what it is sent, and a clock that a test moves."""

    books: Books
    keeper: Keeper
    outside: Any
    at: datetime = AT

    def owner(self, customer: str = "acme") -> PostgresWebhooks:
        """Return a customer's own door."""
        return PostgresWebhooks(self.books.as_role("portal"), customer)

    def endpoint(
        self, name: str, path: str = "/", customer: str = "acme", types: tuple[EventType, ...] = ()
    ) -> Endpoint:
        """Add an endpoint that leads to the server."""
        made = Endpoint(
            id=name,
            customer=customer,
            url=f"https://localhost:{self.keeper.server_address[1]}{path}",
            types=types or tuple(EventType),
            made_by=f"{customer}-admin",
            made_at=AT - timedelta(hours=1),
        )
        assert self.owner(customer).add(made, Sealer(KEY).seal(SECRET))
        return made

    def notice(
        self, number: int = 1, kind: NoticeKind = NoticeKind.INVOICE_READY, customer: str = "acme", **more: Any
    ) -> str:
        """Write a notice and return its id."""
        found = Notice.model_validate(
            {
                "id": f"{kind}/{customer}.{number}", "kind": kind, "customer": customer, "period": "2026-10",
                "subject": "Invoice 1", "sentences": ("Due: 12.10 USD.",), "path": "/invoices/1",
                "facts": {"total": "12.1"}, "written_at": AT, **more,
            }
        )  # fmt: skip
        PostgresNotices(self.books.as_role("worker")).keep(found)
        return found.id

    def due(self) -> list[DeliverWebhook]:
        """Return what a round would begin."""
        return list(ActivityEnvironment().run(Webhooks(self.outside).due).deliveries)

    def deliver(self, task: DeliverWebhook) -> WebhookDelivered:
        """Try a delivery."""
        return ActivityEnvironment().run(Webhooks(self.outside).deliver, task)

    @property
    def received(self) -> list[dict[str, Any]]:
        """What the server got."""
        return received(self.keeper.folder)


@pytest.fixture
def world(fresh_database: Books, tmp_path: Path) -> Iterator[World]:
    """Two customers, each with an administrator."""
    users = [
        PortalUser(id=f"{one}-admin", customer=one, email=f"a@{one}.example", name="A", role=PortalRole.ADMIN)
        for one in ("acme", "bolt")
    ]
    seed_visitors(fresh_database.owner_url, [], users)
    worker = fresh_database.as_role("worker")
    with keeping(tmp_path) as keeper:
        made = World(fresh_database, keeper, None)
        made.outside = SimpleNamespace(
            clock=SimpleNamespace(now=lambda: made.at),
            notices=PostgresNotices(worker),
            webhooks=WebhookTelling(
                PostgresWebhooks(worker), Sealer(KEY), permitted(tmp_path), "https://portal.example"
            ),
        )
        yield made


def test_a_notice_is_delivered_once_signed_with_what_the_pages_show(world: World) -> None:
    world.endpoint("e1", "/in")
    notice = world.notice()
    [task] = world.due()
    assert task == DeliverWebhook(endpoint="e1", notice=notice, number=1)
    for _ in range(2):  # everything outside may be called twice
        assert world.deliver(task).outcome is Outcome.DELIVERED
    [event] = world.received
    headers, body = event["headers"], event["body"]
    assert json.loads(body)["type"] == "invoice.ready"
    assert json.loads(body)["data"]["total"] == "12.1"
    assert json.loads(body)["id"] == notice
    assert headers["webhook-id"] == notice.replace(".", "%2E")
    expected = signature(SECRET, headers["webhook-id"], headers["webhook-timestamp"], body)
    assert hmac.compare_digest(headers["webhook-signature"], expected)
    assert world.due() == []
    [view] = world.owner().deliveries("e1", 9)
    assert (view.outcome, [one.answer.status for one in view.attempts]) == (Outcome.DELIVERED, [200])


def test_an_endpoint_is_told_what_it_asked_for_of_its_customer_and_from_its_beginning_on(world: World) -> None:
    world.notice(0, written_at=AT - timedelta(hours=2))  # before there was an endpoint
    world.endpoint("e1", types=(EventType.INVOICE_READY,))
    world.endpoint("e2", "/b", customer="bolt")
    world.notice(1)
    world.notice(2, NoticeKind.POOL_USED)
    world.notice(3, NoticeKind.ALERT, customer="bolt")
    world.notice(4, NoticeKind.WATCH_ALERT, customer="everyone")
    assert [(one.endpoint, one.notice) for one in world.due()] == [
        ("e1", "invoice_ready/acme.1"),
        ("e2", "alert/bolt.3"),
    ]
    assert world.due() == world.due()  # until somebody tries them


def test_a_failure_is_kept_and_tried_again_and_given_up_at_last(world: World) -> None:
    world.endpoint("e1", "/status/503")
    world.endpoint("e2", "/status/302")
    world.notice()
    sick, moved = world.due()
    for task, words in ((sick, "503"), (sick, "503"), (moved, "302 a redirect is not followed")):
        with pytest.raises(NotAccepted, match=words):
            world.deliver(task)
    assert world.due() == []  # they are begun: their own workflows go on with them
    ended = ActivityEnvironment().run(Webhooks(world.outside).give_up, sick)
    assert ended.outcome is Outcome.FAILED
    assert world.deliver(sick).outcome is Outcome.FAILED
    [view] = world.owner().deliveries("e1", 9)
    assert [one.answer.status for one in view.attempts] == [503, 503]
    assert len(world.received) == 3


def test_a_delivery_whose_workflow_was_ended_by_hand_is_begun_again_after_those_never_tried(world: World) -> None:
    world.endpoint("e1", "/status/503")
    world.notice(1)
    [task] = world.due()
    with pytest.raises(NotAccepted):
        world.deliver(task)
    world.at = AT + QUIET
    assert world.due() == []  # its workflow may wait still
    world.at += timedelta(seconds=1)
    assert world.due() == [task]
    later = world.notice(2, written_at=world.at)
    assert [one.notice for one in world.due()] == [later, task.notice]
    ActivityEnvironment().run(Webhooks(world.outside).give_up, task)
    assert [one.notice for one in world.due()] == [later]


def test_of_an_endpoint_added_by_many_at_once_only_so_many_are_kept(world: World) -> None:
    def add(number: int) -> bool:
        made = Endpoint(
            id=f"e{number}", customer="acme", url=f"https://hooks.example/{number}", types=tuple(EventType),
            made_by="acme-admin", made_at=AT,
        )  # fmt: skip
        return world.owner().add(made, Sealer(KEY).seal(SECRET))

    with ThreadPoolExecutor(4) as pool:
        added = list(pool.map(add, range(4 * ENDPOINTS)))
    assert sum(added) == len(world.owner().views()) == ENDPOINTS
    world.owner().end(world.owner().views()[0].endpoint.id, "acme-admin", AT)
    assert add(99)  # an ended one leaves its place
    world.endpoint("b1", customer="bolt")  # and nobody takes another customer's


def test_the_tries_that_are_read_are_those_of_the_deliveries_that_are_shown(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.endpoint("e1", "/status/503")
    for number in (1, 2, 3):
        world.notice(number)
    for task in world.due():
        for _ in range(2):
            with pytest.raises(NotAccepted):
                world.deliver(task)
    rows, read = PostgresWebhooks._rows, list[int]()

    def counted(book: PostgresWebhooks, sql: str, **named: Any) -> Any:
        found = rows(book, sql, **named)
        read.append(len(found))
        return found

    monkeypatch.setattr(PostgresWebhooks, "_rows", counted)
    [shown] = world.owner().deliveries("e1", 1)
    assert (shown.delivery.notice, len(shown.attempts)) == ("invoice_ready/acme.3", 2)
    assert max(read) == 2
    older = world.owner().deliveries("e1", 9, before=shown.delivery)
    assert [one.delivery.notice for one in older] == ["invoice_ready/acme.2", "invoice_ready/acme.1"]
    assert world.owner("bolt").deliveries("e1", 9) == ()


def test_an_endpoint_that_says_it_is_gone_is_ended_and_so_is_what_was_on_its_way(world: World) -> None:
    world.endpoint("e1", "/status/410")
    world.notice(1)
    world.notice(2)
    first, second = world.due()
    assert world.deliver(first).outcome is Outcome.ENDED
    assert world.deliver(second).outcome is Outcome.ENDED
    assert len(world.received) == 1
    [view] = world.owner().views()
    assert (view.endpoint.ended_by, view.endpoint.ended_at) == ("410", AT)
    world.notice(3)
    assert world.due() == []
    assert world.owner().replay("e1", first.notice, "acme-admin", AT) is None


@pytest.mark.parametrize("cut_off", ["attempted", "end"])
def test_an_endpoint_that_is_gone_is_ended_wherever_its_worker_died(
    world: World, monkeypatch: pytest.MonkeyPatch, cut_off: str
) -> None:
    world.endpoint("e1", "/status/410")
    world.notice()
    [task] = world.due()

    def die(*_: object) -> None:
        raise TimeoutError(cut_off)

    with monkeypatch.context() as dying:
        dying.setattr(PostgresWebhooks, cut_off, die)
        with pytest.raises(TimeoutError):
            world.deliver(task)
    assert world.deliver(task).outcome is Outcome.ENDED
    ended = world.owner().endpoint("e1")
    assert ended is not None
    assert ended.ended_by == "410"


def test_a_replay_is_a_new_delivery_of_the_same_event(world: World) -> None:
    world.endpoint("e1", "/status/503")
    notice = world.notice()
    [task] = world.due()
    assert world.owner().replay("e1", notice, "acme-admin", AT) is None  # it goes on still
    with pytest.raises(NotAccepted):
        world.deliver(task)
    ActivityEnvironment().run(Webhooks(world.outside).give_up, task)
    assert world.owner("bolt").replay("e1", notice, "bolt-admin", AT) is None
    again = world.owner().replay("e1", notice, "acme-admin", AT)
    assert again is not None
    assert world.owner().replay("e1", notice, "acme-admin", AT) == again  # asked for twice is asked for once
    assert world.owner().replay("e1", notice, "another", AT) is None
    assert world.due() == [DeliverWebhook(endpoint="e1", notice=notice, number=2)]
    with pytest.raises(NotAccepted):
        world.deliver(world.due()[0])
    first, second = world.received
    assert first["headers"]["webhook-id"] == second["headers"]["webhook-id"]
    assert first["body"] == second["body"]
    newest, oldest = world.owner().deliveries("e1", 9)
    assert (newest.asked_by, newest.newest, oldest.asked_by, oldest.newest) == ("acme-admin", True, None, False)


def test_while_a_secret_is_replaced_both_sign(world: World) -> None:
    endpoint = world.endpoint("e1")
    new = "whsec_" + "QUJD" * 8
    world.owner().add_secret(endpoint, Sealer(KEY).seal(new), "acme-admin", AT)
    for number, later in ((1, timedelta()), (2, timedelta(hours=25))):
        world.at = AT + later
        world.notice(number)
        world.deliver(world.due()[0])
    both, alone = (one["headers"] for one in world.received)
    [first, second] = both["webhook-signature"].split(" ")
    assert first == signature(new, both["webhook-id"], both["webhook-timestamp"], world.received[0]["body"])
    assert second == signature(SECRET, both["webhook-id"], both["webhook-timestamp"], world.received[0]["body"])
    assert " " not in alone["webhook-signature"]


def test_a_secret_that_can_not_be_opened_is_a_try_that_failed_and_sends_nothing(world: World) -> None:
    world.endpoint("e1")
    world.notice()
    told = world.outside.webhooks
    world.outside.webhooks = WebhookTelling(told.book, Sealer(Fernet.generate_key().decode()), told.caller, told.portal)
    with pytest.raises(NotAccepted, match="rotate the secret"):
        world.deliver(world.due()[0])
    assert world.received == []
    [view] = world.owner().views()
    assert view.last is not None
    assert view.last.answer.detail == "it can't be signed: rotate the secret"


def test_without_a_key_nobody_is_told_and_a_stranger_is_refused(world: World) -> None:
    world.endpoint("e1")
    world.notice()
    with pytest.raises(NoEndpoint):
        world.deliver(DeliverWebhook(endpoint="nobody", notice="n", number=1))
    world.outside.webhooks = None
    assert world.due() == []


def test_the_same_address_is_told_once_and_a_secret_is_read_by_the_worker_alone(world: World) -> None:
    endpoint = world.endpoint("e1")
    assert not world.owner().add(endpoint.model_copy(update={"id": "e2"}), Sealer(KEY).seal(SECRET))
    assert world.owner().end("e1", "acme-admin", AT)
    assert world.owner().add(endpoint.model_copy(update={"id": "e2"}), Sealer(KEY).seal(SECRET))
    for role in ("portal", "console", "auditor"):
        with world.books.connect(role) as connection, pytest.raises(Exception, match="permission denied"):
            connection.execute("SELECT sealed FROM tieout.webhook_secrets")
    with world.books.connect("worker") as connection:
        rows = connection.execute("SELECT sealed FROM tieout.webhook_secrets").fetchall()
    assert rows
    assert all("whsec" not in sealed for (sealed,) in rows)
