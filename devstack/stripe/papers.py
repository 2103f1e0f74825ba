"""What people see of an invoice: its PDF and its page. The amounts shown are the double's own."""

from __future__ import annotations

import html

from devstack.stripe import invoices, pdf
from devstack.stripe.shop import Shop
from devstack.stripe.store import Json


def invoice_pdf(shop: Shop, invoice: str) -> bytes:
    """Return the PDF of a finalized invoice, the same bytes for the same content.

    Raises:
        StripeError: there is no such invoice.
    """
    return pdf.document(invoice_text(shop, shop.need("invoice", invoice)))


def credit_note_pdf(shop: Shop, credit_note: str) -> bytes:
    """Return the PDF of a credit note.

    Raises:
        StripeError: there is no such credit note.
    """
    note = shop.need("credit_note", credit_note)
    lines = [f"Credit note {note['number']}", f"Customer {note['customer']}", ""]
    lines += [f"{line['description'] or ''}    {money(line['amount'], note['currency'])}" for line in note["_lines"]]
    return pdf.document([*lines, "", f"Total {money(note['total'], note['currency'])}"])


def invoice_page(shop: Shop, invoice: str) -> str:
    """Return the hosted page of an invoice, as plain HTML."""
    lines = invoice_text(shop, shop.need("invoice", invoice))
    return f"<!doctype html><title>{html.escape(lines[0])}</title><pre>{html.escape(chr(10).join(lines))}</pre>"


def invoice_text(shop: Shop, invoice: Json) -> list[str]:
    """Return an invoice as lines of text."""
    shown = invoices.shown(shop, invoice)
    head = [
        f"Invoice {shown['number'] or '(draft)'}",
        f"Bill to {shown['customer_name'] or shown['customer']}  {shown['customer_email'] or ''}",
        *(f"{field['name']}: {field['value']}" for field in shown["custom_fields"] or ()),
        shown["description"] or "",
        "",
    ]
    body = [
        f"{line['description'] or ''}    {line['quantity_decimal']} x {line['pricing']['unit_amount_decimal']}    "
        f"{money(line['amount'], shown['currency'])}"
        for line in invoices.lines_of(shop, shown["id"])
    ]
    sums = [
        f"Total {money(shown['total'], shown['currency'])}",
        f"Amount due {money(shown['amount_due'], shown['currency'])}",
    ]
    return [*head, *body, "", *sums, "", shown["footer"] or ""]


def money(amount_minor: int, currency: str) -> str:
    """Return an amount for reading, in minor units: the double does not know every currency's digits."""
    return f"{amount_minor} {currency.upper()} minor units"
