"""Invoice: what the customer is billed, few grouped lines that sum to the statement to the cent."""

from typing import Self

from pydantic import Field, model_validator

from models.money import Currency, total
from models.period import Month
from models.usage import Identifier
from models.value import Day, Exact, Instant, Value

MAX_INVOICE_LINES = 250
"""Stripe takes at most 250 items an invoice (https://docs.stripe.com/invoicing, invoice item limits)."""


class InvoiceLine(Value):
    """A group of rated lines: the sum of their rounded amounts."""

    position: int = Field(ge=1, le=MAX_INVOICE_LINES)
    description: str
    amount: Exact
    rated_lines: tuple[Identifier, ...] = Field(min_length=1)


class Invoice(Value):
    """What is asked of Stripe for one billing account and period."""

    reference: Identifier  # our business key: <period>@<revision>/<customer>/<currency>
    customer: Identifier
    contract: Identifier
    period: Month
    currency: Currency
    statement: str  # fingerprint
    net_days: int = Field(ge=0)
    purchase_order: str | None = None
    lines: tuple[InvoiceLine, ...] = Field(max_length=MAX_INVOICE_LINES)
    total: Exact

    @model_validator(mode="after")
    def _ties(self) -> Self:
        if self.total != total(line.amount for line in self.lines):
            raise ValueError(f"the lines of invoice {self.reference} do not sum to {self.total}")
        return self


class IssuedInvoice(Value):
    """What Stripe holds for an invoice once it is finalized, read back from Stripe."""

    reference: Identifier
    stripe_id: str
    number: str
    status: str
    currency: Currency
    total: Exact
    lines: int
    issued_at: Instant
    due_on: Day
    pdf_sha256: str | None = None
    pdf_uri: str | None = None
