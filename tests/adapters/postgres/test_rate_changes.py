"""Proposals, the steps of rate changes, and API keys in the database."""

from datetime import timedelta

import psycopg
import pytest

from adapters.postgres.desk import seed_people
from adapters.postgres.keys import PostgresKeys
from adapters.postgres.rate_changes import PostgresRateChanges
from models.access import ApiKey, Scope
from models.books import FourEyes
from models.close import Role
from models.rate_change import ChangeStep, RateProposal, StepTaken
from tests.adapters.postgres.rows import AT, a_rate
from tests.postgres_fixture import Books

pytestmark = pytest.mark.stack


@pytest.fixture
def books(fresh_database: Books) -> Books:
    seed_people(
        fresh_database.owner_url, [(one, one, (Role.PREPARER,), f"token of {one}") for one in ("ann", "bob", "cid")]
    )
    return fresh_database


def a_proposal(amount: str = "2") -> RateProposal:
    return RateProposal(table="file", version=a_rate("2026-11-01", amount), known=a_rate("2026-03-01", "1"))


def step(proposal: RateProposal, step_: ChangeStep, person: str | None = None, **more: str) -> StepTaken:
    return StepTaken(proposal=proposal.id, step=step_, at=AT, person=person, detail=more.get("detail", ""))


def test_a_proposal_is_written_once_whoever_finds_it_again(books: Books) -> None:
    desk = PostgresRateChanges(books.as_role("console"))
    found = a_proposal()
    again = found.model_copy(
        update={"version": found.version.model_copy(update={"checked_on": AT.date(), "source": "read again"})}
    )
    assert again.id == found.id
    assert desk.propose([found, a_proposal("3")], "ann", AT) == tuple(sorted([found.id, a_proposal("3").id]))
    assert desk.propose([again], "bob", AT + timedelta(days=30)) == ()
    view = desk.proposal(found.id)
    assert view is not None
    assert (view.proposed_by, view.proposal, view.step) == ("ann", found, ChangeStep.PROPOSED)
    assert desk.proposal("0123456789abcdef") is None


def test_steps_are_taken_once_and_the_inbox_holds_what_waits(books: Books) -> None:
    desk, worker = PostgresRateChanges(books.as_role("console")), PostgresRateChanges(books.as_role("worker"))
    waits, done, wrong = a_proposal(), a_proposal("3"), a_proposal("4")
    desk.propose([waits, done, wrong], "ann", AT)
    assert worker.take(step(done, ChangeStep.APPROVED, "bob")).person == "bob"
    assert worker.take(step(done, ChangeStep.APPROVED, "cid")).person == "bob"  # the first stands
    worker.take(step(done, ChangeStep.IN_FORCE))
    worker.take(step(wrong, ChangeStep.APPROVED, "bob"))
    worker.take(step(wrong, ChangeStep.NEEDS_CORRECTION, detail="2026-10 is locked"))
    assert [one.id for one in desk.inbox()] == [waits.id, wrong.id]
    assert len(desk.inbox(everything=True)) == 3
    assert [one.id for one in desk.of_subject(waits.version.subject)] == [waits.id, done.id, wrong.id]
    assert desk.of_subject("none") == ()


def test_the_database_lets_nobody_approve_a_rate_of_his_own(books: Books) -> None:
    PostgresRateChanges(books.as_role("console")).propose([a_proposal()], "ann", AT)
    with pytest.raises(FourEyes, match="ann proposed this rate"):
        PostgresRateChanges(books.as_role("worker")).take(step(a_proposal(), ChangeStep.APPROVED, "ann"))


def test_a_key_opens_by_its_secret_until_it_is_revoked(books: Books) -> None:
    desk, api = PostgresKeys(books.as_role("console")), PostgresKeys(books.as_role("rates"))
    key = ApiKey(id="k-1", name="billing", scopes=(Scope.RATES_READ,), made_by="ann", made_at=AT)
    desk.make(key, "secret")
    assert api.scopes_of("secret") == ("rates:read",)
    assert api.scopes_of("another") is None
    assert desk.keys() == (key,)
    with books.connect() as connection:
        kept = connection.execute("SELECT to_jsonb(k)::text FROM tieout.api_keys k").fetchone()
        assert kept is not None
        assert '"secret"' not in kept[0]
    assert desk.revoke("k-1", AT)
    assert api.scopes_of("secret") is None
    assert desk.revoke("k-1", AT + timedelta(days=1))
    assert desk.keys()[0].revoked_at == AT
    assert not desk.revoke("k-2", AT)
    with books.connect("owner") as connection, pytest.raises(psycopg.Error, match="revoked once"):
        connection.execute("UPDATE tieout.api_keys SET name = 'other'")
