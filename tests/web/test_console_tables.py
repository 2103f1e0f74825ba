"""What a page of a close shows is to be had as CSV, number by number."""

from datetime import timedelta

import pytest
from fastapi import FastAPI

from adapters.postgres.closes import PostgresCloses
from adapters.postgres.terms import PostgresTerms
from models.close import Stage, State
from tests.adapters.postgres.rows import a_contract, a_rate
from tests.statement_builders import fee, usage
from tests.web.conftest import NOON, World
from tests.web.test_changed import keep
from tests.web.test_console import MONTH, browser, console

__all__ = ["console"]
pytestmark = pytest.mark.stack


def test_the_statements_that_wait_and_their_lines_are_what_the_page_shows(console: FastAPI, world: World) -> None:
    name, _ = keep(world, usage("calls", "100.00", model="nova-3"), fee("f", "50.00", "2026-10-01", "2026-11-01"))
    audra = browser(console, world, "audra")
    waiting = audra.get(f"/close/{MONTH}/approval.csv").text.splitlines()
    assert waiting[1:] == [f"acme,150,USD,,,,2,{name},0,1 to approve"]
    lines = audra.get(f"/close/{MONTH}/customers/acme/lines.csv").text.splitlines()
    assert [line.split(",")[:5] for line in lines[1:]] == [
        ["calls", "usage", "usage calls", "call.minutes", "nova-3"],
        ["f", "fee", "fee f", "", ""],
    ]
    assert "150.00" in audra.get(f"/close/{MONTH}/approval").text.replace(",", "")


def test_the_periods_are_a_row_for_each_currency(console: FastAPI, world: World) -> None:
    closes = PostgresCloses(world.books.as_role("worker"))
    closes.project(MONTH, 1, "bolt", Stage.APPROVE, State.WAITING, NOON)
    audra = browser(console, world, "audra")
    [row] = audra.get("/close.csv").text.splitlines()[1:]
    assert row.split(",")[:2] == [MONTH, "1"]
    assert row.split(",")[3:8] == ["pia", "2", "0", "", ""]
    page = audra.get("/close").text
    assert "0 of 2" in page
    assert "under way" in page


def test_an_approver_sees_what_came_since_the_last_close_and_what_to_look_into(console: FastAPI, world: World) -> None:
    worker = world.books.as_role("worker")
    keep(world, usage("calls", "100.00", model="nova-3"), fee("f", "50.00", "2026-10-01", "2026-11-01"))
    audra, address = browser(console, world, "audra"), f"/close/{MONTH}"
    first = audra.get(f"{address}/approval").text
    assert "No month was closed before this one." in first
    assert "largest" in first
    began, terms = NOON - timedelta(days=40), PostgresTerms(worker)
    PostgresCloses(worker).open_close("2026-09", 1, "pia", True, began)
    PostgresCloses(worker).open_close("2026-09", 1001, "pia", True, NOON)  # a dry run closes nothing
    assert "No contract and no rate came since." in audra.get(f"{address}/approval").text
    known = a_rate("2026-01-01", "2")
    terms.add_rates([known], "pia", "cora", began)
    terms.add_rates([a_rate("2026-10-05", "0.0430")], "pia", "cora", began + timedelta(hours=1))
    terms.add_contract(a_contract("new"), "pia", "cora", began + timedelta(hours=2))
    contract, rate = audra.get(f"{address}/term-changes.csv").text.splitlines()[1:]  # the known one came before
    assert contract.startswith("contract,new-2026@2026-01-01,USD,2026-01-01,")
    assert rate.startswith(f"rate,{known.subject},0.043 USD for 1,2026-10-05 00:00 UTC,")
    assert rate.endswith(",pia,cora")
    page = audra.get(f"{address}/approval").text
    assert "since the close of September 2026 began" in page
    assert "0.043 USD for 1" in page
