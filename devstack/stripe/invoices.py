"""Invoices: draft, open, paid, void, uncollectible. Nothing advances by itself here.

Where Stripe is silent or cannot be checked, the double takes the careful side, and says so beside the rule.
"""

from __future__ import annotations

from typing import Any

from devstack.stripe import items
from devstack.stripe.errors import StripeError, invalid, not_editable, undone, wrong_transition
from devstack.stripe.listing import newest, page_of
from devstack.stripe.shop import Shop, checked_currency, merged_metadata, new_id
from devstack.stripe.store import Json

KIND = "invoice"
DAY = 86_400
TEXTS = ("description", "footer", "statement_descriptor")
SETTABLE = frozenset(
    {*TEXTS, "auto_advance", "collection_method", "custom_fields", "days_until_due", "due_date", "effective_at"}
)
SETTABLE |= {"metadata", "number"}
FIXED_ONCE_FINAL = frozenset({"collection_method", "days_until_due", "due_date", "effective_at", "number"})
LINES_SHOWN = 10


def create(shop: Shop, params: Json) -> Json:
    """Return a new draft; with `pending_invoice_items_behavior=include` the customer's pending items are on it."""
    if "customer" not in params:
        raise invalid("Missing required param: customer.", "customer", "parameter_missing")
    customer = shop.need("customer", params["customer"], "customer", 400)
    now = shop.now()
    identifier = new_id("in")
    invoice: dict[str, Any] = {
        "id": identifier,
        "object": KIND,
        "account_country": "US",
        "account_name": "Tieout",
        "amount_overpaid": 0,
        "amount_paid": 0,
        "amount_shipping": 0,
        "attempt_count": 0,
        "attempted": False,
        "auto_advance": False,
        "automatic_tax": {
            "disabled_reason": None,
            "enabled": False,
            "liability": None,
            "provider": None,
            "status": None,
        },
        "billing_reason": "manual",
        "collection_method": "charge_automatically",
        "created": now,
        "currency": checked_currency(params.get("currency") or customer["currency"] or "usd"),
        "custom_fields": None,
        "customer": customer["id"],
        "customer_address": customer["address"],
        "customer_email": customer["email"],
        "customer_name": customer["name"],
        "customer_phone": customer["phone"],
        "customer_shipping": None,
        "customer_tax_exempt": customer["tax_exempt"],
        "customer_tax_ids": [],
        "default_payment_method": None,
        "default_source": None,
        "default_tax_rates": [],
        "description": None,
        "discounts": [],
        "due_date": None,
        "effective_at": None,
        "ending_balance": None,
        "footer": None,
        "from_invoice": None,
        "hosted_invoice_url": None,
        "invoice_pdf": None,
        "issuer": {"type": "self"},
        "last_finalization_error": None,
        "latest_revision": None,
        "livemode": False,
        "metadata": {},
        "next_payment_attempt": None,
        "number": None,
        "on_behalf_of": None,
        "parent": None,
        "period_end": now,
        "period_start": now,
        "post_payment_credit_notes_amount": 0,
        "pre_payment_credit_notes_amount": 0,
        "receipt_number": None,
        "rendering": None,
        "shipping_cost": None,
        "shipping_details": None,
        "starting_balance": customer["balance"],
        "statement_descriptor": None,
        "status": "draft",
        "status_transitions": {
            "finalized_at": None,
            "marked_uncollectible_at": None,
            "paid_at": None,
            "voided_at": None,
        },
        "test_clock": None,
        "webhooks_delivered_at": None,
    }
    _set(shop, invoice, params)
    if invoice["collection_method"] == "send_invoice" and invoice["due_date"] is None:
        raise invalid("With collection_method send_invoice, give days_until_due or due_date.", "days_until_due")
    shop.store.add(invoice)
    if params.get("pending_invoice_items_behavior") == "include":
        for item in items.pending(shop, customer["id"], invoice["currency"]):
            items.attach(shop, item, invoice)
    shop.emit("invoice.created", shown(shop, invoice))
    return shown(shop, invoice)


