"""Stripe: the invoicing platform, called as if every call will be made twice.

Idempotency keys live about a day (https://docs.stripe.com/api/idempotent_requests) and a close resumes after
weeks, so nothing leans on them alone: everything is looked up by our own reference in `metadata` first. The
list endpoints are read for that, never search, which is not read-after-write.
"""

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from typing import Any, TypeVar

import httpx
import stripe
from stripe.params import InvoiceAddLinesParamsLine

from models.credit_note import AtPlatform, CreditNote, CreditNoteAsked
from models.invoice import Invoice, IssuedInvoice
from models.money import from_minor, to_minor
from models.refusal import Refusal, RetryLater
from models.stripe_event import Payment

Result = TypeVar("Result")

REFERENCE = "tieout_reference"
STATEMENT = "tieout_statement"
POSITION = "tieout_position"
BATCH_LINES = 100
TIMEOUT_SECONDS = 20
MOST_ATTEMPTS = 20
"""Drafts of one statement that were taken back, before a person should look."""


class InvoiceRefused(Refusal):
    """Stripe says the request can never succeed."""

    remedy = "Read Stripe's message, correct the customer or the contract, then retry the step."


class StripeKeyRefused(Refusal):
    """Stripe does not accept the key."""

    remedy = "Set TIEOUT_STRIPE_KEY to a key that may write invoices, then retry the step."


