"""Who is let in to a customer's pages from the terminal, by whom, and that a removed user is out at once."""

import re
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from typer.testing import CliRunner

from adapters.postgres.terms import PostgresTerms
from cli.main import app
from migrations.roles import role_url
from models.refusal import Refusal
from tests.adapters.postgres.rows import a_contract
from tests.web.conftest import NOON, URL, World, csrf_in, world

__all__ = ["world"]
pytestmark = pytest.mark.stack

Run = Callable[..., str]


@pytest.fixture
def run(world: World, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Return a runner of the command against the world's books, as a person."""
    PostgresTerms(world.books.as_role("worker")).add_contract(a_contract("acme"), "pia", "cora", NOON)
    console = role_url(world.books.owner_url, "console").render_as_string(hide_password=False)
    monkeypatch.setenv("TIEOUT_DATABASE_CONSOLE_URL", console)
    monkeypatch.setenv("TIEOUT_PORTAL_URL", URL)

    def run(*words: str, token: str = "t-pia") -> str:
        monkeypatch.setenv("TIEOUT_TOKEN", token)
        done = CliRunner().invoke(app, ["portal", *words], catch_exceptions=True)
        if isinstance(done.exception, Refusal):
            raise done.exception
        assert done.exit_code == 0, done.output
        return done.output

    return run


def test_an_invited_user_signs_in_by_a_printed_link_and_a_removed_one_is_out(world: World, run: Run) -> None:
    said = run("invite", "acme", "Zoe@Acme.example", "--name", "Zoe", "--role", "viewer")
    user = said.split()[0]
    assert "zoe@acme.example" in run("users", "--customer", "acme")
    assert "zoe" not in run("users", "--customer", "bolt")
    link = re.search(rf"{URL}(/sign-in/link/\S+)", run("link", user).replace("\n", ""))
    assert link is not None
    world.clock.at = datetime.now(UTC)  # the terminal's clock is the real one
    browser = world.browser()
    page = browser.get(link[1])
    assert "Sign in as Zoe?" in page.text
    browser.post(link[1], data={"csrf": csrf_in(page.text)})
    assert browser.get("/").status_code == 200
    run("remove", user)
    assert browser.get("/").status_code == 303
    with pytest.raises(Refusal, match="no user of this id"):
        run("link", user)


def test_nobody_is_invited_to_a_customer_that_is_none_or_twice(run: Run) -> None:
    with pytest.raises(Refusal, match="no such customer"):
        run("invite", "nobody", "zoe@acme.example", "--name", "Zoe")
    with pytest.raises(Refusal, match="already"):
        run("invite", "acme", "admin@bolt.example", "--name", "Eve")
    with pytest.raises(Refusal, match="can't be a user"):
        run("invite", "acme", "no address", "--name", "Zoe")


def test_only_a_preparer_or_the_controller_invites(world: World, run: Run) -> None:
    with world.books.connect() as owner:
        owner.execute("UPDATE tieout.people SET roles = '{auditor}' WHERE id = 'cora'")
    with pytest.raises(Refusal, match="may not invite"):
        run("invite", "acme", "zoe@acme.example", "--name", "Zoe", token="t-cora")
    with pytest.raises(Refusal, match="belongs to nobody"):
        run("invite", "acme", "zoe@acme.example", "--name", "Zoe", token="t-eve")