def update(shop: Shop, params: Json, invoice: str) -> Json:
    """Return the invoice with the given fields changed; of a finalized one only texts and metadata can be."""
    found = shop.need(KIND, invoice)
    if found["status"] != "draft" and FIXED_ONCE_FINAL & params.keys():
        raise not_editable(
            f"This invoice is finalized; {sorted(FIXED_ONCE_FINAL & params.keys())[0]} can't be changed any more"
        )
    _set(shop, found, params)
    return _changed(shop, found, "invoice.updated")


def delete(shop: Shop, _params: Json, invoice: str) -> Json:
    """Delete a draft and the items on it. Whether Stripe would make those pending again is not documented."""
    found = shop.need(KIND, invoice)
    if found["status"] != "draft":
        raise not_editable("You can only delete draft invoices")
    for item in shop.store.children(items.KIND, invoice):
        shop.store.remove(item["id"])
    shop.store.remove(invoice)
    shop.emit("invoice.deleted", found)
    return {"id": invoice, "object": KIND, "deleted": True}


def retrieve(shop: Shop, _params: Json, invoice: str) -> Json:
    """Return an invoice with its first ten lines; the rest are listed by page."""
    return shown(shop, shop.need(KIND, invoice))


def listed(shop: Shop, params: Json) -> Json:
    """Return a page of invoices, newest first, filtered by customer, status and created.

    Reads what was just written.
    """
    equal = {"customer": params.get("customer"), "status": params.get("status")}
    return newest(shop.store, KIND, params, "/v1/invoices", lambda one: shown(shop, one), equal)


def finalize(shop: Shop, params: Json, invoice: str) -> Json:
    """Return the invoice, numbered and open; paid at once when nothing is due.

    The customer's balance is used up first. A total below zero becomes credit on that balance, as Stripe does.
    """
    found = shop.need(KIND, invoice)
    if params.get("auto_advance"):
        raise undone("auto_advance")
    _finalize(shop, found)
    return shown(shop, found)


def send(shop: Shop, _params: Json, invoice: str) -> Json:
    """Return the invoice, sent; a draft is finalized first.

    As in Stripe's test mode no mail leaves, only `invoice.sent`.
    """
    found = shop.need(KIND, invoice)
    if found["collection_method"] != "send_invoice":
        raise StripeError(400, "You can only send an invoice by hand when its collection_method is send_invoice")
    if found["status"] == "draft":
        _finalize(shop, found)
    if found["status"] not in ("open", "paid"):
        raise wrong_transition(f"You can't send an invoice that is {found['status']}")
    return _changed(shop, found, "invoice.sent")


def pay(shop: Shop, params: Json, invoice: str) -> Json:
    """Return the invoice, paid outside Stripe. Other ways to pay need a payment method, which the double has not."""
    found = shop.need(KIND, invoice)
    if found["status"] == "draft":
        _finalize(shop, found)
    if found["status"] not in ("open", "uncollectible"):
        raise wrong_transition(f"This invoice is already {found['status']}")
    if not params.get("paid_out_of_band"):
        raise StripeError(
            400, "This customer has no attached payment source or default payment method.", code="resource_missing"
        )
    found["amount_paid"] += remaining(found)
    _pay(shop, found)
    return shown(shop, found)


def void(shop: Shop, _params: Json, invoice: str) -> Json:
    """Return the invoice, void. What it took from the customer's balance goes back there."""
    found = shop.need(KIND, invoice)
    if found["status"] not in ("open", "uncollectible"):
        raise wrong_transition(f"You can only void open or uncollectible invoices; this one is {found['status']}")
    customer = shop.need("customer", found["customer"])
    customer["balance"] += found["starting_balance"] - (found["ending_balance"] or 0)
    shop.store.change(customer)
    found["status"] = "void"
    found["status_transitions"]["voided_at"] = shop.now()
    return _changed(shop, found, "invoice.voided")


