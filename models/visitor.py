"""Visitor: who a session at one of the faces belongs to, and what a customer's user may do there."""

from enum import StrEnum

from pydantic import Field

from models.approval import Person
from models.money import Currency
from models.period import Zone
from models.usage import Identifier
from models.value import Exact, Instant, Value, fingerprint_of

_LABEL = "[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
ADDRESS = rf"^[A-Za-z0-9.!#$%&'*+/=?^_`{{|}}~-]+@{_LABEL}(\.{_LABEL})*$"
"""One mail address, as a browser's field takes it (HTML, valid e-mail address): ASCII, which every server takes."""


class PortalRole(StrEnum):
    """What a customer's user may do."""

    ADMIN = "admin"  # everything a viewer may, and: share links, alerts, exports' schedule, settings
    VIEWER = "viewer"


class Visitor(Value):
    """Somebody of finance who is signed in at the console."""

    session: str
    person: Person
    expires_at: Instant

    @property
    def name(self) -> str:
        """Who it is, for people."""
        return self.person.name


class Guest(Value):
    """Somebody who sees one customer's pages: a user of theirs, or a person of finance who views as the customer."""

    session: str
    customer: Identifier
    user: Identifier | None
    name: str
    email: str
    role: PortalRole
    person: Identifier | None  # of finance; then everything is read only, and logged
    expires_at: Instant
    zone: Zone | None = None  # times are shown in, where they are no billing days; None: the contract's, or UTC

    @property
    def who(self) -> str:
        """Who it is, for the log."""
        return self.user or f"finance:{self.person}"

    @property
    def may_change(self) -> bool:
        """Whether they may make links and alerts, and change settings."""
        return self.role is PortalRole.ADMIN and self.user is not None


class PortalUser(Value):
    """Somebody at a customer who may see the customer's pages."""

    id: Identifier
    customer: Identifier
    email: str = Field(pattern=r"^[^\s@]+@[^\s@]+$")
    name: str = Field(min_length=1)
    role: PortalRole
    zone: Zone | None = None  # as a Guest's


class Contact(Value):
    """An address at a customer that mail goes to beside the contract's."""

    id: str
    customer: Identifier
    email: str = Field(pattern=ADDRESS, max_length=254)
    made_by: str
    made_at: Instant


class Share(Value):
    """A link by which a customer shows one page to somebody who can't sign in."""

    id: str
    customer: Identifier
    scope: str  # the path of the page
    made_by: Identifier
    made_at: Instant
    expires_at: Instant
    revoked_at: Instant | None = None


class StandingExport(Value):
    """A file that a customer wants made of every month, once its invoice is issued."""

    customer: Identifier
    kind: str
    format: str
    chosen_by: str
    chosen_at: Instant


class DueExport(Value):
    """A file that is to be made of a statement."""

    customer: Identifier
    kind: str
    format: str
    statement: str

    @property
    def id(self) -> str:
        """The file's id: one for a statement, kind and format, whoever asks again."""
        return fingerprint_of(f"{self.customer} {self.statement} {self.kind} {self.format}")[:32]


EVERY_MONTH = "every month"
"""In place of who made a file: it is made of every month. No user has such an id, which has no spaces."""


class Export(Value):
    """A file that was made of a statement."""

    id: str
    customer: Identifier
    period: str
    kind: str
    format: str
    statement: str
    rows_written: int
    sha256: str
    made_by: str
    made_at: Instant
    total: Exact | None = None  # the statement's, as it is listed
    currency: Currency | None = None


class Alert(Value):
    """What a customer wants to be told of, from which threshold on."""

    id: str
    customer: Identifier
    kind: str
    subject: str
    threshold: Exact
    currency: Currency | None = None  # of a month's total: months that are billed in another are not compared with it
    made_by: str
    made_at: Instant
    ended_at: Instant | None = None
