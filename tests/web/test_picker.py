"""The period picker goes from a page to the same page of another period, and nowhere else."""

import pytest
from fastapi import FastAPI

from adapters.postgres.closes import PostgresCloses
from models.close import Stage, State
from tests.web.conftest import NOON, World
from tests.web.test_console import MONTH, browser, console

__all__ = ["console"]
pytestmark = pytest.mark.stack


@pytest.mark.parametrize(
    ("path", "to"),
    [
        (f"/close/{MONTH}", "/close/2026-09"),
        (f"/close/{MONTH}/approval", "/close/2026-09/approval"),
        (f"/close/{MONTH}/customers/acme", "/close/2026-09/customers/acme"),
        (f"/close/{MONTH}/customers/nobody", "/close/2026-09"),
        ("/close", "/close/2026-09"),
        ("/journal", "/journal?period=2026-09"),
        ("/reports/close-status", "/reports/close-status?period=2026-09"),
        ("/rates", "/close/2026-09"),
        ("https://elsewhere.example/", "/close/2026-09"),
        ("//elsewhere.example/journal", "/close/2026-09"),
    ],
)
def test_a_page_leads_to_its_own_place_in_another_period(
    console: FastAPI,
    world: World,
    path: str,
    to: str,
) -> None:
    closes = PostgresCloses(world.books.as_role("worker"))
    closes.open_close("2026-09", 1, "pia", True, NOON)
    closes.project("2026-09", 1, "acme", Stage.PUBLISH, State.DONE, NOON)
    answer = browser(console, world, "audra").get("/period", params={"month": "2026-09", "path": path})
    assert (answer.status_code, answer.headers["location"]) == (303, to)


def test_every_page_offers_the_periods_there_are(console: FastAPI, world: World) -> None:
    audra = browser(console, world, "audra")
    for path in ("/close", f"/close/{MONTH}", "/rates", "/audit"):
        assert f'<option value="{MONTH}"' in audra.get(path).text, path
    assert f'<option value="{MONTH}" selected' in audra.get(f"/close/{MONTH}/period").text
    assert audra.get("/period").headers["location"] == "/close"