def mark_uncollectible(shop: Shop, _params: Json, invoice: str) -> Json:
    """Return the invoice, written off."""
    found = shop.need(KIND, invoice)
    if found["status"] != "open":
        raise wrong_transition(f"You can only mark open invoices as uncollectible; this one is {found['status']}")
    found["status"] = "uncollectible"
    found["status_transitions"]["marked_uncollectible_at"] = shop.now()
    return _changed(shop, found, "invoice.marked_uncollectible")


def add_lines(shop: Shop, params: Json, invoice: str) -> Json:
    """Return the draft with new lines, in the order given, all or none; a line may take up a pending item instead."""
    found = items.draft(shop, invoice)
    for line in params["lines"]:
        if "invoice_item" in line:
            item = shop.need(items.KIND, line["invoice_item"], "lines[invoice_item]", 400)
            if item["invoice"] is not None or item["customer"] != found["customer"]:
                raise invalid("The invoice item is on an invoice already, or another customer's", "lines[invoice_item]")
            items.attach(shop, item, found)
        else:
            for param in line.keys() - items.CHARGE - {"description", "discountable", "metadata", "period"}:
                raise undone(f"lines[{param}]")
            items.new_item(shop, found["customer"], line, found)
    found["metadata"] = merged_metadata(found["metadata"], params.get("invoice_metadata"))
    return _changed(shop, found, "invoice.updated")


def remove_lines(shop: Shop, params: Json, invoice: str) -> Json:
    """Return the draft without the given lines; `unassign` leaves their items pending, `delete` deletes them."""
    found = items.draft(shop, invoice)
    for line in params["lines"]:
        item = items.item_of_line(shop, invoice, line["id"])
        if line["behavior"] == "delete":
            shop.store.remove(item["id"])
        else:
            shop.store.change(item | {"invoice": None})
            shop.store.place(item["id"], None, 0)
    found["metadata"] = merged_metadata(found["metadata"], params.get("invoice_metadata"))
    return _changed(shop, found, "invoice.updated")


def update_line(shop: Shop, params: Json, invoice: str, line: str) -> Json:
    """Return a line of a draft with the given fields changed."""
    items.draft(shop, invoice)
    item = items.item_of_line(shop, invoice, line)
    items.change(shop, item, params)
    return items.line_of(item)


def listed_lines(shop: Shop, params: Json, invoice: str) -> Json:
    """Return a page of an invoice's lines: pending items newest first, then what was added, in that order."""
    shop.need(KIND, invoice)
    return page_of(lines_of(shop, invoice), params, f"/v1/invoices/{invoice}/lines", "line_item")


def listed_payments(shop: Shop, params: Json) -> Json:
    """Return an empty page: what is paid here is paid outside Stripe, which leaves no payment of Stripe's own."""
    if "invoice" in params:
        shop.need(KIND, params["invoice"], "invoice", 400)
    return page_of([], params, "/v1/invoice_payments", "invoice_payment")


def lines_of(shop: Shop, invoice: str) -> list[Json]:
    """Return every line of an invoice, in order."""
    return [items.line_of(item) for item in shop.store.children(items.KIND, invoice)]


def remaining(invoice: Json) -> int:
    """Return what is still to be paid of a finalized invoice, in minor units."""
    left: int = invoice["amount_due"] - invoice["amount_paid"]
    return left


def shown(shop: Shop, invoice: Json) -> Json:
    """Return an invoice as Stripe shows it: totals from its lines while a draft, as finalized afterwards."""
    lines = lines_of(shop, invoice["id"])
    total = items.total_of(lines)
    due = invoice.get("amount_due", max(0, total + invoice["starting_balance"]))
    return invoice | {
        "amount_due": due,
        "amount_remaining": due - invoice["amount_paid"],
        "lines": page_of(lines, {"limit": LINES_SHOWN}, f"/v1/invoices/{invoice['id']}/lines", "line_item"),
        "subtotal": total,
        "subtotal_excluding_tax": total,
        "total": total,
        "total_discount_amounts": [],
        "total_excluding_tax": total,
        "total_pretax_credit_amounts": [],
        "total_taxes": [],
    }


