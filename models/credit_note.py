"""Credit notes at the invoicing platform: as asked for, and as it holds them."""

from pydantic import Field

from models.money import Currency
from models.usage import Identifier
from models.value import Exact, Positive, Value


class AtPlatform(Value):
    """How an issued invoice stands at the platform, in its currency."""

    status: str  # draft | open | paid | void | uncollectible
    remaining: Exact  # still to be paid
    paid: Exact


class CreditNoteLine(Value):
    """One line of a credit note."""

    description: str
    amount: Positive


class CreditNoteAsked(Value):
    """A credit note on an issued invoice: lowers what is due, goes to the customer's balance, or is paid back."""

    reference: Identifier  # the correction's id
    stripe_invoice: str
    currency: Currency
    to: str  # due | balance | paid_back
    reason: str
    memo: str
    lines: tuple[CreditNoteLine, ...] = Field(min_length=1)
    total: Positive


class CreditNote(Value):
    """What the platform holds, read back."""

    stripe_id: str
    number: str
    status: str
    total: Exact
