"""Vouching: each entry beside the closes against its document; a difference is named by document, line and amount."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from pydantic import ValidationError

from billing import correcting, events, payments
from billing.corrected import entries as corrected_entries
from billing.corrected import worked_out
from billing.vouching.month import vouch
from models.approval import Decision, Person
from models.close import CORRECTIONS_FROM, DecisionKind, Role
from models.correction import Cause, CorrectionRequest, CorrectionStep, CorrectionTaken, CorrectionView, Settlement
from models.journal import Account, JournalEntry, Posting
from models.money import ZERO
from models.statement import Statement
from models.stripe_event import EventTaken, EventView, Fate, Payment, PlatformEvent
from models.support import BookedEvent, KeptCorrection, PostedEntry, Support
from tests.billing.test_corrections import a_request
from tests.billing.test_payments import ISSUED
from tests.billing.test_settlements import BILLED, INVOICE, event
from tests.statement_builders import a_statement, an_invoice, usage

D = Decimal
SIDES = (
    Posting(account=Account.CLEARING, amount=D("1.00")),
    Posting(account=Account.RECEIVABLE, amount=D("-1.00")),
)
PIA = Person(id="pia", name="Pia", roles=(Role.PREPARER,))
CORA = Person(id="cora", name="Cora", roles=(Role.CONTROLLER,))
STATEMENT = a_statement(usage("u", "100.00"))
ASKED = an_invoice(STATEMENT)
ENTRIES = tuple(one.model_copy(update={"close_run": "2026-10@1"}) for one in BILLED)
CREDIT = a_request(credits={"u": "12.50"})
OFF = event("write_off", on="2026-11-10", invoice=INVOICE, amount="50.00")


def at(day: int, month: int = 11) -> datetime:
    return datetime(2026, month, day, 9, tzinfo=UTC)


def decided(kind: DecisionKind, by: Person, subject: str, month: str, when: datetime) -> Decision:
    return Decision(
        id=f"{kind.value}-{subject[:8]}", kind=kind, period=month, revision=CORRECTIONS_FROM, customer="acme",
        subject=subject, person=by, reason="agreed", recorded_at=when,
    )  # fmt: skip


def corrected(
    request: CorrectionRequest,
    again: Statement | None = None,
    open_month: str = "2026-11",
    day: int = 5,
    before: tuple[CorrectionView, ...] = (),
) -> tuple[KeptCorrection, tuple[PostedEntry, ...]]:
    """Return a correction of the line of 100.00, approved by cora and posted on a day of November."""
    known = at(day - 2)
    one = worked_out(request, STATEMENT, again, before, ZERO, next_issued=False, proposed_by="pia", known_at=known)
    proposed, approves = DecisionKind.PROPOSE_CORRECTION, DecisionKind.APPROVE_CORRECTION
    kept = KeptCorrection(
        correction=one,
        kept_at=known,
        steps=tuple(
            CorrectionTaken(correction=one.id, step=step, at=when, person=person)
            for step, when, person in (
                (CorrectionStep.APPROVED, at(day - 1), "cora"),
                (CorrectionStep.SETTLED, at(day), None),
                (CorrectionStep.POSTED, at(day), None),
            )
        ),
        decisions=(
            decided(proposed, PIA, request.fingerprint(), "2026-10", known),
            decided(approves, CORA, one.fingerprint(), "2026-10", at(day - 1)),
        ),
    )
    where = correcting.booking("2026-10", open_month, at(day).date())
    made = corrected_entries(one, STATEMENT, [*before, view_of(kept)], ENTRIES, where)
    return kept, tuple(PostedEntry(entry=entry, at=at(day)) for entry in made)


def view_of(kept: KeptCorrection) -> CorrectionView:
    return CorrectionView(correction=kept.correction, steps=kept.steps)


def written_off(before: tuple[PostedEntry, ...]) -> tuple[BookedEvent, tuple[PostedEntry, ...]]:
    """Return 50.00 of the 87.50 that are due written off on the 10th."""
    booked = BookedEvent(
        event=OFF,
        booked_at=at(10),
        proposal=decided(DecisionKind.PROPOSE_EVENT, PIA, OFF.fingerprint(), "2026-11", at(10)),
        approval=decided(DecisionKind.APPROVE_EVENT, CORA, OFF.fingerprint(), "2026-11", at(10)),
        contracts=(),
        estimates=(),
    )
    made = events.entry_for(OFF, [one.entry for one in before], None, "2026-11")
    assert made is not None
    return booked, (PostedEntry(entry=made, at=at(10)),)


def told(
    name: str, kind: str, when: datetime, month: str, before: tuple[PostedEntry, ...], **about: Any
) -> tuple[EventView, tuple[PostedEntry, ...]]:
    """Return an event of the platform as applied, and its entries; a payment of it costs 1.80."""
    thing = {"object": "invoice", "id": "in_1", "currency": "usd", **about}
    body = json.dumps({"id": name, "type": kind, "created": int(when.timestamp()), "data": {"object": thing}})
    one = PlatformEvent(id=name, type=kind, created=when, object_id=str(thing["id"]), body=body)
    paid = Payment(intent="pi_1", fee=D("1.80"), currency="USD")
    made = payments.entries_of(one, ASKED, ISSUED, paid, month, [each.entry for each in before])
    there = {each.entry.key for each in before}
    references = {"invoice": INVOICE or "", "sha256": one.sha256}
    if kind == payments.PAID:
        references |= {"payment": "pi_1", "fee": "1.8"}
    taken = EventTaken(event=name, fate=Fate.APPLIED, at=when, references=references)
    new = tuple(PostedEntry(entry=entry, at=when) for entry in made if entry.key not in there)
    return EventView(event=one, taken=(taken,)), new


def lived(month: str = "2026-11") -> Support:
    """Return an invoice of 100.00: 12.50 credited, 50.00 written off, 60.00 paid, all disputed and lost in December."""
    entries = tuple(PostedEntry(entry=entry, at=at(1)) for entry in ENTRIES)
    kept, posted = corrected(CREDIT)
    entries += posted
    off, posted = written_off(entries)
    entries += posted
    paid, posted = told("evt_1", "invoice.paid", at(20), "2026-11", entries, amount_paid=6000)
    entries += posted
    dispute = {"object": "dispute", "id": "dp_1", "amount": 6000, "payment_intent": "pi_1"}
    asked, posted = told(
        "evt_2", "charge.dispute.created", at(28), "2026-11", entries, status="needs_response", **dispute
    )
    entries += posted
    lost, posted = told("evt_3", "charge.dispute.closed", at(9, 12), "2026-12", entries, status="lost", **dispute)
    return Support(
        month=month,
        customer="acme",
        entries=entries + posted,
        invoices=(ASKED,),
        issued=(ISSUED,),
        statements=(STATEMENT,),
        corrections=(kept,),
        events=(paid, asked, lost),
        booked=(off,),
    )


def named(support: Support) -> dict[str, tuple[str, str]]:
    """Return what differs: the evidence and what was recomputed, by what is named."""
    return {check.name: (check.evidence, check.recomputed) for check in vouch(support) if not check.agrees}


def changed(path: tuple[str | int, ...], to: object, month: str = "2026-11") -> dict[str, tuple[str, str]]:
    """Return what is named where one thing of the support is another."""
    tree = json.loads(lived(month).canonical())
    place = tree
    for step in path[:-1]:
        place = place[step]
    assert place[path[-1]] != to
    place[path[-1]] = to
    return named(Support.from_text(json.dumps(tree)))


def test_every_entry_of_a_month_is_made_again_from_its_document() -> None:
    assert named(lived()) == named(lived("2026-12")) == {}
    said = {check.evidence for check in vouch(lived())}
    assert said >= {
        f"E2 correction/{CREDIT.id}",
        "H2 event/acme-2026/write_off-1",
        "H3 recovery/in_1",  # 60.00 is 22.50 more than the 37.50 that were due
        "A2 payment/in_1",
        "A2 dispute/dp_1/taken",
    }
    assert {check.evidence for check in vouch(lived("2026-12"))} >= {
        "H1 dispute/dp_1/expense",
        "H2 dispute/dp_1/written-off",
    }


def test_an_entrys_amount_is_named_by_its_document_line_and_both_amounts() -> None:
    support = lived()
    (payment,) = [one for one in support.entries if one.entry.key == "payment/in_1"]
    sides = list(payment.entry.postings)
    sides[0], sides[1] = (
        sides[0].model_copy(update={"amount": D("59.20")}),
        sides[1].model_copy(update={"amount": D("0.80")}),
    )
    entry = payment.entry.model_copy(update={"postings": tuple(sides)})
    assert named(_with(support, entry)) == {
        "evt_1: payment/in_1 line 1": ("1010 59.20 USD", "1010 58.20 USD"),
        "evt_1: payment/in_1 line 2": ("6200 0.80 USD", "6200 1.80 USD"),
    }


def test_an_entry_that_is_gone_and_one_without_a_document_are_named() -> None:
    support = lived()
    gone = tuple(one for one in support.entries if one.entry.key != "event/acme-2026/write_off-1")
    assert named(support.model_copy(update={"entries": gone})) == {
        "event write_off-1: event/acme-2026/write_off-1 line 1": ("nothing", "6100 50.00 USD"),
        "event write_off-1: event/acme-2026/write_off-1 line 2": ("nothing", "1100 -50.00 USD"),
        # 87.50 were due then: nothing was written off that 60.00 could recover
        "evt_1: recovery/in_1 line 1": ("1100 22.50 USD", "nothing"),
        "evt_1: recovery/in_1 line 2": ("1190 -22.50 USD", "nothing"),
    }
    (payment,) = [one.entry for one in support.entries if one.entry.key == "payment/in_1"]
    stranger = payment.model_copy(update={"key": "by-hand", "postings": SIDES})
    found = named(support.model_copy(update={"entries": (*support.entries, PostedEntry(entry=stranger, at=at(28)))}))
    assert found == {
        "no document: by-hand line 1": ("1010 1.00 USD", "nothing"),
        "no document: by-hand line 2": ("1100 -1.00 USD", "nothing"),
    }


def test_a_payload_of_the_platform_that_was_changed_is_named_with_what_it_would_have_posted() -> None:
    body = lived().events[0].event.body
    found = changed(("events", 0, "event", "body"), body.replace('"amount_paid": 6000', '"amount_paid": 6100'))
    assert found.pop("evt_1 invoice.paid: payload")
    assert found == {
        "evt_1: recovery/in_1 line 1": ("1100 22.50 USD", "1100 23.50 USD"),
        "evt_1: recovery/in_1 line 2": ("1190 -22.50 USD", "1190 -23.50 USD"),
        "evt_1: payment/in_1 line 1": ("1010 58.20 USD", "1010 59.20 USD"),
        "evt_1: payment/in_1 line 3": ("1100 -60.00 USD", "1100 -61.00 USD"),
    }
    space = changed(("events", 0, "event", "body"), body.replace("}", " }"))  # says the same by other bytes
    assert set(space) == {"evt_1 invoice.paid: payload"}
    torn = changed(("events", 0, "event", "body"), body[:-1])
    assert "not read: JSONDecodeError" in torn["evt_1 invoice.paid: row"][1]
    assert torn["evt_1: payment/in_1 line 1"] == ("1010 58.20 USD", "nothing")
    fee = changed(("events", 0, "taken", 0, "references", "fee"), "1.7")
    assert fee["evt_1: payment/in_1 line 2"] == ("6200 1.80 USD", "6200 1.70 USD")


def test_a_payment_kept_before_its_fee_and_checksum_were_is_made_again_with_the_fee_it_was_posted_with() -> None:
    before = {"invoice": INVOICE, "payment": "pi_1"}
    assert changed(("events", 0, "taken", 0, "references"), before) == {}
    body = lived().events[0].event.body.replace('"amount_paid": 6000', '"amount_paid": 6001')
    tree = json.loads(lived().canonical())
    tree["events"][0]["taken"][0]["references"] = before
    tree["events"][0]["event"]["body"] = body
    found = named(Support.from_text(json.dumps(tree)))
    assert found["evt_1: payment/in_1 line 3"] == ("1100 -60.00 USD", "1100 -60.01 USD")


def test_a_correction_is_worked_out_again_from_its_statement_and_judged_again() -> None:
    found = changed(("corrections", 0, "correction", "lines", 0, "after"), "86.50")
    name = f"correction {CREDIT.id}"
    assert found[f"{name}: line 1"] == (
        "call.minutes 100.00 USD to 86.50 USD",
        "call.minutes 100.00 USD to 87.50 USD",
    )
    assert found[f"{name}: correction/{CREDIT.id} line 2"] == ("1100 -12.50 USD", "1100 -13.50 USD")
    assert found[f"{name}: two people"] == ("pia, cora", "pia, nobody")  # she approved another content
    assert changed(("corrections", 0, "decisions", 1, "person", "id"), "pia")[f"{name}: two people"][1] == "pia, nobody"
    other = changed(("statements", 0, "lines", 0, "clause"), "another")
    assert other[f"{name}: statement"] == (STATEMENT.fingerprint(), "none has this fingerprint")


def test_a_second_correction_counts_the_first_and_not_the_one_that_came_later() -> None:
    """20.00 more is taken off of the 87.50 that are left, on the 12th; without the first it was off of 100.00."""
    support = lived()
    (first,) = support.corrections
    request = a_request(credits={"u": "20.00"}, reason="another outage")
    second, posted = corrected(request, day=12, before=(view_of(first),))
    assert second.correction.lines[0].before == D("87.50")
    more = {"entries": (*support.entries, *posted), "corrections": (first, second)}
    assert named(support.model_copy(update=more)) == {}
    alone = named(support.model_copy(update={**more, "corrections": (second,)}))
    assert alone[f"correction {request.id}: line 1"] == (
        "call.minutes 87.50 USD to 67.50 USD",
        "call.minutes 100.00 USD to 80.00 USD",
    )
    assert f"no document: correction/{CREDIT.id} line 1" in alone


AGAIN = a_statement(usage("u", "80.00"), usage("v", "5.00", model="nova-3"))


@pytest.mark.parametrize("open_month", ["2026-10", "2026-11"])
@pytest.mark.parametrize(
    ("cause", "settlement"),
    [
        (Cause.WRONG_RATE, Settlement.CREDIT_NOTE),
        (Cause.WRONG_RATE, Settlement.BALANCE),
        (Cause.CONTRACT, Settlement.REFUND),
        (Cause.LATE_USAGE, Settlement.NEXT_PERIOD),
        (Cause.WRONG_RATE, Settlement.REBILL),
        (Cause.DISPUTE, Settlement.VOID),
    ],
)
def test_every_way_to_correct_is_made_again_in_an_open_and_in_a_closed_period(
    cause: Cause, settlement: Settlement, open_month: str
) -> None:
    again = AGAIN if cause.rates_again else None
    kept, posted = corrected(a_request(cause, settlement), again, open_month)
    support = Support(
        month=open_month,
        customer="acme",
        entries=(*(PostedEntry(entry=entry, at=at(1)) for entry in ENTRIES), *posted),
        statements=(STATEMENT, AGAIN),
        corrections=(kept,),
    )
    assert named(support) == {}
    assert len(posted) == len({one.entry.key for one in posted}) >= 1
    for one in posted:  # each of its entries with a cent more on its first two lines
        first, second, *rest = one.entry.postings
        cent = D("0.01") if first.amount != D("-0.01") and second.amount != D("0.01") else D("0.02")
        moved = tuple(
            side.model_copy(update={"amount": side.amount + more}) for side, more in ((first, cent), (second, -cent))
        )
        found = named(_with(support, one.entry.model_copy(update={"postings": (*moved, *rest)})))
        assert set(found) == {f"correction {kept.correction.id}: {one.entry.key} line {line}" for line in (1, 2)}


def test_a_booked_event_is_what_two_people_signed() -> None:
    found = changed(("booked", 0, "event", "amount"), "51.00")
    assert found["event write_off-1: event/acme-2026/write_off-1 line 2"] == ("1100 -50.00 USD", "1100 -51.00 USD")
    assert "what is signed changed" in found["event write_off-1: two people"][1]
    assert (
        "pia prepared this event"
        in changed(("booked", 0, "approval", "person", "id"), "pia")["event write_off-1: two people"][1]
    )
    refused = changed(("booked", 0, "event", "amount"), "500.00")
    assert "more is written off than is due" in refused["event write_off-1"][1]


INERT = {
    "customer", "month", "entity.entity", "entity.fx_card",
    "corrections.decisions.id",
    "corrections.decisions.revision", "corrections.decisions.reason", "corrections.decisions.person.name",
    "corrections.steps.correction", "corrections.steps.detail", "corrections.steps.person",
    "booked.proposal.id", "booked.proposal.reason", "booked.proposal.revision", "booked.proposal.person.name",
    "booked.approval.id", "booked.approval.reason", "booked.approval.revision", "booked.approval.person.name",
    "events.taken.event", "events.taken.detail",
    "invoices.period", "invoices.net_days", "invoices.purchase_order",
    "invoices.lines.position", "invoices.lines.description", "invoices.lines.rated_lines",
    "issued.status", "issued.total", "issued.lines", "issued.due_on", "issued.pdf_sha256", "issued.pdf_uri",
}  # fmt: skip
"""What no entry is made from: words, names, and what other checks hold (an invoice's own, in its pack)."""


def leaves(node: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    if isinstance(node, dict | list):
        for step, inner in node.items() if isinstance(node, dict) else enumerate(node):
            yield from leaves(inner, (*path, step))
    else:
        yield path, node


def another(value: Any) -> Any:
    """Return a value of the same kind that is not this one: its last sign is another."""
    if value is None or isinstance(value, bool):
        return "x" if value is None else not value
    if isinstance(value, int):
        return value + 1
    return value[:-1] + (str((int(value[-1]) + 1) % 10) if value[-1:].isdigit() else "y" if value[-1:] == "x" else "x")


def test_whatever_an_entry_is_made_from_is_named_when_it_changes() -> None:
    """Each leaf of the documents and of the entries beside the closes is changed, one after the other."""
    support = lived()
    tree = json.loads(support.canonical())
    unnoticed = set()
    for path, value in leaves(tree):
        if path[0] == "entries" and support.entries[int(path[1])].entry.period != "2026-11":
            continue
        try:
            found = changed(path, another(value))
        except ValidationError:
            continue  # it does not even read
        if not found:
            unnoticed.add(".".join(str(step) for step in path if not isinstance(step, int)))
    assert unnoticed == INERT


def _with(support: Support, entry: JournalEntry) -> Support:
    """Return the support with another entry under its key."""
    entries = tuple(
        one.model_copy(update={"entry": entry}) if one.entry.key == entry.key else one for one in support.entries
    )
    return support.model_copy(update={"entries": entries})
