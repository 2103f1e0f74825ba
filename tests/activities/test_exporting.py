"""exporting: a file of every month is made once its invoice is issued, once, told once, and given as it was made."""

import itertools
from types import SimpleNamespace
from typing import Any

import pytest
from temporalio.testing import ActivityEnvironment

from activities.exporting import Exporting
from activities.messages import MakeExport
from adapters.postgres.evidence import PostgresEvidence
from adapters.postgres.exports import PostgresExports
from adapters.postgres.notices import PostgresNotices
from models.notice import NoticeKind
from models.visitor import EVERY_MONTH
from runtime.customer_desk import CustomerDesk
from runtime.portal import Portal
from tests.web.conftest import World, filled, world
from tests.web.filled import AT, fill, seal

__all__ = ["filled", "world"]
pytestmark = pytest.mark.stack


def exporting(world: World, **more: Any) -> Exporting:
    """Return the deeds over the books of a world."""
    worker = world.books.as_role("worker")
    outside = SimpleNamespace(
        exports=PostgresExports(worker), evidence=PostgresEvidence(worker), notices=PostgresNotices(worker),
        store=world.shelf, clock=world.clock, issuer="Lumen", tells=True, **more,
    )  # fmt: skip
    return Exporting(outside)  # type: ignore[arg-type]


def due(world: World) -> list[MakeExport]:
    """Return what is due."""
    return list(ActivityEnvironment().run(exporting(world).due).exports)


def desk_of(world: World, customer: str) -> CustomerDesk:
    """Return a customer's own desk."""
    portal = Portal(world.books.as_role("portal"), world.shelf)
    return CustomerDesk(portal.of(customer), "Lumen", f"{customer}-admin", world.clock)


def test_what_is_chosen_before_the_invoice_is_made_of_it_once_and_given_as_it_was_made(world: World) -> None:
    world.clock.at = AT.replace(day=1)
    acme, bolt = desk_of(world, "acme"), desk_of(world, "bolt")
    for kind, form in itertools.product(("lines", "usage"), ("csv", "parquet")):
        assert acme.choose_export(kind, form, wanted=True)
    assert acme.choose_export("lines", "parquet", wanted=False)  # the newest choice counts
    assert not acme.choose_export("lines", "xlsx", wanted=True)
    assert not acme.choose_export("all", "csv", wanted=True)
    assert due(world) == []
    world.clock.at = AT
    seal(world.books, world.shelf)
    for customer in ("acme", "bolt"):
        fill(world.books, world.shelf, customer)
    found = due(world)
    assert {(one.customer, one.kind, one.format) for one in found} == {
        ("acme", "lines", "csv"), ("acme", "usage", "csv"), ("acme", "usage", "parquet"),
    }  # fmt: skip
    assert len(found) == 6  # two months were issued
    for task in (*found, *found):  # everything outside may be called twice
        ActivityEnvironment().run(exporting(world).make, task)
    assert due(world) == []
    books = Portal(world.books.as_role("portal"), world.shelf)
    made = books.of("acme").kept.exports()
    assert {one.made_by for one in made} == {EVERY_MONTH}
    assert len(made) == 6
    for one in made:
        given = acme.file(one.id)
        assert given is not None
        assert (given[1].sha256, given[1].rows) == (one.sha256, one.rows_written)
    october = next(one for one in made if (one.period, one.kind, one.format) == ("2026-10", "lines", "csv"))
    assert (october.rows_written, str(october.total), october.currency) == (3, "140.00", "USD")
    assert books.of("bolt").kept.exports() == ()
    assert bolt.file(october.id) is None


def test_each_file_is_told_of_once_with_its_rows_total_and_hash(world: World) -> None:
    world.clock.at = AT.replace(day=1)
    assert desk_of(world, "acme").choose_export("lines", "csv", wanted=True)
    world.clock.at = AT
    seal(world.books, world.shelf)
    fill(world.books, world.shelf, "acme")
    for _ in range(2):
        for task in due(world):
            ActivityEnvironment().run(exporting(world).make, task)
    told = [one for one, _ in PostgresNotices(world.books.as_role("worker")).listed("acme")]
    assert [(one.kind, one.period) for one in told] == [
        (NoticeKind.EXPORT_READY, "2026-09"), (NoticeKind.EXPORT_READY, "2026-10"),
    ]  # fmt: skip
    [made] = [one for one in Portal(world.books.as_role("portal")).of("acme").kept.exports() if one.period == "2026-10"]
    october = told[1]
    assert october.subject == "File of October 2026: Invoice lines, csv"
    assert october.sentences[1] == (
        f"It has 3 rows. Its statement comes to 140.00 USD. The SHA-256 of its bytes is {made.sha256}."
    )
    assert (october.facts["export"], october.facts["sha256"]) == (made.id, made.sha256)


def test_what_is_chosen_after_an_invoice_is_not_made_of_it_and_a_choice_taken_back_of_none(filled: World) -> None:
    filled.clock.later(days=1)
    acme = desk_of(filled, "acme")
    assert acme.choose_export("lines", "csv", wanted=True)
    assert due(filled) == []


def test_where_files_are_made_by_nobody_none_is_due(world: World) -> None:
    deeds = exporting(world)
    deeds.outside.exports = None  # type: ignore[misc]
    assert ActivityEnvironment().run(deeds.due).exports == ()
