"""Support: what a customer's entries beside the closes were made from, with everything their rules read."""

from models.approval import Decision
from models.contract import Contract
from models.correction import Correction, CorrectionTaken
from models.entity import DEFAULT, Entity
from models.event import Estimate, Event
from models.invoice import Invoice, IssuedInvoice
from models.journal import JournalEntry
from models.opening import Opening
from models.period import Month
from models.statement import Statement
from models.stripe_event import EventView
from models.usage import Identifier
from models.value import Instant, Value


class PostedEntry(Value):
    """An entry of the journal, and when it was recorded."""

    entry: JournalEntry
    at: Instant


class KeptCorrection(Value):
    """A correction as it was kept, its steps, and the customer's decisions that propose or approve one."""

    correction: Correction
    kept_at: Instant
    steps: tuple[CorrectionTaken, ...]
    decisions: tuple[Decision, ...]


class BookedEvent(Value):
    """An event two people booked, with the terms and estimates known when it was booked."""

    event: Event
    booked_at: Instant
    proposal: Decision
    approval: Decision
    contracts: tuple[Contract, ...]
    estimates: tuple[Estimate, ...]


class OpenedContract(Value):
    """An opening position two people signed, with the contract's versions known then."""

    opening: Opening
    contracts: tuple[Contract, ...]


class Support(Value):
    """The documents behind a customer's entries of a month that no close made, and the journal they were posted to.

    Every document of the customer is here, of other months too: a rule reads what was there before. `entries` are all
    of the customer's, in posting order, so that each one's rule finds the journal as it stood.
    """

    month: Month
    customer: Identifier
    entity: Entity = DEFAULT
    entries: tuple[PostedEntry, ...]
    invoices: tuple[Invoice, ...] = ()  # asked for; those of `issued`
    issued: tuple[IssuedInvoice, ...] = ()
    statements: tuple[Statement, ...] = ()  # what corrections are about, and what was rated again for them
    corrections: tuple[KeptCorrection, ...] = ()  # in the order they were kept
    events: tuple[EventView, ...] = ()  # of the invoicing platform, applied, in the order they came
    booked: tuple[BookedEvent, ...] = ()
    openings: tuple[OpenedContract, ...] = ()
