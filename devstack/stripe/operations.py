"""The calls the double answers: method, path, handler, and which of the SDK's parameters it does."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from devstack.stripe import credit_notes, customers, invoices, items, webhooks
from devstack.stripe.listing import PAGING
from devstack.stripe.params import checker
from devstack.stripe.store import Json

Handler = Callable[..., Json]


@dataclass(frozen=True)
class Operation:
    """One call of the API."""

    method: str
    path: str
    handler: Handler
    params: str  # in stripe.params
    done: Collection[str] = ()

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """Return the pattern of its path, with a named group for each {part}."""
        return re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", self.path))

    @cached_property
    def check(self) -> Callable[[Any], dict[str, Any]]:
        """Return its parameter check, made on first use."""
        return checker(self.params, self.done)


LIST = PAGING | {"created"}
ITEM = items.CHARGE | {"currency", "customer", "description", "discountable", "invoice", "metadata", "period"}
LINE = items.CHARGE | {"description", "discountable", "metadata", "period"}
NOTE = {
    "amount",
    "credit_amount",
    "effective_at",
    "invoice",
    "lines",
    "memo",
    "metadata",
    "out_of_band_amount",
    "reason",
}
NOTE |= {"refund_amount"}
INVOICE = invoices.SETTABLE

OPERATIONS = (
    Operation("POST", "/v1/customers", customers.create, "CustomerCreateParams", customers.SETTABLE),
    Operation("GET", "/v1/customers", customers.listed, "CustomerListParams", LIST | {"email"}),
    Operation("GET", "/v1/customers/{customer}", customers.retrieve, "CustomerRetrieveParams"),
    Operation("POST", "/v1/customers/{customer}", customers.update, "CustomerUpdateParams", customers.SETTABLE),
    Operation("POST", "/v1/invoiceitems", items.create, "InvoiceItemCreateParams", ITEM),
    Operation(
        "GET", "/v1/invoiceitems", items.listed, "InvoiceItemListParams", LIST | {"customer", "invoice", "pending"}
    ),
    Operation("GET", "/v1/invoiceitems/{invoiceitem}", items.retrieve, "InvoiceItemRetrieveParams"),
    Operation("POST", "/v1/invoiceitems/{invoiceitem}", items.update, "InvoiceItemUpdateParams", LINE - {"price_data"}),
    Operation("DELETE", "/v1/invoiceitems/{invoiceitem}", items.delete, "InvoiceItemDeleteParams"),
    Operation(
        "POST",
        "/v1/invoices",
        invoices.create,
        "InvoiceCreateParams",
        INVOICE | {"currency", "customer", "pending_invoice_items_behavior"},
    ),
    Operation("GET", "/v1/invoices", invoices.listed, "InvoiceListParams", LIST | {"customer", "status"}),
    Operation("GET", "/v1/invoices/{invoice}", invoices.retrieve, "InvoiceRetrieveParams"),
    Operation("POST", "/v1/invoices/{invoice}", invoices.update, "InvoiceUpdateParams", INVOICE),
    Operation("DELETE", "/v1/invoices/{invoice}", invoices.delete, "InvoiceDeleteParams"),
    Operation(
        "POST", "/v1/invoices/{invoice}/finalize", invoices.finalize, "InvoiceFinalizeInvoiceParams", {"auto_advance"}
    ),
    Operation("POST", "/v1/invoices/{invoice}/send", invoices.send, "InvoiceSendInvoiceParams"),
    Operation("POST", "/v1/invoices/{invoice}/pay", invoices.pay, "InvoicePayParams", {"paid_out_of_band"}),
    Operation("POST", "/v1/invoices/{invoice}/void", invoices.void, "InvoiceVoidInvoiceParams"),
    Operation(
        "POST",
        "/v1/invoices/{invoice}/mark_uncollectible",
        invoices.mark_uncollectible,
        "InvoiceMarkUncollectibleParams",
    ),
    Operation(
        "POST",
        "/v1/invoices/{invoice}/add_lines",
        invoices.add_lines,
        "InvoiceAddLinesParams",
        {"invoice_metadata", "lines"},
    ),
    Operation(
        "POST",
        "/v1/invoices/{invoice}/remove_lines",
        invoices.remove_lines,
        "InvoiceRemoveLinesParams",
        {"invoice_metadata", "lines"},
    ),
    Operation("GET", "/v1/invoices/{invoice}/lines", invoices.listed_lines, "InvoiceLineItemListParams", PAGING),
    Operation(
        "POST",
        "/v1/invoices/{invoice}/lines/{line}",
        invoices.update_line,
        "InvoiceLineItemUpdateParams",
        LINE - {"unit_amount_decimal"},
    ),
    Operation(
        "GET",
        "/v1/invoice_payments",
        invoices.listed_payments,
        "InvoicePaymentListParams",
        PAGING | {"invoice", "status"},
    ),
    Operation("POST", "/v1/credit_notes", credit_notes.create, "CreditNoteCreateParams", NOTE),
    Operation("GET", "/v1/credit_notes", credit_notes.listed, "CreditNoteListParams", LIST | {"customer", "invoice"}),
    Operation("GET", "/v1/credit_notes/{credit_note}", credit_notes.retrieve, "CreditNoteRetrieveParams"),
    Operation("POST", "/v1/credit_notes/{credit_note}/void", credit_notes.void, "CreditNoteVoidCreditNoteParams"),
    Operation(
        "GET", "/v1/credit_notes/{credit_note}/lines", credit_notes.listed_lines, "CreditNoteLineItemListParams", PAGING
    ),
    Operation("GET", "/v1/events", webhooks.events, "EventListParams", LIST | {"type"}),
    Operation("GET", "/v1/events/{event}", webhooks.event, "EventRetrieveParams"),
    Operation(
        "POST",
        "/v1/webhook_endpoints",
        webhooks.create,
        "WebhookEndpointCreateParams",
        {"description", "enabled_events", "metadata", "url"},
    ),
    Operation("GET", "/v1/webhook_endpoints", webhooks.listed, "WebhookEndpointListParams", PAGING),
    Operation("GET", "/v1/webhook_endpoints/{webhook_endpoint}", webhooks.retrieve, "WebhookEndpointRetrieveParams"),
    Operation("DELETE", "/v1/webhook_endpoints/{webhook_endpoint}", webhooks.delete, "WebhookEndpointDeleteParams"),
)


def operation_for(method: str, path: str) -> tuple[Operation, dict[str, str]] | None:
    """Return the operation a request means and the ids in its path, or None."""
    for operation in OPERATIONS:
        if operation.method == method and (found := operation.pattern.fullmatch(path)):
            return operation, found.groupdict()
    return None