class StripeInvoices:
    """The `InvoicingPlatform` port on the Stripe API."""

    def __init__(self, key: str, url: str = "https://api.stripe.com") -> None:
        self._stripe = stripe.StripeClient(
            key,
            base_addresses={"api": url},
            max_network_retries=0,  # Temporal retries, and its history shows each try
            http_client=stripe.RequestsClient(timeout=TIMEOUT_SECONDS),
        )
        self._invoices = self._stripe.v1.invoices
        self._files = httpx.Client(timeout=TIMEOUT_SECONDS, follow_redirects=True)  # made once: it reads every root

    def account(self) -> str:
        """Return a sentence on whether the key may list invoices; raises StripeKeyRefused."""
        with _answers():
            found = self._invoices.list({"limit": 1})
        return f"the key lists invoices; {'some' if found.data else 'none'} there"

    def ensure_customer(self, customer: str, name: str, email: str) -> str:
        """Return Stripe's id of a customer, created when it is not there yet."""
        with _answers():
            for found in self._stripe.v1.customers.list({"email": email, "limit": 100}).auto_paging_iter():
                if _metadata(found).get(REFERENCE) == customer:
                    return found.id
            made = self._keyed(
                lambda options: self._stripe.v1.customers.create(
                    {"name": name, "email": email, "metadata": {REFERENCE: customer}}, options
                ),
                f"customer/{customer}",
            )
            return made.id

    def draft(self, stripe_customer: str, invoice: Invoice) -> str:
        """Return the id of the invoice that carries our reference and statement, as a draft with all its lines.

        What was issued already is returned as it is; a draft is completed; one that was taken back is made anew.
        """
        with _answers():
            found = self._find(stripe_customer, invoice)
            if found is None:
                found = self._create(stripe_customer, invoice)
            if found.status == "draft":
                self._add_missing_lines(found, invoice)
            return found.id

    def read(self, stripe_id: str) -> tuple[str, tuple[int, ...], int]:
        """Return status, line amounts in our order, and total, in minor units, as Stripe holds them."""
        with _answers():
            held = self._invoices.retrieve(stripe_id)
            lines = sorted(self._lines(held), key=lambda line: int(_metadata(line).get(POSITION, "0")))
            return str(held.status), tuple(int(line.amount) for line in lines), int(held.total)

    def finalize(self, stripe_id: str, invoice: Invoice) -> IssuedInvoice:
        """Finalize and send a draft, and return what Stripe then holds; an issued invoice is only read."""
        with _answers():
            held = self._invoices.retrieve(stripe_id)
            if held.status == "draft":
                held = self._keyed(
                    lambda options: self._invoices.finalize_invoice(stripe_id, {"auto_advance": False}, options),
                    f"finalize/{stripe_id}",
                )
            if held.status == "open" and _metadata(held).get("tieout_sent") != "yes":
                self._keyed(lambda options: self._invoices.send_invoice(stripe_id, {}, options), f"send/{stripe_id}")
                held = self._invoices.update(stripe_id, {"metadata": {"tieout_sent": "yes"}})
            finalized_at = held.status_transitions.finalized_at if held.status_transitions else None
            if finalized_at is None or not held.number:
                raise InvoiceRefused("Stripe holds the invoice without a number or a date", stripe_id=stripe_id)
            issued_at = datetime.fromtimestamp(finalized_at, UTC)
            due_at = datetime.fromtimestamp(held.due_date, UTC) if held.due_date else issued_at
            return IssuedInvoice(
                reference=invoice.reference,
                stripe_id=held.id,
                number=held.number,
                status=str(held.status),
                currency=held.currency.upper(),
                total=from_minor(int(held.total), held.currency.upper()),
                lines=sum(1 for _ in self._lines(held)),
                issued_at=issued_at,
                due_on=due_at.date(),
            )

    def void(self, stripe_id: str) -> None:
        """Take an invoice back: a draft is deleted, an issued one voided; one that is gone stays gone."""
        with _answers():
            try:
                held = self._invoices.retrieve(stripe_id)
            except stripe.InvalidRequestError as error:
                if error.code == "resource_missing":
                    return
                raise
            if held.status == "draft":
                self._invoices.delete(stripe_id)
            elif held.status == "open":
                self._keyed(lambda options: self._invoices.void_invoice(stripe_id, {}, options), f"void/{stripe_id}")

    def state(self, stripe_id: str) -> AtPlatform:
        """Return how an invoice stands: its status, what is still due and what was paid."""
        with _answers():
            return _at_platform(self._invoices.retrieve(stripe_id))

    def states(self, stripe_ids: Collection[str], since: datetime, until: datetime) -> dict[str, AtPlatform]:
        """Return how each of many invoices stands, read in pages of a hundred.

        `since` and `until` bound when they were made; one that was made at another time is asked for by itself.
        """
        wanted, found = set(stripe_ids), dict[str, AtPlatform]()
        window: Any = {"gte": int(since.timestamp()), "lte": int(until.timestamp())}
        with _answers():
            for held in self._invoices.list({"created": window, "limit": 100}).auto_paging_iter():
                if held.id in wanted:
                    found[held.id] = _at_platform(held)
                    if len(found) == len(wanted):
                        break
        return found | {stripe_id: self.state(stripe_id) for stripe_id in wanted - found.keys()}

    def payment(self, stripe_id: str) -> Payment | None:
        """Return the payment intent that paid an invoice and Stripe's fee of it; None: paid outside of Stripe."""
        with _answers():
            paid = self._stripe.v1.invoice_payments.list({"invoice": stripe_id, "status": "paid", "limit": 1}).data
            named = paid[0].payment.payment_intent if paid else None
            if named is None:
                return None
            intent = self._stripe.v1.payment_intents.retrieve(
                str(named), {"expand": ["latest_charge.balance_transaction"]}
            )
            charge: Any = intent.latest_charge
            balance: Any = charge.balance_transaction if charge else None
            fee = int(balance.fee) if balance and balance.currency == intent.currency else 0
            currency = intent.currency.upper()
            return Payment(intent=intent.id, fee=from_minor(fee, currency), currency=currency)

    def credit(self, note: CreditNoteAsked) -> CreditNote:
        """Return the credit note that carries our reference on an issued invoice, made when it is not there yet.

        What is paid back is settled outside of the platform (`out_of_band_amount`): our invoices are paid by transfer.
        """
        notes = self._stripe.v1.credit_notes
        with _answers():
            for found in notes.list({"invoice": note.stripe_invoice, "limit": 100}).auto_paging_iter():
                if _metadata(found).get(REFERENCE) == note.reference and found.status != "void":
                    return _credit_note(found, note)
            total = to_minor(note.total, note.currency)
            params: Any = {
                "invoice": note.stripe_invoice,
                "reason": note.reason,
                "memo": note.memo,
                "metadata": {REFERENCE: note.reference},
                "lines": [
                    {
                        "type": "custom_line_item",
                        "description": line.description,
                        "quantity": 1,
                        "unit_amount": to_minor(line.amount, note.currency),
                    }
                    for line in note.lines
                ],
            }
            if note.to == "balance":
                params["credit_amount"] = total
            elif note.to == "paid_back":
                params["out_of_band_amount"] = total
            made = self._keyed(partial(notes.create, params), f"credit/{note.reference}")
            return _credit_note(made, note)

    def pdf(self, stripe_id: str) -> bytes:
        """Return Stripe's own PDF of an issued invoice."""
        with _answers():
            held = self._invoices.retrieve(stripe_id)
        if not held.invoice_pdf:
            raise InvoiceRefused("Stripe has no PDF of this invoice", stripe_id=stripe_id)
        answer = self._files.get(held.invoice_pdf)
        answer.raise_for_status()
        return answer.content

    def _find(self, stripe_customer: str, invoice: Invoice) -> stripe.Invoice | None:
        """Return the live invoice with our reference and statement, or None; one of another statement is refused."""
        for found in self._invoices.list({"customer": stripe_customer, "limit": 100}).auto_paging_iter():
            ours = _metadata(found)
            if ours.get(REFERENCE) != invoice.reference or found.status in ("void", "uncollectible"):
                continue
            if ours.get(STATEMENT) == invoice.statement:
                return found
            if found.status == "draft":  # of a statement that was reworked since: never issued
                self._invoices.delete(found.id)
                continue
            raise InvoiceRefused(
                "an invoice of another statement was issued under this reference",
                reference=invoice.reference,
                stripe_id=found.id,
            )
        return None

    def _create(self, stripe_customer: str, invoice: Invoice) -> stripe.Invoice:
        """Create a draft. A key whose draft was taken back since answers with a ghost: then the next key is used."""
        for attempt in range(1, MOST_ATTEMPTS + 1):
            params: Any = {
                "customer": stripe_customer,
                "currency": invoice.currency.lower(),
                "collection_method": "send_invoice",
                "days_until_due": invoice.net_days,
                "auto_advance": False,
                "pending_invoice_items_behavior": "exclude",
                "description": f"Usage {invoice.period}",
                "metadata": {REFERENCE: invoice.reference, STATEMENT: invoice.statement},
            }
            if invoice.purchase_order:
                params["custom_fields"] = [{"name": "Purchase order", "value": invoice.purchase_order}]
            key = f"draft/{invoice.reference}/{invoice.statement}/{attempt}"
            made = self._keyed(partial(self._invoices.create, params), key)
            held = self._live(made.id) if _replayed(made.last_response) else made
            if held is not None:
                return held
        raise InvoiceRefused(f"{MOST_ATTEMPTS} drafts of this statement were taken back", reference=invoice.reference)

    def _keyed(self, call: Callable[[stripe.RequestOptions], Result], key: str) -> Result:
        """Make a call under an idempotency key.

        Stripe remembers a 500 under its key and answers it again; such a replayed failure is asked anew under
        the next key. What had happened in spite of the 500 was looked for by our reference before.
        """
        for attempt in range(1, MOST_ATTEMPTS + 1):
            try:
                return call({"idempotency_key": key if attempt == 1 else f"{key}/{attempt}"})
            except stripe.StripeError as error:
                if not (_replayed(error) and error.http_status and error.http_status >= 500):
                    raise
        raise InvoiceRefused(f"{MOST_ATTEMPTS} keys answer with a remembered failure", key=key)

    def _live(self, stripe_id: str) -> stripe.Invoice | None:
        """Return an invoice as it is now, not as an answer remembers it; None where it was taken back."""
        try:
            held = self._invoices.retrieve(stripe_id)
        except stripe.InvalidRequestError as error:
            if error.code == "resource_missing":
                return None
            raise
        return held if held.status not in ("void", "uncollectible") else None

    def _add_missing_lines(self, held: stripe.Invoice, invoice: Invoice) -> None:
        there = {int(_metadata(line).get(POSITION, "0")) for line in self._lines(held)}
        missing = [line for line in invoice.lines if line.position not in there]
        for start in range(0, len(missing), BATCH_LINES):
            batch: list[InvoiceAddLinesParamsLine] = [
                {
                    "amount": to_minor(line.amount, invoice.currency),
                    "description": line.description,
                    "metadata": {POSITION: str(line.position)},
                }
                for line in missing[start : start + BATCH_LINES]
            ]
            first = missing[start].position
            self._keyed(partial(self._invoices.add_lines, held.id, {"lines": batch}), f"lines/{held.id}/{first}")

    def _lines(self, held: stripe.Invoice) -> Iterator[Any]:
        """Return an invoice's lines: up to ten come with it, more are listed a hundred at a time."""
        if not held.lines.has_more:
            return iter(held.lines.data)
        return iter(self._invoices.line_items.list(held.id, {"limit": 100}).auto_paging_iter())


