"""An invoice's state on the pages is what the journal's receivable says, and nobody reads another's."""

from datetime import date
from decimal import Decimal

import pytest

from adapters.postgres.books import Books
from adapters.postgres.controls import PostgresControls
from adapters.postgres.journals import PostgresJournal
from adapters.postgres.statements import PostgresStatements
from models.journal import Account, JournalEntry, Posting, Rule
from models.reports import InvoiceView
from tests.web.conftest import NOON, World

pytestmark = pytest.mark.stack

MONTH = "2026-10"


def entry(customer: str, rule: Rule, amount: str, other: Account, day: int = 4) -> JournalEntry:
    """Return an entry that raises the receivable of a customer's October invoice; lowers it for an amount below 0."""
    return JournalEntry(
        key=f"{rule.value}/{customer}/{amount}",
        rule=rule,
        customer=customer,
        contract=f"{customer}-2026",
        period="2026-11",
        posted_on=date(2026, 11, day),
        currency="USD",
        description="of a test",
        postings=(
            Posting(account=Account.RECEIVABLE, amount=Decimal(amount)),
            Posting(account=other, amount=-Decimal(amount)),
        ),
        statement="a" * 64,
        invoice=f"{MONTH}@1/{customer}/USD",
    )


def post(world: World, *entries: JournalEntry) -> None:
    """Post entries as a worker does."""
    PostgresJournal(world.books.as_role("worker")).post(entries, preparer="system", at=NOON)


def october(world: World, customer: str = "acme", role: str = "console") -> InvoiceView:
    """Return a customer's October invoice as a role reads it."""
    [view] = Books(world.books.as_role(role), customer if role == "portal" else None).invoices(MONTH, customer)
    return view


@pytest.mark.parametrize("role", ["console", "portal", "auditor"])
def test_an_invoice_is_open_while_anything_is_owed_and_paid_once_nothing_is(filled: World, role: str) -> None:
    assert october(filled, role=role).state == "open"  # issued, not posted yet
    post(filled, entry("acme", Rule.B3, "140.00", Account.UNBILLED))
    assert (october(filled, role=role).state, october(filled, role=role).owed) == ("open", Decimal(140))
    post(filled, entry("acme", Rule.A2, "-100.00", Account.CLEARING))
    assert (october(filled, role=role).state, october(filled, role=role).owed) == ("open", Decimal(40))
    post(filled, entry("acme", Rule.A2, "-40.00", Account.CLEARING, day=9))
    view = october(filled, role=role)
    assert (view.state, view.owed, view.lowered_on) == ("paid", Decimal(0), date(2026, 11, 9))


def test_what_was_taken_back_or_credited_is_not_called_paid(filled: World) -> None:
    post(
        filled,
        entry("acme", Rule.B3, "140.00", Account.UNBILLED),
        entry("acme", Rule.E5, "-140.00", Account.USAGE),
        entry("bolt", Rule.B3, "140.00", Account.UNBILLED),
        entry("bolt", Rule.E1, "-140.00", Account.CREDIT_NOTES),
    )
    assert [october(filled, one).state for one in ("acme", "bolt")] == ["void", "credited"]


def test_a_disputed_payment_is_owed_again(filled: World) -> None:
    post(
        filled,
        entry("acme", Rule.B3, "140.00", Account.UNBILLED),
        entry("acme", Rule.A2, "-140.00", Account.CLEARING),
        entry("acme", Rule.A2, "139.00", Account.CLEARING),
    )
    assert (october(filled).state, october(filled).owed) == ("open", Decimal(139))


def test_both_pages_say_paid_and_when(filled: World) -> None:
    post(
        filled,
        entry("acme", Rule.B3, "140.00", Account.UNBILLED),
        entry("acme", Rule.A2, "-140.00", Account.CLEARING),
    )
    browser = filled.signed_in("acme-viewer")
    for page in ("/", "/invoices", f"/invoices/{MONTH}@1/acme/USD"):
        assert "</span> paid</span>" in browser.get(page).text, page
    assert 'datetime="2026-11-04"' in browser.get(f"/invoices/{MONTH}@1/acme/USD").text
    others = filled.signed_in("bolt-viewer").get("/invoices").text
    assert "paid" not in others
    assert "</span> open</span>" in others


def test_the_portal_reads_the_receivables_of_the_customer_it_names_alone(filled: World) -> None:
    post(filled, *(entry(one, Rule.B3, "140.00", Account.UNBILLED) for one in ("acme", "bolt")))
    assert len(PostgresControls(filled.books.as_role("console")).receivables(MONTH)) == 2
    with filled.books.connect("portal") as connection:
        assert connection.execute("SELECT count(*) FROM tieout.receivables").fetchone() == (0,)
        connection.execute("SELECT set_config('tieout.customer', 'acme', true)")
        assert connection.execute("SELECT customer, owed FROM tieout.receivables").fetchall() == [("acme", 140)]


def test_the_live_overview_is_sent_again_once_an_invoice_is_paid(filled: World) -> None:
    def stamp(customer: str) -> str:
        return PostgresStatements(filled.books.as_role("portal"), customer).stamp()

    seen = [stamp("acme")]
    other = stamp("bolt")
    for moved in (
        entry("acme", Rule.B3, "140.00", Account.UNBILLED),
        entry("acme", Rule.A2, "-100.00", Account.CLEARING),
        entry("acme", Rule.A2, "-40.00", Account.CLEARING, day=9),
    ):
        post(filled, moved)
        seen.append(stamp("acme"))
    assert len(set(seen)) == len(seen)
    assert stamp("bolt") == other  # a payment is nobody else's news