def settle_when_nothing_is_due(shop: Shop, invoice: Json) -> None:
    """Mark an open invoice paid when a credit note or the balance leaves nothing to pay."""
    if invoice["status"] == "open" and remaining(invoice) == 0:
        _pay(shop, invoice)


def _finalize(shop: Shop, invoice: Json) -> None:
    if invoice["status"] != "draft":
        raise not_editable("This invoice is already finalized, you can't re-finalize a non-draft invoice.")
    lines = lines_of(shop, invoice["id"])
    if not lines:
        raise StripeError(400, "You can't finalize an invoice without lines.", code="invoice_no_customer_line_items")
    customer = shop.need("customer", invoice["customer"])
    before = customer["balance"] + items.total_of(lines)
    invoice |= {
        "status": "open",
        "starting_balance": customer["balance"],
        "amount_due": max(0, before),
        "ending_balance": min(0, before),
        "effective_at": invoice["effective_at"] or shop.now(),
        "hosted_invoice_url": f"{shop.base_url}/invoice/{invoice['id']}",
        "invoice_pdf": f"{shop.base_url}/invoice/{invoice['id']}/pdf",
    }
    invoice["status_transitions"]["finalized_at"] = shop.now()
    if invoice["number"] is None:
        invoice["number"] = f"{customer['invoice_prefix']}-{customer['next_invoice_sequence']:04d}"
        customer["next_invoice_sequence"] += 1
    customer |= {"balance": invoice["ending_balance"], "currency": customer["currency"] or invoice["currency"]}
    shop.store.change(customer)
    _changed(shop, invoice, "invoice.finalized")
    settle_when_nothing_is_due(shop, invoice)


def _pay(shop: Shop, invoice: Json) -> None:
    invoice |= {"status": "paid", "attempted": True}
    invoice["status_transitions"]["paid_at"] = shop.now()
    _changed(shop, invoice, "invoice.paid")


def _changed(shop: Shop, invoice: Json, event: str) -> Json:
    shop.store.change(invoice)
    now = shown(shop, invoice)
    shop.emit(event, now)
    return now


def _set(shop: Shop, invoice: Json, params: Json) -> None:
    if params.get("auto_advance"):
        raise undone("auto_advance")
    if "days_until_due" in params and "due_date" in params:
        raise invalid("You can only give one of days_until_due and due_date", "due_date")
    for name in (*TEXTS, "collection_method", "effective_at", "due_date"):
        if name in params:
            invoice[name] = params[name] or None
    if "days_until_due" in params:
        if params["days_until_due"] < 0:
            raise invalid("Invalid non-negative integer", "days_until_due", "parameter_invalid_integer")
        invoice["due_date"] = invoice["created"] + params["days_until_due"] * DAY
    if invoice["due_date"] is not None and invoice["collection_method"] != "send_invoice":
        raise invalid("days_until_due and due_date are only for collection_method send_invoice", "days_until_due")
    if "custom_fields" in params:
        invoice["custom_fields"] = _custom_fields(params["custom_fields"] or [])
    if "number" in params:
        taken = [one["id"] for one in shop.store.all(KIND) if one["number"] == params["number"] and params["number"]]
        if taken not in ([], [invoice["id"]]):
            raise invalid(f"The number {params['number']} is taken", "number", "resource_already_exists")
        invoice["number"] = params["number"] or None
    invoice["metadata"] = merged_metadata(invoice["metadata"], params.get("metadata"))


def _custom_fields(fields: list[Json]) -> list[Json] | None:
    if len(fields) > 4:
        raise invalid("An invoice has up to 4 custom fields", "custom_fields")
    for field in fields:
        if len(field["name"]) > 40 or len(field["value"]) > 140:
            raise invalid("A custom field's name has up to 40 characters, its value up to 140", "custom_fields")
    return fields or None