def _credit_note(held: Any, note: CreditNoteAsked) -> CreditNote:
    return CreditNote(
        stripe_id=held.id,
        number=held.number,
        status=str(held.status),
        total=from_minor(int(held.total), note.currency),
    )


def _at_platform(held: stripe.Invoice) -> AtPlatform:
    currency = held.currency.upper()
    return AtPlatform(
        status=str(held.status),
        remaining=from_minor(int(held.amount_remaining), currency),
        paid=from_minor(int(held.amount_paid), currency),
    )


def _replayed(answer: Any) -> bool:
    """Return whether Stripe remembered an answer, or an error, under its idempotency key."""
    return (answer.headers or {}).get("Idempotent-Replayed") == "true"


def _metadata(held: Any) -> dict[str, str]:
    return dict(held.metadata.to_dict()) if held.metadata else {}


@contextmanager
def _answers() -> Iterator[None]:
    """Tell Stripe's final answers (refusals) from what will pass (faults, which Temporal retries)."""
    try:
        yield
    except stripe.RateLimitError as error:
        headers = error.headers or {}
        raise RetryLater("Stripe's rate limit", float(headers.get("Retry-After", 1))) from error
    except stripe.AuthenticationError as error:
        raise StripeKeyRefused("Stripe does not accept the key") from error
    except stripe.PermissionError as error:
        raise StripeKeyRefused("the key may not do this") from error
    except (stripe.InvalidRequestError, stripe.IdempotencyError) as error:
        if error.http_status and error.http_status >= 500:
            raise
        raise InvoiceRefused(
            error.user_message or str(error), code=error.code, param=getattr(error, "param", None)
        ) from error
