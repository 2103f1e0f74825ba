"""Credit notes: what an issued invoice is lowered by. The invoice itself is never edited."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from devstack.stripe import invoices, items
from devstack.stripe.amounts import whole
from devstack.stripe.errors import StripeError, invalid, undone, wrong_transition
from devstack.stripe.listing import newest, page_of
from devstack.stripe.shop import Shop, merged_metadata, new_id
from devstack.stripe.store import Json

KIND = "credit_note"
LINE_DONE = {
    "amount",
    "description",
    "invoice_line_item",
    "metadata",
    "quantity",
    "type",
    "unit_amount",
    "unit_amount_decimal",
}


def create(shop: Shop, params: Json) -> Json:
    """Return a credit note on an open invoice (it lowers what is due) or a paid one.

    On a paid one, `credit_amount` (to the customer's balance) and `out_of_band_amount` must make up the total; refunds
    of card payments do not exist here.
    """
    invoice = shop.need("invoice", params["invoice"], "invoice", 400)
    if invoice["status"] not in ("open", "paid"):
        raise wrong_transition(f"You can't credit an invoice that is {invoice['status']}")
    if "refund_amount" in params:
        raise undone("refund_amount")
    lines = [_line(shop, invoice, line) for line in params.get("lines", ())]
    total = items.total_of(lines) if lines else params.get("amount")
    if total is None or (lines and params.get("amount", total) != total):
        raise invalid("Give amount or lines; together they must agree", "amount")
    if total <= 0:
        raise invalid("A credit note's total is above zero", "amount", "amount_too_small")
    earlier = shop.store.children(KIND, invoice["id"])
    note: dict[str, Any] = {
        "id": new_id("cn"),
        "object": KIND,
        "amount": total,
        "amount_shipping": 0,
        "created": shop.now(),
        "currency": invoice["currency"],
        "customer": invoice["customer"],
        "customer_balance_transaction": None,
        "discount_amount": 0,
        "discount_amounts": [],
        "effective_at": params.get("effective_at", shop.now()),
        "invoice": invoice["id"],
        "livemode": False,
        "memo": params.get("memo"),
        "metadata": merged_metadata({}, params.get("metadata")),
        "number": f"{invoice['number']}-CN-{len(earlier) + 1:02d}",
        "out_of_band_amount": params.get("out_of_band_amount"),
        "pretax_credit_amounts": [],
        "reason": params.get("reason"),
        "refunds": [],
        "shipping_cost": None,
        "status": "issued",
        "subtotal": total,
        "subtotal_excluding_tax": total,
        "total": total,
        "total_excluding_tax": total,
        "total_taxes": [],
        "voided_at": None,
        "_lines": lines or [_custom_line(total, "Credit", 1, str(total))],
    }
    note["pdf"] = f"{shop.base_url}/credit_note/{note['id']}/pdf"
    _apply(shop, invoice, note, params)
    shop.store.add(note, parent=invoice["id"], position=len(earlier) + 1)
    shop.emit("credit_note.created", shown(note))
    return shown(note)


def void(shop: Shop, _params: Json, credit_note: str) -> Json:
    """Return the credit note, void, and its amount due again. Only while its invoice is open."""
    note = shop.need(KIND, credit_note)
    invoice = shop.need("invoice", note["invoice"])
    if note["status"] != "issued" or invoice["status"] != "open":
        raise wrong_transition("You can only void an issued credit note of an open invoice")
    invoice["amount_due"] += note["total"]
    invoice["pre_payment_credit_notes_amount"] -= note["total"]
    shop.store.change(invoice)
    note |= {"status": "void", "voided_at": shop.now()}
    shop.store.change(note)
    shop.emit("credit_note.voided", shown(note))
    return shown(note)


def retrieve(shop: Shop, _params: Json, credit_note: str) -> Json:
    """Return a credit note."""
    return shown(shop.need(KIND, credit_note))


def listed(shop: Shop, params: Json) -> Json:
    """Return a page of credit notes, newest first; of one customer or one invoice, if asked."""
    equal = {"customer": params.get("customer"), "parent": params.get("invoice")}
    return newest(shop.store, KIND, params, "/v1/credit_notes", shown, equal)


def listed_lines(shop: Shop, params: Json, credit_note: str) -> Json:
    """Return a page of a credit note's lines."""
    note = shop.need(KIND, credit_note)
    return page_of(note["_lines"], params, f"/v1/credit_notes/{credit_note}/lines", "credit_note_line_item")


def shown(note: Json) -> Json:
    """Return a credit note as Stripe shows it, with its first ten lines."""
    lines = page_of(note["_lines"], {"limit": 10}, f"/v1/credit_notes/{note['id']}/lines", "credit_note_line_item")
    return {name: value for name, value in note.items() if name != "_lines"} | {"lines": lines}


def _apply(shop: Shop, invoice: Json, note: Json, params: Json) -> None:
    """Lower what is due, or give back what was paid."""
    total = note["total"]
    if invoice["status"] == "open":
        if total > invoices.remaining(invoice):
            raise invalid(
                f"The credit is more than what is due, {invoices.remaining(invoice)}", "amount", "amount_too_large"
            )
        if "credit_amount" in params or "out_of_band_amount" in params:
            raise invalid("An open invoice takes neither credit_amount nor out_of_band_amount", "credit_amount")
        note |= {"type": "pre_payment", "pre_payment_amount": total, "post_payment_amount": 0}
        invoice["amount_due"] -= total
        invoice["pre_payment_credit_notes_amount"] += total
        shop.store.change(invoice)
        invoices.settle_when_nothing_is_due(shop, invoice)
        return
    if total > invoice["amount_paid"] - invoice["post_payment_credit_notes_amount"]:
        raise invalid("The credit is more than what was paid and not yet credited", "amount", "amount_too_large")
    to_balance = params.get("credit_amount", 0)
    if to_balance + params.get("out_of_band_amount", 0) != total:
        raise invalid("credit_amount and out_of_band_amount must add up to the credit note's total", "credit_amount")
    note |= {"type": "post_payment", "pre_payment_amount": 0, "post_payment_amount": total}
    invoice["post_payment_credit_notes_amount"] += total
    shop.store.change(invoice)
    customer = shop.need("customer", invoice["customer"])
    customer["balance"] -= to_balance
    shop.store.change(customer)


def _line(shop: Shop, invoice: Json, line: Json) -> Json:
    for param in line.keys() - LINE_DONE:
        raise undone(f"lines[{param}]")
    if line["type"] == "invoice_line_item":
        if "invoice_line_item" not in line or ("amount" in line) == ("quantity" in line):
            raise invalid(
                "A line of an invoice needs invoice_line_item, and one of amount and quantity", "lines[amount]"
            )
        item = items.item_of_line(shop, invoice["id"], line["invoice_line_item"])
        unit = item["pricing"]["unit_amount_decimal"]
        if "quantity" in line:
            raise undone(
                "lines[quantity] of an invoice line"
            )  # how Stripe rounds a part of a quantity is not documented
        made = _custom_line(line["amount"], line.get("description") or item["description"], 1, unit)
        return made | {"type": "invoice_line_item", "invoice_line_item": line["invoice_line_item"]}
    units = [line[name] for name in ("unit_amount", "unit_amount_decimal") if name in line]
    if len(units) != 1 or "description" not in line or "amount" in line:
        raise invalid(
            "A custom line needs a description, a quantity, and one of the unit amounts", "lines[unit_amount]"
        )
    quantity = line.get("quantity", 1)
    return _custom_line(whole(Decimal(units[0]) * quantity), line["description"], quantity, str(units[0]))


def _custom_line(amount: int, description: str | None, quantity: int, unit_amount: str) -> Json:
    if amount <= 0:
        raise StripeError(
            400, "A credit note line's amount is above zero", code="amount_too_small", param="lines", saved=False
        )
    return {
        "id": new_id("cnli"),
        "object": "credit_note_line_item",
        "amount": amount,
        "description": description,
        "discount_amount": 0,
        "discount_amounts": [],
        "invoice_line_item": None,
        "livemode": False,
        "metadata": {},
        "pretax_credit_amounts": [],
        "quantity": quantity,
        "tax_rates": [],
        "taxes": [],
        "type": "custom_line_item",
        "unit_amount": None,
        "unit_amount_decimal": unit_amount,
    }
